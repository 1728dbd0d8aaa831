"""Of which scale the numbers of pictures, series and other rows of more axes are, and whether other rows are of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
"""Rows that are searched for fractions at a time."""


@dataclass(frozen=True)
class Scale:
    """What the numbers of some rows are.

    Attributes:
        fractions: whether any is no whole number.
        largest: the largest absolute number.

    Example:
        >>> Scale.of(np.array([[[0.0, 0.5]]])).difference(np.array([[[0, 128]]], np.uint8))
        ('whole numbers up to 128', 'fractions up to 0.5')
    """

    fractions: bool
    largest: float

    @classmethod
    def of(cls, rows: NDArray[Any]) -> Self:
        """That of an array of numbers, (rows, ...)."""
        return cls(rows.dtype.kind == "f" and _has_fractions(rows), _largest(rows))

    @property
    def sound(self) -> bool:
        """Whether both attributes are of their types, in a value that was read from a file."""
        return type(self.fractions) is bool and type(self.largest) is float

    def refuses(self, dtype: np.dtype[Any]) -> bool:
        """Whether the type alone proves another scale: whole numbers after fractions, as of pixels that were not divided by 255."""
        return self.fractions and dtype.kind in "biu"

    def difference(self, rows: NDArray[Any]) -> tuple[str, str] | None:
        """What other rows hold, and what these held, where type or values prove another scale; otherwise None.

        Such are whole numbers more than twice as large as the fractions here, and fractions up to 1 after larger whole numbers.
        """
        other = Scale.of(rows)
        if self.fractions:
            differs = self.refuses(rows.dtype) or (not other.fractions and other.largest > 2 * max(1.0, self.largest))
        else:
            differs = other.fractions and other.largest <= 1 < self.largest
        return (str(other), str(self)) if differs else None

    def __str__(self) -> str:
        return f"{'fractions' if self.fractions else 'whole numbers'} up to {self.largest:g}"


def _has_fractions(rows: NDArray[Any]) -> bool:
    parts = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    return any(bool(((part != np.rint(part)) & np.isfinite(part)).any()) for part in parts)


def _largest(rows: NDArray[Any]) -> float:
    """The largest absolute number; 0 if there is none."""
    ends = [float(end.reduce(rows, axis=None)) for end in (np.fmin, np.fmax)] if rows.size else [0.0]
    return max([0.0, *(abs(end) for end in ends if not np.isnan(end))])
