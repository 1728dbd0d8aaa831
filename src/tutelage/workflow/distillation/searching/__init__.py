"""Which students can be searched with these rows, on which rows, and the search of all arms."""
