"""Pictures of an evaluation, in scikit-learn's Display convention."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach("tutelage", __file__)
