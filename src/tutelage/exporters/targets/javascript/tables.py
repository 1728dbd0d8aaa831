"""A module in the making: its lines and its tables."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.errors import BadInput
from tutelage.exporters.targets import sources
from tutelage.exporters.targets.tables import LITERAL, encoded, narrow

_TYPES = {"b": "Int8Array", "h": "Int16Array", "i": "Int32Array", "f": "Float32Array", "d": "Float64Array"}
EXACT = 2**53
"""Above it, JavaScript does not hold every whole number."""


class Module(sources.Module):
    """A module of JavaScript in the making."""

    line = "const {name} = {expression};"
    spread = "spread"

    def table(self, name: str, values: ArrayLike) -> str:
        """A table of numbers; what it is called."""
        return self.assign(name, numbers(values))

    def assign(self, name: str, expression: str) -> str:
        """A constant; what it is called."""
        name = f"{name}{len(self._results)}"
        self.tables.append(f"const {name} = {expression};\n")
        return name


def numbers(values: ArrayLike) -> str:
    """An expression of an array of numbers."""
    found = narrow(values)
    if len(found) <= LITERAL:
        return f"[{', '.join(map(literal, found.astype(np.float64).tolist()))}]"
    return f'unpack({_TYPES[found.dtype.char]}, "{encoded(found)}")'


def literal(value: Any) -> str:
    """A plain value as JavaScript, in characters that any page may hold.

    Raises:
        BadInput: a whole number that JavaScript does not hold exactly.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return "-0" if str(value) == "-0.0" else str(int(value))
    if isinstance(value, int) and abs(value) > EXACT:
        raise BadInput(f"{value} cannot be written in JavaScript, whose numbers are exact up to 2**53; name the class by a text.")
    return json.dumps(value).replace("<", "\\u003c")
