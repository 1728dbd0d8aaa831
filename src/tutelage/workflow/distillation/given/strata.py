"""A share of rows, drawn by class: each class its share, and rare classes together theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drawn_by_class(classes: NDArray[np.intp], share: float, random: np.random.Generator, *, keep_one: bool) -> NDArray[np.bool_]:
    """For each row, whether it is drawn.

    Each class gives its share, rounded up or down. The classes follow each other by rising size, those of one size in random order, and
    each passes what rounding left over to the next, so that many classes of two rows give their share together, though most of them give
    nothing. Rounding each class by itself would draw none of their rows.

    Args:
        classes: (rows,) the number of each row's class, from 0 on.
        share: of the rows that are drawn.
        random: draws the rows, and the order of the classes.
        keep_one: whether one row of each class at least is not drawn.

    Example:
        >>> classes = np.r_[np.arange(20).repeat(2), np.full(60, 20)]
        >>> drawn = drawn_by_class(classes, 0.2, np.random.default_rng(0), keep_one=True)
        >>> int(drawn[:40].sum()), int(drawn[40:].sum())
        (8, 12)
    """
    sizes = np.bincount(classes)
    members = [random.permutation(np.flatnonzero(classes == code)) for code in range(len(sizes))]
    drawn, owed = np.zeros(len(classes), dtype=bool), 0.0
    for code in np.lexsort((random.random(len(sizes)), sizes)):
        most = min(int(np.ceil(share * sizes[code])), sizes[code] - int(keep_one))
        owed += share * sizes[code]
        count = int(np.clip(np.floor(owed + 0.5 + 1e-9), 0, most))  # a half is rounded up, whatever the sum before it lost
        drawn[members[code][:count]] = True
        owed -= count
    return drawn
