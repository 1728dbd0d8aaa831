"""Serving: the exported file of a student behind HTTP, with its teacher beside it if rows are left to it."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
