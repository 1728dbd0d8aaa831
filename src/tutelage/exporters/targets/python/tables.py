"""A module in the making: its lines and its tables."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from tutelage.exporters.targets import sources
from tutelage.exporters.targets.tables import LITERAL, encoded, narrow

WIDTH = 100
"""Characters of a line of a table."""


class Module(sources.Module):
    """A module of Python in the making."""

    line = "{name} = {expression}"
    spread = "_spread"

    def table(self, name: str, values: ArrayLike) -> str:
        """A table of numbers; what it is called."""
        numbers = narrow(values)
        if len(numbers) <= LITERAL:
            return self.assign(name, wrapped([literal(value) for value in numbers.tolist()]))
        lines = textwrap.wrap(encoded(numbers), WIDTH)
        text = "\n".join(f'    "{line}"' for line in lines)
        return self.assign(name, f'_unpack(\n    "{numbers.dtype.char}",\n{text},\n)')

    def assign(self, name: str, expression: str) -> str:
        """A constant; what it is called."""
        name = f"_{name}_{len(self._results)}"
        self.tables.append(f"{name} = {expression}\n")
        return name


def literal(value: Any) -> str:
    """A plain value as Python."""
    if isinstance(value, float) and not math.isfinite(value):
        return "math.nan" if math.isnan(value) else "math.inf" if value > 0 else "-math.inf"
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in value or text[0] == '"' else f'"{text[1:-1]}"'.replace("\\'", "'")
    return repr(value)


def wrapped(parts: Sequence[str], brackets: str = "()") -> str:
    """Some expressions as a tuple, or in other brackets, on several lines if one is too long."""
    inner = ", ".join(parts)
    if len(inner) < WIDTH:
        return f"{brackets[0]}{inner}{',' if len(parts) == 1 else ''}{brackets[1]}"
    lines, line = [], ""
    for part in parts:
        if line and len(line) + len(part) + 2 > WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {part}," if line else f"{part},"
    return brackets[0] + "\n" + "".join(f"    {each}\n" for each in [*lines, line]) + brackets[1]
