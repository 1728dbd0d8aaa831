"""Show it: the terminal table, the pictures, the page. Reads records, never models."""
