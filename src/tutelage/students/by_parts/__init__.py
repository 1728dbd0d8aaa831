"""Students that learn from rows that are read in parts."""
