"""Metrics as pure functions of aligned answers."""
