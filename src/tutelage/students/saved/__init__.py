"""Students on disk, in formats that hold no code."""
