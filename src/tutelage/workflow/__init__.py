"""What the command line does, as functions from files to folders."""
