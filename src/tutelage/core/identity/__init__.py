"""What identifies an object: its content, and a fingerprint made of it."""
