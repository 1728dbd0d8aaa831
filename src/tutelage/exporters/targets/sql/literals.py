"""Numbers, texts and names as SQL writes them, in a form that every database reads alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, shown
from tutelage.data.schema import listed

LARGEST = 1.7976931348623157e308
FEW = 15
"""Significant digits that any database reads exactly."""
TERMS = 100
"""Largest number of terms of a flat sum: databases limit the depth of expressions to 1000."""


def number(value: float) -> str:
    """A number in double precision; with an exponent, because DuckDB takes 0.1 for a decimal."""
    value = float(value)
    if np.isnan(value):
        return "NULL"
    if np.isinf(value):
        raise BadInput("this student cannot be written in SQL: it computes with an infinite number.")
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def exact_number(value: float) -> str:
    """A number that is compared with cells.

    SQLite may read the shortest digits of a double as its neighbour; 18 digits are far enough from the middle between both.
    """
    short = number(value)
    return short if sum(map(str.isdigit, short.partition("e")[0])) <= FEW else f"{float(value):.17e}"


def text(value: str) -> str:
    """A text.

    Raises:
        BadInput: one that no database holds.
    """
    _check_characters(value)
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """The name of a column or of a table.

    Raises:
        BadInput: a name that no database has.
    """
    if not value:
        raise BadInput("a column or table without a name cannot be written in SQL; rename it.")
    _check_characters(value)
    return '"' + value.replace('"', '""') + '"'


def _check_characters(value: str) -> None:
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise BadInput(f"{shown(value)} cannot be written in SQL: it holds the character 0, or half of a character.")


def labels(classes: Sequence[Any]) -> list[str]:
    """The names of the classes, which are the cells of one column.

    Raises:
        BadInput: as `label`, or texts or truth values beside others.
    """
    kinds = {type(one).__name__ if isinstance(one, str | bool) else "number" for one in classes}
    if len(kinds) > 1:
        raise BadInput(
            f"the classes {listed(classes)} cannot be written in SQL, where the cells of a column are of one type; train with classes that "
            "are all texts, or all numbers."
        )
    return list(map(label, classes))


def label(value: Any) -> str:
    """The name of a class.

    Raises:
        BadInput: a text that no database holds, or a whole number beyond 64 bits.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return str(value).upper()
    if not isinstance(value, int):
        return number(value)
    if not -(2**63) <= value < 2**63:
        raise BadInput(f"class {value} cannot be written in SQL, whose whole numbers have 64 bits; train with a class that is a text.")
    return str(value)


def double(expression: str) -> str:
    """An expression in double precision, where PostgreSQL would compute with decimals."""
    return f"CAST({expression} AS DOUBLE PRECISION)"


def total(terms: Sequence[str]) -> str:
    """A sum without deep nesting."""
    if len(terms) <= TERMS:
        return " + ".join(terms)
    return total([f"({' + '.join(terms[start : start + TERMS])})" for start in range(0, len(terms), TERMS)])
