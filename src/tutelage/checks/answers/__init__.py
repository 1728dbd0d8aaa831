"""Checks of the answers alone, and of the answers against the truth."""
