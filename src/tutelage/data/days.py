"""Dates and durations as numbers of days, which models take."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.cells import is_missing

DAY = 86_400e6
"""Microseconds of a day."""


def days_of(column: Any) -> NDArray[np.float64] | None:
    """(rows,) days since 1970-01-01 in UTC with the time of day as a fraction, or days of a duration; NaN where missing.

    Args:
        column: a series of narwhals, of dates, moments or durations, or of Python's objects for them.

    Returns:
        None for a column of anything else.
    """
    import narwhals.stable.v2 as nw

    if column.dtype == nw.Object and holds_times(column):
        column = nw.new_series("", [None if is_missing(cell) else cell for cell in column.to_list()], backend="pyarrow")
    if column.dtype == nw.Duration:
        ticks = column.dt.total_microseconds()
    elif column.dtype in (nw.Date, nw.Datetime):
        ticks = (column.cast(nw.Datetime("us")) if column.dtype == nw.Date else column).dt.timestamp("us")
    else:
        return None
    return np.asarray(ticks.cast(nw.Float64).to_numpy(), dtype=np.float64) / DAY


def holds_times(column: Any) -> bool:
    """Whether all objects in a series of narwhals are dates or moments, or all durations."""
    cells = [cell for cell in column.to_list() if not is_missing(cell)]
    return bool(cells) and any(all(isinstance(cell, kind) for cell in cells) for kind in (date, timedelta))
