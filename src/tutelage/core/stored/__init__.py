"""Stored files, proven when they are read: checksums, bounded sizes, and trees whose nodes point inside themselves."""
