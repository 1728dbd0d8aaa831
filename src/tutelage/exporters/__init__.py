"""Exporters: a student as a file that is compared with the student before it is written."""
