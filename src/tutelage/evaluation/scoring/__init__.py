"""Figures with intervals, from answers that are aligned."""
