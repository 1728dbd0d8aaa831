"""An input whose rows differ in length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import tensor_array
from tutelage.core.errors import BadInput, ShapeError, shown
from tutelage.core.position_answers import ranges


@dataclass(frozen=True, eq=False)
class Ragged:
    """An array of each row, of different lengths, one after the other.

    Attributes:
        values: (positions, ...) those of the first row, then those of the second, and so on.
        lengths: (rows,) the length of each row, 0 or more.
        shapes: (rows, 2) height and width of each row, if they are pictures, whose values stand line by line; None if they are not.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64]
    shapes: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, rows: Sequence[Any], name: str) -> Ragged:
        """From one array for each row.

        Raises:
            ShapeError: arrays that differ in more than their length.
        """
        arrays = [array_of_numbers(row, name) for row in rows]
        shapes = {array.shape[1:] for array in arrays if array.ndim and len(array)}
        if len(shapes) > 1 or any(array.ndim == 0 for array in arrays):
            raise ShapeError(
                f"the rows of {name!r} differ in more than their length: {shown(sorted(shapes))}; expected one shape beyond it."
            )
        filled = [array for array in arrays if len(array)] or arrays[:1]
        return cls(np.concatenate(filled), np.array([len(array) for array in arrays], dtype=np.int64))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(rows,) where each row begins."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @property
    def places(self) -> NDArray[np.int64]:
        """(positions,) the place of each in its row."""
        return ranges(np.zeros_like(self.lengths), self.lengths)

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """The rows of several parts, in their order."""
        shapes = [part.shapes for part in parts if part.shapes is not None]
        of_all = np.concatenate(shapes) if len(shapes) == len(parts) else None
        return cls(np.concatenate([part.values for part in parts]), np.concatenate([part.lengths for part in parts]), of_all)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> Ragged:
        """Some of the rows, by a slice or an array."""
        lengths = self.lengths[rows]
        shapes = None if self.shapes is None else self.shapes[rows]
        return Ragged(self.values[ranges(self.starts[rows], lengths)], lengths, shapes)

    def padded(self, fill: float = 0, length: int | None = None) -> NDArray[Any]:
        """(rows, longest, ...) with `fill` after the end of each row; `length` is at least the longest."""
        longest = int(self.lengths.max(initial=0)) if length is None else length
        out = np.full((len(self), longest, *self.values.shape[1:]), fill, dtype=self.values.dtype)
        out[np.repeat(np.arange(len(self)), self.lengths), self.places] = self.values
        return out


Field = NDArray[Any] | Ragged


def array_of_numbers(value: Any, name: str) -> NDArray[Any]:
    """An input, or that of one row, as an array.

    Raises:
        BadInput: no numbers. ShapeError: rows that differ in more than their length.
    """
    try:
        array = tensor_array(value) if hasattr(value, "detach") else np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"the rows of {name!r} differ in more than their length ({error}); expected one shape beyond it.") from error
    if array.size == 0 and array.dtype.kind == "f" and not hasattr(value, "dtype"):
        return array.astype(np.int64)  # an empty list says nothing of its type
    if array.dtype.kind not in "biuf":
        raise BadInput(f"the input {name!r} holds {array.dtype}; expected numbers. Encode texts with a tokenizer first, or leave it out.")
    return array
