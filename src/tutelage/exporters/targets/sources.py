"""A module of a source language in the making, and the results of earlier steps as the text of a later one names them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tutelage.exporters.program.operations import Shape, Terms
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.subject.student_answers import Answers


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


def answers_of(found: Sequence[Any]) -> Answers:
    """What a process that runs a module prints: for each row its answers, its decision and whether it is deferred; None for what is not."""
    values, decided, deferred = found
    return Answers(
        np.array(values, dtype=np.float64),
        None if decided is None else np.array(decided, dtype=np.int64),
        None if deferred is None else np.array(deferred, dtype=np.bool_),
    )


class Module:
    """The lines of the function that answers a row, and the tables that it reads, in the making.

    Attributes:
        lines: one for each step; the result of step 3 is called `v3`.
        tables: how each table is declared.
    """

    line: ClassVar[str]
    """How a result gets its name."""
    spread: ClassVar[str]
    """The function that makes a dense vector of a sparse one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: list[str] = []
        self._results: list[Source] = []

    def add(self, step: Step, written: Callable[..., str]) -> None:
        """Add the next step of the program; `written` gives its expression, from this module, the operation and its sources."""
        expression = written(self, step.operation, *(self._results[each] for each in step.sources))
        name, sparse = f"v{len(self._results)}", isinstance(expression, Sparse)
        self.lines.append(self.line.format(name=name, expression=expression))
        source = Source(name, name, step.shape, sparse)
        self._results.append(Source(name, f"{self.spread}({name}, {source.size})", step.shape, sparse) if sparse else source)
