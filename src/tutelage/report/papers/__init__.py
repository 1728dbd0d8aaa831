"""How a paper that was run again is shown: its figures beside ours, and what was claimed."""
