"""tutelage: teach a small model what a big one knows, prove what was lost and gained, and ship it.

The public names are listed once, in the stub file beside this one. Each loads its module when it is first used, so that
`import tutelage` needs neither torch nor anything else that is optional.
"""

from tutelage.core.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(__name__, __file__)
