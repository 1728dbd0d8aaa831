from datetime import UTC, date, datetime, timedelta

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from tutelage.data.days import days_of, holds_times


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
