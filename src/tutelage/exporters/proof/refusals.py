"""What a student refuses among edge rows, in the words of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.schema import listed
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input

FAR_DATES = "dates and durations of more than a million days"
"""What is said about numbers of days that no student can be given as a date; a file takes them as numbers."""
BEYOND = "numbers beyond 3.4e38"
"""What is said where a student refuses the numbers that single precision, in which trees compare, does not have."""
ASKED_ALONE = 50
"""Rows of a refused group that are asked one by one: a student may take some of them."""


class OddCells:
    """Which cells of edge rows are none of ordinary rows: numbers that are not finite, and other texts.

    Args:
        rows: ordinary rows.
        inputs: their columns; none for rows of another shape, of which no column is named.
    """

    def __init__(self, rows: CheckRows, inputs: Sequence[Input]) -> None:
        self._known = [set(rows.texts[:, column].tolist()) for column in range(rows.texts.shape[1])]
        self._numbers = [place for place, one in enumerate(inputs) if one.kind == "number"]
        self._texts = [place for place, one in enumerate(inputs) if one.kind == "text"]
        self._names: list[Any] = [place if one.name is None else one.name for place, one in enumerate(inputs)]

    def of(self, rows: CheckRows) -> NDArray[np.bool_]:
        """(rows, columns) whether each cell is odd."""
        odd = np.zeros((len(rows), len(self._names)), dtype=bool)
        if self._numbers:
            odd[:, self._numbers] = ~np.isfinite(rows.numbers)
        for place, (column, known) in enumerate(zip(self._texts, self._known, strict=bool(self._names))):
            odd[:, column] = [cell not in known for cell in rows.texts[:, place].tolist()]
        return odd

    def asked_alone(self, rows: CheckRows) -> NDArray[np.intp]:
        """The places of the rows of a refused group that are asked one by one: for each column one in which it alone is odd, and others."""
        odd = self.of(rows)
        single = odd.sum(axis=1) == 1
        first = [int(np.argmax(single & odd[:, column])) for column in range(odd.shape[1]) if (single & odd[:, column]).any()][:ASKED_ALONE]
        others = np.linspace(0, len(rows) - 1, min(len(rows), ASKED_ALONE - len(first)), dtype=np.intp)
        return np.unique(np.array([*first, *others], dtype=np.intp))

    def refused(self, name: str, taken: Sequence[CheckRows], refused: Sequence[CheckRows]) -> str:
        """What is said of a group of which some rows are refused: the columns or the size if these alone decide, or that there are some."""
        if all(_beyond(rows).all() for rows in refused) and not any(_beyond(rows).any() for rows in taken):
            return BEYOND
        fine = np.concatenate([np.zeros((1, len(self._names)), dtype=bool), *map(self.of, taken)]).any(axis=0)
        odd = np.concatenate(list(map(self.of, refused)))
        wrong = odd[odd.sum(axis=1) == 1].any(axis=0)
        if (wrong & fine).any() or not odd[:, wrong].any(axis=1).all() or (odd.any(axis=0) & ~wrong & ~fine).any():
            return f"some {name}"
        return in_columns(name, [self._names[place] for place in np.flatnonzero(wrong)])


def _beyond(rows: CheckRows) -> NDArray[np.bool_]:
    """(rows,) whether a finite number of the row is beyond single precision."""
    flat = np.abs(rows.numbers.reshape(len(rows), -1), dtype=np.float64)
    return np.asarray((np.isfinite(flat) & (flat > np.finfo(np.float32).max)).any(axis=1))


def in_columns(name: str, columns: Sequence[Any]) -> str:
    """A group in some columns, of which two are named."""
    more = f" and {len(columns) - 2} more" if len(columns) > 2 else ""
    return f"{name} in column{'' if len(columns) == 1 else 's'} {listed(columns[:2])}{more}"
