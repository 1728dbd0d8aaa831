"""`distill`: from a teacher and rows to a student that is chosen on validation rows, tested once, and exported."""
