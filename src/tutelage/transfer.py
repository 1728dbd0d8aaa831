"""Rows for a teacher to label: an unlabelled pool, perturbed, mixed or generated rows, and augmented views."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach("tutelage", __file__)
