"""Recorded rows and answers that are read shard by shard."""
