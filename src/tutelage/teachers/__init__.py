"""Teachers: adapters that give every fitted model one interface, ensembles of teachers, and teachers with other class labels."""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
