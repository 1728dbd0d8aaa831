"""A program as one C99 file: its text, its compilers and its proof."""
