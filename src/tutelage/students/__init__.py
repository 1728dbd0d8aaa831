"""Students: trees, linear models and networks that learn from soft targets, and their files on disk."""
