"""Metrics of an evaluation as pure functions of arrays."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach("tutelage", __file__)
