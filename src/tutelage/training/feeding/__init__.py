"""From a user's data to batches: rows, answers and truth that belong together."""
