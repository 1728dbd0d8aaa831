import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.data.cells import cells_of, type_and_levels
from tutelage.data.days import days_of
from tutelage.data.frames import frame_of, in_utc, series_of
from tutelage.data.schema import Column, Schema
from tutelage.students.columns import Numbers, column_kinds

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "+05:30"]
MOMENTS = pd.Series(pd.to_datetime(["1970-01-02 12:00", "2024-07-01 00:30", None], format="mixed", utc=True))
DAYS = [1.5, 19905 + 0.5 / 24, np.nan]


@pytest.mark.parametrize("zone", ZONES)
def test_moments_of_every_zone_are_dates(zone):
    zoned = MOMENTS.dt.tz_convert(zone)
    frame = pd.DataFrame({"seen": zoned, "size": [1.0, 2.0, 3.0]})
    assert type_and_levels(zoned) == ("date", None)
    assert column_kinds(frame) == (["size"], [], ["seen"])
    np.testing.assert_allclose(days_of(series_of(zoned)), DAYS)
    np.testing.assert_allclose(Numbers().transform(frame)[:, 0], DAYS)
    assert cells_of(zoned).dtype.kind == "M"
    assert frame["seen"].dtype == zoned.dtype  # the caller's frame is as it was


@pytest.mark.parametrize("zone", ZONES)
def test_rows_with_a_zone_are_those_of_a_file_of_texts(zone):
    zoned = pd.DataFrame({"seen": MOMENTS.dt.tz_convert(zone)})
    texts = pd.DataFrame({"seen": MOMENTS.dt.strftime("%Y-%m-%dT%H:%M:%SZ")})
    schema = Schema((Column("seen", "date"),))
    for rows in (zoned, texts):
        np.testing.assert_allclose(Numbers().transform(schema.align(rows))[:, 0], DAYS)


def test_other_columns_are_as_they_are():
    plain = MOMENTS.dt.tz_convert(None)
    assert in_utc(plain) is plain
    frame = pd.DataFrame({"seen": plain})
    assert frame_of(frame).to_native() is frame
    assert series_of(pl.Series([1.5])).to_list() == series_of(pa.array([1.5])).to_list() == [1.5]
