"""Columns from which a student learns nothing that holds for other rows: constants, identifiers, dates, copies of the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_ROWS = 20
"""In fewer rows, distinct values do not make a column an identifier."""
MOSTLY = 0.95
"""Share of distinct texts from which they count as identifiers."""
ISO_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?$"


def awkward_columns(frame: Any, truth: NDArray[Any] | None = None) -> list[tuple[str, str]]:
    """Name the columns of a frame that should not be features, each with the reason.

    Args:
        frame: a pandas or polars frame, or an Arrow table; rows without column names yield nothing.
        truth: (rows,) ground truth, to find columns that repeat it.

    Returns:
        Pairs of a column name and a reason that completes "column ...": "holds a single value".

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"id": [f"c{row:03}" for row in range(30)], "x": [1.5, 2.5, 0.5] * 10, "version": 2})
        >>> awkward_columns(frame)
        [('id', 'holds 30 different texts in 30 rows: an identifier'), ('version', 'holds a single value')]
    """
    if not hasattr(frame, "columns") or not len(frame):
        return []
    import narwhals.stable.v2 as nw

    found = []
    for place, name in enumerate(frame.columns):
        column = nw.from_native(frame.iloc[:, place] if hasattr(frame, "iloc") else frame[name], allow_series=True)
        reason = next((reason for test in _TESTS if (reason := test(column, truth)) is not None), None)
        if reason is not None:
            found.append((str(name), reason))
    return found


def _constant(column: Any, truth: NDArray[Any] | None) -> str | None:
    known = column.drop_nulls()
    if len(known) == 0:
        return "holds no value"
    return "holds a single value" if len(known) == len(column) and known.n_unique() == 1 and len(column) > 1 else None


def _copy_of_truth(column: Any, truth: NDArray[Any] | None) -> str | None:
    if truth is None or truth.ndim != 1 or len(truth) != len(column):
        return None
    cells = column.to_numpy()
    try:
        codes, values = np.unique(cells.astype(str) if cells.dtype.kind == "O" else cells, return_inverse=True)
        true_codes, classes = np.unique(truth.astype(str) if truth.dtype.kind == "O" else truth, return_inverse=True)
    except TypeError:
        return None
    pairs = len(np.unique(values * len(true_codes) + classes))
    if len(true_codes) < 2 or len(codes) != len(true_codes) or pairs != len(codes):
        return None
    return "determines the ground truth in every row: it is the truth itself, or a code of it"


def _date(column: Any, truth: NDArray[Any] | None) -> str | None:
    if column.dtype.is_temporal():
        return None if "Duration" in str(column.dtype) else "holds dates, and later rows lie outside the days that were learnt"
    known = _texts(column)
    if known is not None and known.str.contains(ISO_DATE).all():
        return "holds dates as texts, each of which becomes a category of its own"
    return None


def _identifier(column: Any, truth: NDArray[Any] | None) -> str | None:
    count = len(column)
    if count < FEWEST_ROWS:
        return None
    texts = _texts(column)
    if texts is not None:
        distinct = texts.n_unique()
        return f"holds {distinct} different texts in {count} rows: an identifier" if distinct >= MOSTLY * count else None
    if not column.dtype.is_integer() or column.null_count() or column.n_unique() < count:
        return None
    values = np.sort(column.to_numpy().astype(np.float64))
    if np.array_equal(values, values[0] + np.arange(count)) or (np.diff(column.to_numpy().astype(np.float64)) > 0).all():
        return f"holds {count} different whole numbers in {count} rows: an identifier"
    return None


def _texts(column: Any) -> Any:
    """The texts of a column without missing values; None for a column of other values."""
    import narwhals.stable.v2 as nw

    known = column.drop_nulls()
    if column.dtype in (nw.Categorical, nw.Enum, nw.Object):
        known = nw.new_series("", [str(value) for value in known.to_list()], nw.String, backend="pyarrow") if len(known) else known
    return known if len(known) and known.dtype == nw.String else None


_TESTS: tuple[Callable[[Any, NDArray[Any] | None], str | None], ...] = (_constant, _copy_of_truth, _date, _identifier)
