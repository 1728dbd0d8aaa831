"""Datasets and DataLoaders of torch: their items, and their rows."""
