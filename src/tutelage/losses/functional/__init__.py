"""The pure losses: functions from tensors to one value per example, one idea a file."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
