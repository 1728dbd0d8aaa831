"""Long work: named stages with a clock, and progress in a terminal."""
