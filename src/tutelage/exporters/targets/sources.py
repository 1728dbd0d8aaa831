"""Results of earlier steps, as the text of a later one names them."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.exporters.program.operations import Shape


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
        size = 1
        for length in self.shape:
            size *= length
        return size


class Sparse(str):
    """An expression whose value maps places to numbers."""

    __slots__ = ()
