"""What is seen of a training: its losses, and its progress."""
