"""Papers on the rows that a student learns from: made ones, and those without labels."""
