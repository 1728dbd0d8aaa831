"""Teachers in files: opened by name, and written for other processes."""
