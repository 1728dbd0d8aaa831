"""Student, teacher and truth as the same answers to the same rows."""
