"""Losses for torch students, as objectives that are weighted with `*` and added with `+`. The pure functions are in `functional`.

objective = 0.9 * losses.soft_cross_entropy(temperature=4.0) + 0.1 * losses.hard_cross_entropy()
"""

from tutelage.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
