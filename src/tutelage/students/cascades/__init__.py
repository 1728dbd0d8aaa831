"""Students on disk, in file formats that contain no code."""
