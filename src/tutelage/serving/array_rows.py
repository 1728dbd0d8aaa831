"""Rows of several arrays in JSON, such as ids and a mask of texts: an object with nested lists of numbers by the name of each input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import MASK, StructuredRows

Numbers = Literal["int64", "float32", "float64", "bool"]
LARGEST = float(np.finfo(np.float32).max)
SAID: dict[Numbers, str] = {
    "int64": "whole numbers",
    "float32": "numbers up to 3.4e38",
    "float64": "finite numbers",
    "bool": "true or false",
}
_CELLS: dict[Numbers, Any] = {
    "int64": Annotated[int, Field(ge=-(2**63), lt=2**63)],
    "float32": Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)],
    "float64": Annotated[float, Field(allow_inf_nan=False)],
    "bool": bool,
}


@dataclass(frozen=True)
class ArrayInput:
    """An input of the file.

    Attributes:
        name: of the input.
        shape: of its array in a row: the length of each axis, or the name of a length that varies from row to row.
        dtype: of its numbers.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: Numbers

    @property
    def varies(self) -> bool:
        """Whether a row may have any number of positions in it."""
        return any(isinstance(length, str) for length in self.shape)

    def type_of_array(self) -> Any:
        """The type of the array in JSON, for pydantic."""
        cells: Any = _CELLS[self.dtype]
        for length in reversed(self.shape):
            bounds = Field(min_length=length, max_length=length) if isinstance(length, int) else Field(min_length=1)
            cells = Annotated[list[cells], bounds]
        return cells

    def example(self) -> Any:
        """A made array: everything counts, and ids are 0."""
        filled = 1 if self.dtype == "bool" or self.name.endswith(MASK) else 0
        return np.full([length if isinstance(length, int) else 1 for length in self.shape], filled, self.dtype).tolist()

    def described(self) -> str:
        """What the array is, in words."""
        lengths = " x ".join(str(length) if isinstance(length, int) else "any length" for length in self.shape)
        of = f"lists of {SAID[self.dtype]}" if len(self.shape) > 1 else f"a list of {SAID[self.dtype]}"
        return f"{self.name!r}: {f'{of} ({lengths})' if self.shape else SAID[self.dtype]}"


def structured(rows: Sequence[dict[str, Any]], inputs: Sequence[ArrayInput]) -> StructuredRows:
    """Parsed rows, as exact as they were sent.

    Raises:
        BadInput: inputs of one row that should have as many positions and do not, lists within one of different lengths, or a mask of other
            numbers than 0 and 1. ShapeError: as `StructuredRows.of`.
    """
    for place, row in enumerate(rows):
        _check_lengths(place if len(rows) > 1 else None, row, inputs)
    exact = {one.name: "float64" if one.dtype == "float32" else one.dtype for one in inputs}  # the teacher reads them too
    return StructuredRows.of({name: [np.asarray(row[name], dtype) for row in rows] for name, dtype in exact.items()})


def _check_lengths(place: int | None, row: dict[str, Any], inputs: Sequence[ArrayInput]) -> None:
    found: dict[str, list[tuple[str, int]]] = {}
    where = "the row" if place is None else f"row {place}"
    for one in inputs:
        cells, lengths = [row[one.name]], set()
        for axis in one.shape:
            lengths = {len(cell) for cell in cells}
            if len(lengths) > 1:
                raise BadInput(f"{where} has lists of different lengths in {one.name!r}; expected one length for each axis.")
            if isinstance(axis, str):
                found.setdefault(axis, []).append((one.name, lengths.pop()))
            cells = [inner for cell in cells for inner in cell]
    for each in found.values():
        for (first, length), (other, another) in pairwise(each):
            if length != another:
                raise BadInput(f"{where} has {length:,} positions in {first!r} and {another:,} in {other!r}; expected as many in both.")
