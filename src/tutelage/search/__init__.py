"""Which one: settings, and amounts of made rows, picked by validation and never by test."""
