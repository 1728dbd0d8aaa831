"""Choices by validation: the best setting, and the smallest of those that are as good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.errors import BadInput


def best_setting(validation_errors: ArrayLike) -> int:
    """The index of the setting with the lowest mean validation error over seeds; the first one on ties.

    Args:
        validation_errors: (seeds, settings).

    Raises:
        BadInput: the errors are not a matrix with at least one seed and one setting.
    """
    errors = np.asarray(validation_errors, dtype=np.float64)
    if errors.ndim != 2 or 0 in errors.shape:
        raise BadInput(f"validation errors have shape {errors.shape}; expected (seeds, settings), with at least one of each.")
    return int(errors.mean(axis=0).argmin())


MUCH_SMALLER = 0.9
"""A file is smaller if it has at most this share of the bytes of another."""


def smallest_of_equals(losses: ArrayLike, sizes: Sequence[int | None]) -> int:
    """The index of the smallest among the best and those that validation cannot tell from it: the one-standard-error rule.

    A loss cannot be told from the best where the mean of their differences, seed by seed, is at most the standard error of that mean.

    Args:
        losses: (candidates, seeds), lower is better.
        sizes: bytes of each candidate; None if it is not known, which never wins.

    Returns:
        The index of the best, unless a candidate at least a tenth smaller is as good.

    Source:
        Breiman, Friedman, Olshen, Stone 1984, "Classification and Regression Trees", section 3.4.3, with paired differences.

    Example:
        >>> smallest_of_equals([[0.10, 0.12, 0.11], [0.11, 0.12, 0.105], [0.2, 0.22, 0.21]], [9000, 3000, 1000])
        1
    """
    table = np.asarray(losses, dtype=np.float64)
    best = int(table.mean(axis=1).argmin())
    size = sizes[best]
    if size is None:
        return best
    differences = table - table[best]
    errors = differences.std(axis=1, ddof=1) / np.sqrt(table.shape[1]) if table.shape[1] > 1 else np.zeros(len(table))
    known = {place: found for place, found in enumerate(sizes) if found is not None and found <= MUCH_SMALLER * size}
    smaller = [(found, table[place].mean(), place) for place, found in known.items() if differences[place].mean() <= errors[place]]
    return min(smaller)[2] if smaller else best
