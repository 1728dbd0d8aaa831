"""The languages that a program is written in, one module each, and the runtimes in which their files are proven."""
