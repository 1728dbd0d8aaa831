"""Proof that a teacher's signal is sound, before anyone trains on it."""
