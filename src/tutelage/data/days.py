"""Dates and durations as numbers of days, which models take."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.data.cells import is_missing
from tutelage.data.tables.column_types import DATE, DURATION, MOMENT, ZONED

DAY = 86_400e6
"""Microseconds of a day."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATES, _DURATIONS = re.compile(f"{DATE}|{MOMENT}|{ZONED}"), re.compile(DURATION)


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


def days_of_text(text: str, kind: Literal["date", "duration"]) -> float:
    """The number of days that one text stands for, spelt as in the files of a table.

    Args:
        text: such as "2026-03-01", "2026-03-01T12:30:00Z" or "1 days 02:00:00".
        kind: "date", also a time on a date, or "duration".

    Raises:
        ValueError: another spelling, or a day that does not exist.

    Example:
        >>> days_of_text("1970-01-02 12:00", "date"), days_of_text("2 days", "duration")
        (1.5, 2.0)
    """
    found = (_DATES if kind == "date" else _DURATIONS).fullmatch(text)
    if found is None:
        raise ValueError(text)
    if kind == "date":
        moment = datetime.fromisoformat(re.sub(r" ?UTC$", "Z", text))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) / DAY
    parts = (float(found[name] or 0) * unit for name, unit in (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)))
    return round(sum(parts) * 1e6) / DAY
