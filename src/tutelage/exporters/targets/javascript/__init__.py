"""A program as an ES module of JavaScript, with its types: for browsers, Node.js and whatever else runs modules."""

from tutelage.exporters.targets.javascript.module import write
from tutelage.exporters.targets.javascript.runtime import rounding, runtimes, timed

__all__ = ["rounding", "runtimes", "timed", "write"]
