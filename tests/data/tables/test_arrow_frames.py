import datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from tutelage.core.errors import BadInput
from tutelage.data.tables.arrow_frames import frame_of

DAY = datetime.date(2020, 1, 1)


@pytest.mark.parametrize(
    ("column", "dtype", "values"),
    [
        (pa.array([1, None]), "float64", [1.0, None]),
        (pa.array([2**60 + 1, None]), "Int64", [2**60 + 1, None]),
        (pa.array([2**64 - 1, None], pa.uint64()), "UInt64", [2**64 - 1, None]),
        (pa.nulls(2), "float64", [None, None]),
        (pa.array([Decimal("1.50"), None]), "float64", [1.5, None]),
        (pa.array([Decimal("7"), Decimal("8")]), "int64", [7, 8]),
        (pa.array([datetime.time(12, 30), None], pa.time64("us")), "str", ["12:30:00", None]),
        (pa.array([datetime.time(12, 30, 0, 500_000)], pa.time64("us")), "str", ["12:30:00.500000"]),
        (pa.array([DAY, None]), "datetime64[ms]", [pd.Timestamp(DAY), None]),
    ],
)
def test_columns_take_a_type_that_every_format_has(column, dtype, values):
    found = frame_of(pa.table({"a": column}))["a"]
    assert str(found.dtype) == dtype
    assert [None if gap else value for value, gap in zip(found, found.isna(), strict=True)] == values


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1], [2]]), "column 'a' holds values of type list<"),
        (pa.array([{"x": 1}]), "column 'a' holds values of type struct<"),
        (pa.array([Decimal(10**30)]), "column 'a' holds whole numbers of more than 64 bits"),
    ],
)
def test_a_column_that_no_model_takes_is_named(column, message):
    with pytest.raises(BadInput, match=message):
        frame_of(pa.table({"a": column}))
