"""Data in: data sets with checksums, and the fingerprint that names what was seen."""
