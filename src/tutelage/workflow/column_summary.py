"""A summary of each training column: the columns that a student reads, and the ranges from which to draw rows to check its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, require
from tutelage.data.days import DAY
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.structured import StructuredRows
from tutelage.students.columns import Numbers, column_kinds


def summarise_columns(rows: Any, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One entry per column: its name, its kind ("number", "category", "date" or "text"), and for numbers and dates the range.

    Each number of a picture is a column. Dates are days since 1970. Categories are not listed: a summary holds no cells. Of rows of several
    inputs, each is an entry of the kind "input", with the shape of a row, None for a length that varies.

    Args:
        rows: texts, a pandas frame, an array of numbers (rows, ...), or several inputs.
        names: column names for rows without names; the column indices by default.
    """
    if isinstance(rows, list):
        return [{"name": names[0], "kind": "text"}]
    if isinstance(rows, StructuredRows):
        return [{"name": name, "kind": "input", "shape": list(shape)} for name, shape in RowInputs.of(rows).shapes.items()]
    if hasattr(rows, "iloc"):
        numbers, _, dates = column_kinds(rows)
        return [
            _of_numbers(str(name), Numbers().transform(rows[[name]])[:, 0], "date" if name in dates else "number")
            if name in numbers or name in dates
            else {"name": str(name), "kind": "category"}
            for name in rows.columns
        ]
    flat = rows.reshape(len(rows), -1)
    return [_of_numbers(names[place] if names else str(place), flat[:, place]) for place in range(flat.shape[1])]


def _of_numbers(name: str, values: NDArray[Any], kind: str = "number") -> dict[str, Any]:
    numbers = values.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    whole = bool((known == np.rint(known)).all())
    return {"name": name, "kind": kind, "low": low, "high": high, "whole": whole, "missing": float(np.isnan(numbers).mean())}


def rows_like(
    columns: Sequence[Mapping[str, Any]],
    count: int,
    *,
    levels: Mapping[str, Sequence[Any]],
    shape: Sequence[int] | None = None,
    seed: int = 0,
) -> Any:
    """Draw rows uniformly within the range of each column, with its share of missing values.

    Args:
        columns: as from `summarise_columns`.
        count: number of rows.
        levels: the known categories of each column of categories.
        shape: of a row, if it has more axes than one.
        seed: of the draws.

    Returns:
        (count, columns) or (count, *shape) float32 if all columns are numbers, otherwise a pandas frame.

    Raises:
        BadInput: the rows are texts or several inputs, which cannot be drawn.
    """
    inputs = [column["name"] for column in columns if column["kind"] == "input"]
    if inputs:
        raise BadInput(f"this student reads the inputs {', '.join(inputs)}, which cannot be made up; pass --data with a file of them.")
    texts = [column["name"] for column in columns if column["kind"] == "text"]
    if texts:
        raise BadInput(f"this student reads texts (column {texts[0]!r}), which cannot be made up; pass --data with a file of texts.")
    random = np.random.default_rng(seed)
    drawn = {column["name"]: _drawn(column, count, random, levels) for column in columns}
    if all(column["kind"] == "number" for column in columns):
        numbers = np.column_stack(list(drawn.values())).astype(np.float32)
        return numbers if shape is None else numbers.reshape(count, *shape)
    return require("pandas").DataFrame(drawn)


def _drawn(column: Mapping[str, Any], count: int, random: np.random.Generator, levels: Mapping[str, Sequence[Any]]) -> NDArray[Any]:
    if column["kind"] == "category":
        known = np.array([None, *levels[column["name"]]], dtype=object)
        return np.asarray(known[random.integers(len(known), size=count)])
    values = random.uniform(column["low"], column["high"], count)
    values = np.rint(values) if column["whole"] else values
    values = np.where(random.random(count) < column["missing"], np.nan, values)
    if column["kind"] == "number":
        return values
    days = np.where(np.isnan(values), 0, np.round(values * DAY)).astype("timedelta64[us]")
    return np.where(np.isnan(values), np.datetime64("NaT"), np.datetime64("1970-01-01", "us") + days)
