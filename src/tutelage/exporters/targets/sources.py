"""Results of earlier steps, as the text of a later one names them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tutelage.exporters.program.operations import Shape, Terms
from tutelage.exporters.program.program import Program


@dataclass(frozen=True)
class Source:
    """The result of an earlier step.

    Attributes:
        name: of the variable that holds it.
        full: an expression of all its numbers.
        shape: for one row.
        sparse: whether the variable maps places to numbers, and the others are zeros; otherwise it holds them all.
    """

    name: str
    full: str
    shape: Shape
    sparse: bool = False

    @property
    def size(self) -> int:
        """Number of its numbers."""
        return math.prod(self.shape)


class Sparse(str):
    """An expression whose value maps places to numbers."""

    __slots__ = ()


def plane(lengths: Shape, first: int) -> Shape:
    """Lengths, strides or paddings along one or two axes, as those of a picture; a line has `first` along the other axis."""
    return lengths if len(lengths) == 2 else (first, *lengths)


_UNITS = {
    "date": "days since 1970-01-01 in UTC, with the time of day as a fraction",
    "duration": "days",
    "boolean": "0 or 1",
}
"""What a file takes for a column of another type than numbers and texts."""


def column_units(program: Program, host: str) -> list[str]:
    """Sentences about the columns, for the head of a file: what is not what it seems."""
    found = [
        f"Column {place if one.name is None else one.name!r} takes {_UNITS[one.type]}."
        for place, one in enumerate(program.inputs)
        if one.type in _UNITS
    ]
    if any(isinstance(step.operation, Terms) for step in program.steps):
        found.append(f"Words are made of letters and digits of the Unicode version of the {host} that runs this.")
    return found
