"""Rows of several inputs, and what networks answer to them, position by position."""
