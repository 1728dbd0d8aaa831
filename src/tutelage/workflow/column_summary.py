"""What training saw of each column: enough to say what a student reads, and to draw rows for checking its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import shown
from tutelage.core.errors import BadInput


def summarise_columns(rows: Any, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One entry a column: its name and kind ("number", "category" or "text"), and of numbers the range.

    Args:
        rows: texts, a pandas frame, or a matrix of numbers.
        names: of the columns, where rows do not name them; their places if not given.
    """
    if isinstance(rows, list):
        return [{"name": names[0], "kind": "text"}]
    if hasattr(rows, "iloc"):
        return [_of_values(str(name), rows[name]) for name in rows.columns]
    return [_of_values(names[place] if names else str(place), rows[:, place]) for place in range(rows.shape[1])]


def _of_values(name: str, values: Any) -> dict[str, Any]:
    if getattr(values.dtype, "kind", "O") not in "biuf":
        return {"name": name, "kind": "category"}
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan) if hasattr(values, "iloc") else values.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    whole = bool((known == np.rint(known)).all())
    return {"name": name, "kind": "number", "low": low, "high": high, "whole": whole, "missing": float(np.isnan(numbers).mean())}


def check_numbers(columns: Sequence[Mapping[str, Any]]) -> None:
    """Prove that every column holds numbers, as an exported file takes them.

    Raises:
        BadInput: names the columns that do not.
    """
    others = [column for column in columns if column["kind"] != "number"]
    if others:
        kinds = " and ".join(sorted({"texts" if column["kind"] == "text" else "categories" for column in others}))
        names = shown(tuple(column["name"] for column in others))
        raise BadInput(f"this student reads {kinds} (columns {names}), and an exported file takes numbers only; serve it from its folder.")


def rows_like(columns: Sequence[Mapping[str, Any]], count: int, *, seed: int = 0) -> NDArray[np.float32]:
    """(count, columns) rows drawn evenly within the range of each column, with as many gaps as it had.

    Raises:
        BadInput: a column that holds no numbers.
    """
    check_numbers(columns)
    random = np.random.default_rng(seed)
    drawn = np.empty((count, len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        values = random.uniform(column["low"], column["high"], count)
        values = np.rint(values) if column["whole"] else values
        drawn[:, place] = np.where(random.random(count) < column["missing"], np.nan, values)
    return drawn
