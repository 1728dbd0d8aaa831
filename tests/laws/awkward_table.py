"""A table of every awkward column: 24 rows of numbers, texts, categories and dates as they come in real files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

ROWS = 24


@dataclass(frozen=True)
class Awkward:
    """A column: the cells, which are repeated to `ROWS`; the type to declare where a text file does not tell it; whether polars has
    it, and whether students take it.
    """

    cells: Sequence[Any]
    dtype: Any = None
    declared: str | None = None
    in_polars: bool = True
    for_students: bool = True

    def series(self) -> pd.Series:
        cells = [self.cells[row % len(self.cells)] for row in range(ROWS)]
        return pd.Series(cells, dtype=self.dtype)


_T = pd.Timestamp
_D = pd.Timedelta

COLUMNS = {
    # numbers
    "whole": Awkward([3, -1, 4, 1]),
    "whole with gaps": Awkward([3, None, 4], float),
    "nullable Int64": Awkward([3, None, 4], "Int64"),
    "huge Int64 with gaps": Awkward([2**60 + 1, None, 2**60 + 2], "Int64"),
    "huge whole": Awkward([2**62 + 1, 2**62 + 2]),
    "unsigned": Awkward([2**64 - 1, 2**63 + 1, 5], "uint64"),
    "int8": Awkward([-128, 127], "int8"),
    "decimals": Awkward([0.1, 2.5, -7.25e-3]),
    "decimals with gaps": Awkward([0.1, None, 2.5]),
    "infinite": Awkward([1.5, np.inf, -np.inf, np.nan], for_students=False),
    "negative zero": Awkward([-0.0, 0.0, 1.0]),
    "denormal": Awkward([5e-324, 1e-300, 1.0]),
    "large decimals": Awkward([1e300, 1.7976931348623157e308, 1e22], for_students=False),
    "float32": Awkward([0.5, 1.25, -3.0], "float32"),
    "Float64": Awkward([0.5, None, 2.0], "Float64"),
    "decimal objects": Awkward([Decimal("1.50"), None, Decimal("-2.25")], object),
    "whole decimal objects": Awkward([Decimal(7), Decimal(8)], object),
    "truth value": Awkward([True, False, False]),
    "truth value with gaps": Awkward([True, None, False], object),
    "nullable boolean": Awkward([True, None, False], "boolean"),
    "constant": Awkward([5]),
    "all NaN": Awkward([np.nan]),
    "all None": Awkward([None], object),
    "row number": Awkward(range(ROWS)),
    # texts
    "text": Awkward(["red", "blue", "green"]),
    "text with gaps": Awkward(["red", None, "blue"]),
    "pyarrow string": Awkward(["red", None, "blue"], "string[pyarrow]"),
    "object text": Awkward(["red", None, "blue"], object),
    "constant text": Awkward(["same"]),
    "padded": Awkward(["007", "012", "7"]),
    "code like a number": Awkward(["12e5", "34e1", "1e5"]),
    "long digits": Awkward(["123456789012345678901", "123456789012345678902"]),
    "telephone": Awkward(["+4915112345678", "+4930123456"]),
    "digits as text": Awkward(["1", "2", "10"], declared="text"),
    "NA is a text": Awkward(["NA", "DE", "FR"], declared="text"),
    "other cases of NA": Awkward(["na", "Na", "nA", "x"]),
    "dates as text": Awkward(["2020-01-01", "2021-02-03"], declared="text"),
    "truth as text": Awkward(["True", "False"], declared="text"),
    "times as text": Awkward(["12:30", "01:15"]),
    "unicode": Awkward(["Ärger", "日本", "👩‍🚀", "e\u0301"]),
    "quotes": Awkward(['say "x"', "it's", '"']),
    "line breaks": Awkward(["a\nb", "c\r\nd", "e"]),
    "separators": Awkward(["a,b", "a;b", "a\tb", "a|b"]),
    "spaces": Awkward([" a", "a ", "a"]),
    "long text": Awkward(["x" * 5000, "y"]),
    "free text": Awkward([f"comment {row}" for row in range(ROWS)]),
    # categories
    "category": Awkward(["a", "b"], "category"),
    "category with gaps": Awkward(["a", None, "b"], "category"),
    "ordered category": Awkward(["low", "high"], pd.CategoricalDtype(["low", "mid", "high"], ordered=True)),
    "category of numbers": Awkward([3, 7], "category", declared="category", in_polars=False),
    # dates and times
    "day": Awkward([_T("2020-02-29"), _T("1969-12-31")]),
    "day with gaps": Awkward([_T("2020-02-29"), None]),
    "moment": Awkward([_T("2020-02-29 12:34:56"), _T("2020-03-01 01:02:03.5")]),
    "nanoseconds": Awkward([_T("2020-02-29 12:34:56.123456789"), _T("2020-03-01 00:00:00.000000001")]),
    "zoned": Awkward([_T("2020-02-29 12:00", tz="Europe/Berlin"), _T("2020-07-01 12:00", tz="Europe/Berlin")]),
    "date object": Awkward([date(2020, 2, 29), None, date(1900, 1, 1)], object),
    "duration": Awkward([_D(hours=26), _D(minutes=-90), None]),
    "duration object": Awkward([timedelta(hours=26), timedelta(days=1)], object),
    "time of day": Awkward([time(12, 30), time(1, 15, 30)], object),
    # names
    "name with [brackets], <commas>": Awkward([1.5, 2.5]),
    'name with "quotes"\nand a line break': Awkward([1.5, 2.5]),
    "名前 é": Awkward([1.5, 2.5]),
    " space before": Awkward([1.5, 2.5]),
    "a=b": Awkward([1.5, 2.5]),
    "index": Awkward([9, 4, 6]),
}
"""Columns of which every holder gives the same rows."""

REFUSED = {
    "list": Awkward([[1, 2], [3, 4]], object),
    "struct": Awkward([{"x": 1}, {"x": 2}], object),
    "mixed": Awkward([1, "a"], object),
    "bytes": Awkward([b"ab", b"\xff"], object),
    "complex": Awkward([1 + 2j, 3j]),
}
"""Columns that are refused by name wherever a holder has such a type; a text file holds texts there."""


def frame(columns: dict[str, Awkward]) -> pd.DataFrame:
    """The table as a pandas frame."""
    return pd.DataFrame({name: column.series() for name, column in columns.items()})
