"""The workflows behind the command line, as functions that read files and write folders."""
