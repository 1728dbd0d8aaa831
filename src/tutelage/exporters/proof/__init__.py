"""Proof that a file answers as its student does, in the runtime of its own."""
