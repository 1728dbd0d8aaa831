"""A package, for a verb's test file may be called as that of the function behind it."""
