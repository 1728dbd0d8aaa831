from datetime import UTC, date, datetime, timedelta

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.data.days import days_of, days_of_text, holds_times
from tutelage.data.tables.column_types import as_type


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series(pd.to_datetime(["1970-01-02 12:00", None])), [1.5, np.nan]),
        (pd.Series(pd.to_datetime(["1970-01-02 01:00+01:00", None], utc=True)), [1.0, np.nan]),
        (pl.Series([date(1969, 12, 31), None]), [-1.0, np.nan]),
        (pd.Series(pd.to_timedelta(["36h", None])), [1.5, np.nan]),
        (pd.Series([datetime(1970, 1, 3, tzinfo=UTC), None], dtype=object), [2.0, np.nan]),
        (pd.Series([pd.Timestamp("1970-01-03"), pd.NaT], dtype=object), [2.0, np.nan]),
        (pd.Series([timedelta(hours=6), None], dtype=object), [0.25, np.nan]),
    ],
)
def test_dates_and_durations_become_days(column, expected):
    np.testing.assert_array_equal(days_of(nw.from_native(column, series_only=True)), expected)


def test_other_columns_have_no_days():
    assert days_of(nw.from_native(pd.Series([1.0]), series_only=True)) is None
    assert days_of(nw.from_native(pd.Series(["1970-01-01", date(1970, 1, 1)], dtype=object), series_only=True)) is None
    assert not holds_times(nw.from_native(pd.Series([None, None], dtype=object), series_only=True))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("date", text) for text in ("2026-03-01", "1965-12-31", "2026-03-01 12:30", "2026-03-01T12:30:15.123456789")),
        *(("date", text) for text in ("2026-03-01T12:30:00Z", "2026-03-01 12:30:00 UTC", "2026-03-01T12:30:00+01:30")),
        *(("duration", text) for text in ("2 days", "1 days 02:00:00", "1 day, 2:00:00", "-1 days +23:00:00", "3 days 00:00:00.25")),
    ],
)
def test_one_text_is_the_days_that_the_column_of_a_file_has(kind, text):
    column = as_type(pa.chunked_array([[text]]), kind, "the column")
    assert days_of_text(text, kind) == days_of(nw.from_native(column, series_only=True))[0]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("date", text) for text in ("", "20260301", "2026-3-1", "2026-02-30", "2026-03-01\n", "1772366400", "2026-03-01T25:00:00")),
        *(("duration", text) for text in ("", "36:00:00", "2", "PT36H", "1 days\n")),
    ],
)
def test_another_spelling_has_no_days(kind, text):
    with pytest.raises(ValueError):  # noqa: PT011 - of any message
        days_of_text(text, kind)
