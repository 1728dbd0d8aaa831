"""The torch engine: any network as a student, training settings, the training loop, checkpoints, distributed training."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
