"""The torch engine: any network as a student, its settings, the training loop, checkpoints, several processes."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
