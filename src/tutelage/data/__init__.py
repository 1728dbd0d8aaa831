"""Data: rows of any kind, their fingerprints, transfer sets, augmented views, table files and data sets."""
