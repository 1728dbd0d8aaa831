"""Columns from which a model learns nothing that holds for other rows: identifiers, dates, constants, and the truth itself."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.arrays import EXACT
from tutelage.data.cells import is_missing

Awkward = tuple[str, str]
"""The name of a column, and what it is, to be read after the name: "is constant"."""

ENOUGH = 20
"""With fewer rows, neither different values nor equal ones prove anything."""

DISTINCT = 0.95
"""Share of different texts from which a column is an identifier."""

COLLISIONS = 10
"""Equal pairs expected among whole numbers drawn from the range of a column, from which having none marks an identifier."""

OFTEN = 10
"""Rows for each value, on average, from which it is no chance that each value goes with one class."""

WORDS = 3
"""Texts of this many words on average are prose: different in each row, and no identifier."""

DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ]\d{1,2}:\d{2}.*)?\s*")


def awkward_columns(rows: Any, truth: ArrayLike | None = None) -> list[Awkward]:
    """The awkward columns of a table, in its order, each with what it is.

    Args:
        rows: a pandas or polars frame, or an array of shape (rows, columns), whose columns are named "0", "1", ...; rows of
            another kind have no columns.
        truth: (rows,) class names or values, or (rows, columns); adds the columns that give the truth away.

    Returns:
        (name, reason) pairs.

    Example:
        >>> import numpy as np
        >>> rows = np.column_stack([np.arange(100), np.zeros(100), np.random.default_rng(0).normal(size=100)])
        >>> awkward_columns(rows)
        [('0', 'is an identifier (100 different whole numbers)'), ('1', 'is constant')]
    """
    found = []
    for name, cells, present in table_columns(rows):
        reason = _given_away(cells, present, truth) or _why_awkward(cells[present], len(cells))
        if reason:
            found.append((name, reason))
    return found


def copies_of_truth(rows: Any, truth: ArrayLike) -> list[Awkward]:
    """The columns that are the truth itself, under the same or other values: no model may have them as a feature.

    Args:
        rows: as in `awkward_columns`.
        truth: (rows,) class names or values, or (rows, columns).
    """
    found = [(name, _given_away(cells, present, truth, copies_only=True)) for name, cells, present in table_columns(rows)]
    return [(name, reason) for name, reason in found if reason]


def identifiers(rows: Any) -> list[str]:
    """Names of the columns whose value names the row."""
    return [name for name, cells, present in table_columns(rows) if len(cells) >= ENOUGH and _identifier(_values(cells[present]))]


def table_columns(rows: Any) -> Iterator[tuple[str, NDArray[Any], NDArray[np.bool_]]]:
    """Yield the name of each column of a table, its cells, and which of them are present."""
    frame = rows.to_pandas() if hasattr(rows, "get_columns") else rows
    if hasattr(frame, "iloc") and frame.ndim == 2:
        for place, name in enumerate(frame.columns):
            column = frame.iloc[:, place]
            yield str(name), column.to_numpy(), column.notna().to_numpy()
    elif isinstance(frame, np.ndarray) and frame.ndim == 2:
        for place, column in enumerate(frame.T):
            objects = column.dtype.kind == "O"
            present = [not is_missing(cell) for cell in column] if objects else column == column  # noqa: PLR0124 - NaN differs from itself
            yield str(place), column, np.asarray(present)


def _values(cells: NDArray[Any]) -> NDArray[Any]:
    """Present cells of objects as numbers or texts, if they are all of one kind; whole numbers as integers."""
    plain = cells.dtype.kind == "O" and all(isinstance(cell, str | int | float) for cell in cells)
    array = np.array(cells.tolist()) if plain else cells
    if array.dtype.kind != "f" or not len(array):
        return array
    whole = np.abs(array).max() < EXACT and (array == np.round(array)).all()  # false for infinite numbers
    return array.astype(np.int64) if whole else array


def _why_awkward(cells: NDArray[Any], count: int) -> str | None:
    if not len(cells):
        return "is empty"
    values = _values(cells)
    if count < ENOUGH:
        return None
    if len(cells) == count and all(cell == cells[0] for cell in cells[1:]):
        return "is constant"
    if _dates(values):
        return "holds dates"
    if _identifier(values):
        return f"is an identifier ({len(set(values.tolist()))} different {'texts' if values.dtype.kind in 'UOST' else 'whole numbers'})"
    return None


def _dates(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "M":
        return True
    if values.dtype.kind in "UOT":
        return all(isinstance(value, datetime.date) or (isinstance(value, str) and DATE.fullmatch(value)) for value in values.tolist())
    if values.dtype.kind in "iu" and len(values) and values.min() >= 19000101 and values.max() <= 21001231:  # such as 20240131
        month, day = values // 100 % 100, values % 100
        return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())
    return False


def _identifier(values: NDArray[Any]) -> bool:
    """Whether the values are there to tell rows apart."""
    count = len(values)
    if count < ENOUGH:
        return False
    if values.dtype.kind in "UT":
        texts = values.tolist()
        return len(set(texts)) >= DISTINCT * count and sum(len(text.split()) for text in texts) < WORDS * count
    if values.dtype.kind not in "iu" or len(np.unique(values)) < count:
        return False
    span = float(values.max()) - float(values.min()) + 1
    return bool((values[1:] > values[:-1]).all()) or count**2 / (2 * span) > COLLISIONS


def _given_away(cells: NDArray[Any], present: NDArray[np.bool_], truth: ArrayLike | None, *, copies_only: bool = False) -> str | None:
    """How a column gives the truth away, if it does."""
    if truth is None or present.sum() < ENOUGH or present.mean() < DISTINCT:
        return None
    values, answers = _values(cells[present]), np.asarray(truth)
    for known in answers.reshape(len(answers), -1)[present].T:
        reason = _repeats(values, _values(known)) or (None if copies_only else _determines(values, _values(known)))
        if reason:
            return reason
    return None


def _repeats(values: NDArray[Any], truth: NDArray[Any]) -> str | None:
    (column, codes), (labels, known) = _coded(values), _coded(truth)
    one_to_one = column == labels == len(np.unique(codes * labels + known)) > 1
    if one_to_one and labels <= len(truth) / OFTEN:
        return "repeats the truth, one value for each class"
    numbers = values.dtype.kind in "biuf" and truth.dtype.kind in "biuf"
    if one_to_one and numbers and labels >= ENOUGH:  # different in each row: one to one means nothing, but the same order does
        order, expected = np.argsort(values), np.argsort(truth)
        if (order == expected).all() or (order == expected[::-1]).all():
            return "repeats the truth, or rises and falls with it exactly"
    return None


def _determines(values: NDArray[Any], truth: NDArray[Any]) -> str | None:
    (column, codes), (labels, known) = _coded(values), _coded(truth)
    if not 1 < labels <= len(truth) / OFTEN or len(np.unique(codes * labels + known)) > column:
        return None
    if column <= len(truth) / OFTEN:
        return f"determines the truth (each of its {column} values goes with one class)"
    changes = np.count_nonzero(np.diff(known[np.argsort(codes, kind="stable")]))
    ranges = values.dtype.kind in "iuf" and changes == labels - 1
    return "determines the truth (its ranges separate the classes without an error)" if ranges else None


def _coded(values: NDArray[Any]) -> tuple[int, NDArray[np.intp]]:
    """The number of different values, and the number of each cell's value; in order for numbers."""
    if values.dtype.kind in "biufUM":
        found, codes = np.unique(values, return_inverse=True)
        return len(found), codes.astype(np.intp)
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(str(value), len(numbers)) for value in values.tolist()], dtype=np.intp)
    return len(numbers), codes
