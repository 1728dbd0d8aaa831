"""A program as a module of Python that needs the standard library only."""

from tutelage.exporters.targets.python.module import write
from tutelage.exporters.targets.python.runtime import rounding, runtimes, timed

__all__ = ["rounding", "runtimes", "timed", "write"]
