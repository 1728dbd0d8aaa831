"""A package, because the test file of a command may have the name of another test file."""
