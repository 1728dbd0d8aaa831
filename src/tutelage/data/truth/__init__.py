"""The ground truth that comes with rows, and that of every token or pixel."""
