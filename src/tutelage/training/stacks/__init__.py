"""Stacks: many networks of the same architecture, trained as one network."""
