"""A C file in the making: its constants, the functions that it needs, and the lines of the function that answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.c_source.functions import FUNCTIONS, NEEDS
from tutelage.exporters.targets.c_source.literals import Real, integer_type, real, table


@dataclass(frozen=True)
class Place:
    """Where the result of a step is: some numbers of an array.

    Attributes:
        array: the name of the array.
        start: the first of them.
        kind: their type.
    """

    array: str
    start: int
    kind: Real

    @property
    def pointer(self) -> str:
        """The first of them, as an address."""
        return f"{self.array} + {self.start}" if self.start else self.array

    def item(self, index: str | int) -> str:
        """One of them."""
        if isinstance(index, int):
            return f"{self.array}[{self.start + index}]"
        return f"{self.array}[{self.start} + {index}]" if self.start else f"{self.array}[{index}]"


class Source:
    """Collects the text of a C file.

    Args:
        program: what is written.
        prefix: what every name in the file begins with.
        number: the type that it computes in.
        cell: the type of the numbers of a row.

    Attributes:
        constants: tables and functions of steps, in order.
        functions: names of the functions that it calls, in `FUNCTIONS`.
        lines: of the function that answers.
    """

    def __init__(self, program: Program, prefix: str, number: Real, cell: Real) -> None:
        self.program = program
        self.prefix = prefix
        self.number: Real = number
        self.cell: Real = cell
        self.constants: list[str] = []
        self.functions: set[str] = set()
        self.lines: list[str] = []

    @property
    def row(self) -> str:
        """The array of the numbers of a row."""
        return "row->numbers" if self.program.texts else "row"

    def text(self, template: str) -> str:
        """Fill in a template.

        `@name` is a name of this file, `@@NAME` one of its macros, `@number` and `@cell` are types, `$1.5` is a number and `$exp(` a
        function of the type that it computes in.
        """
        end = "f" if self.number == "float" else ""
        filled = re.sub(r"@(number|cell)\b", lambda found: self.number if found[1] == "number" else self.cell, template)
        filled = filled.replace("@@", self.prefix.upper() + "_").replace("@", self.prefix + "_")
        filled = re.sub(r"\$([a-z0-9]+)\(", rf"\g<1>{end}(", filled)
        return re.sub(r"\$(\d+\.\d+)", rf"\g<1>{end}", filled)

    def line(self, text: str) -> None:
        """Add a line to the function that answers."""
        self.lines.append(f"    {self.text(text)}\n")

    def each(self, to: Place, count: int, expression: str) -> None:
        """Add a loop over i that sets each number of a result."""
        self.line(f"for (int i = 0; i < {count}; ++i) {to.item('i')} = {expression};")

    def call(self, name: str, *arguments: str) -> str:
        """A call of a function of `FUNCTIONS`, which is added to the file."""
        self.functions |= {name, *NEEDS.get(name, ())}
        return f"@{name}({', '.join(arguments)})"

    def reals(self, values: ArrayLike, kind: Real | None = None) -> str:
        """Add a table of numbers; its name."""
        flat: NDArray[Any] = np.asarray(values).ravel()
        kind = kind or self.number
        return self._table(kind, [real(value, kind) for value in flat])

    def integers(self, values: Iterable[int]) -> str:
        """Add a table of whole numbers, of the smallest type that holds them; its name."""
        whole = [int(value) for value in values]
        return self._table(integer_type(whole), list(map(str, whole)))

    def items(self, kind: str, items: list[str]) -> str:
        """Add a table of anything; its name."""
        return self._table(kind, items)

    def name(self) -> str:
        """A new name for a constant, without the prefix of the file."""
        return f"c{len(self.constants)}"

    def _table(self, kind: str, items: list[str]) -> str:
        name = self.name()
        self.constants.append(table(kind, f"{self.prefix}_{name}", items))
        return f"@{name}"

    def functions_text(self) -> str:
        """The functions that are called, in an order in which each needs only earlier ones."""
        return "\n".join(self.text(FUNCTIONS[name]) for name in FUNCTIONS if name in self.functions)
