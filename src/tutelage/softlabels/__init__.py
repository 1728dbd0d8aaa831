"""Soft labels: a teacher's answers, recorded once, stored with their provenance, and valid only for the rows that they answer."""
