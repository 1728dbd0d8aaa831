"""A summary of each training column: the columns that a student reads, and the ranges from which to draw rows to check its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import list_classes
from tutelage.core.errors import BadInput
from tutelage.students.columns import Numbers, column_kinds


def summarise_columns(rows: Any, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One entry per column: its name, its kind ("number", "category", "date" or "text"), and for numbers the range.

    Args:
        rows: texts, a pandas frame, or a matrix of numbers.
        names: column names for rows without names; the column indices by default.
    """
    if isinstance(rows, list):
        return [{"name": names[0], "kind": "text"}]
    if hasattr(rows, "iloc"):
        numbers, _, dates = column_kinds(rows)
        return [
            _of_numbers(str(name), Numbers().transform(rows[[name]])[:, 0])
            if name in numbers
            else {"name": str(name), "kind": "date" if name in dates else "category"}
            for name in rows.columns
        ]
    return [_of_numbers(names[place] if names else str(place), rows[:, place]) for place in range(rows.shape[1])]


def _of_numbers(name: str, values: NDArray[Any]) -> dict[str, Any]:
    numbers = values.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    whole = bool((known == np.rint(known)).all())
    return {"name": name, "kind": "number", "low": low, "high": high, "whole": whole, "missing": float(np.isnan(numbers).mean())}


def check_numbers(columns: Sequence[Mapping[str, Any]]) -> None:
    """Check that every column is numeric, as an exported file requires.

    Raises:
        BadInput: some columns are not; the message names them.
    """
    others = [column for column in columns if column["kind"] != "number"]
    if others:
        kinds = " and ".join(sorted({{"text": "texts", "date": "dates"}.get(column["kind"], "categories") for column in others}))
        names = list_classes(tuple(column["name"] for column in others))
        raise BadInput(
            f"this student reads {kinds} (columns {names}), but an exported file takes numbers only; use the student from its folder."
        )


def rows_like(columns: Sequence[Mapping[str, Any]], count: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Draw (count, columns) rows uniformly within the range of each column, with its share of missing values.

    Raises:
        BadInput: a column is not numeric.
    """
    check_numbers(columns)
    random = np.random.default_rng(seed)
    drawn = np.empty((count, len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        values = random.uniform(column["low"], column["high"], count)
        values = np.rint(values) if column["whole"] else values
        drawn[:, place] = np.where(random.random(count) < column["missing"], np.nan, values)
    return drawn
