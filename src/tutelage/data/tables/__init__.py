"""Tables in files: their formats, and the types of their columns."""
