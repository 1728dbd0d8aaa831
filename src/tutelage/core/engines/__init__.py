"""Independent tasks on many processes: where they run, in which order, and what becomes of those that fail."""
