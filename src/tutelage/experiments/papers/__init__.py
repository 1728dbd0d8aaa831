"""Tables of papers, run again with intervals: each a value, from its paper to its record."""
