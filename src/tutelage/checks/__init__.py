"""Checks of a teacher and its transfer set, made before a student is trained on them."""
