"""What a student is asked to match: targets (NumPy) and losses (torch)."""
