"""The losses as pure functions of tensors: each returns one value per example and does not average."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
