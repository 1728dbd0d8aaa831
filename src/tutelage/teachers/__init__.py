"""Who knows: adapters that make any fitted model answer rows in one way."""
