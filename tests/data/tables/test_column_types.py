import datetime
import re

import pyarrow as pa
import pytest

from tutelage.core.errors import BadInput
from tutelage.data.tables.column_types import SAMPLE, TYPES, as_type, inferred, type_of


def texts(*cells):
    return pa.chunked_array([list(cells)], type=pa.string())


UTC = datetime.UTC


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "", "3"], [1, None, 3]),
        (["1", "2.5", "1e-3", "inf", "-inf", "+4.5"], [1, 2.5, 0.001, float("inf"), -float("inf"), 4.5]),
        ([" 1", "2 "], [1, 2]),
        (["18446744073709551615", "1"], [2**64 - 1, 1]),
        (["True", "NA", "false"], [True, None, False]),
        (["2020-01-31", None], [datetime.date(2020, 1, 31), None]),
        (
            ["2020-01-31 12:00", "2020-02-01T00:00:00.5"],
            [datetime.datetime.fromisoformat("2020-01-31T12:00"), datetime.datetime.fromisoformat("2020-02-01T00:00:00.5")],
        ),
        (["2020-01-31 12:00:00+02:00", "2020-01-31T10:00:00Z"], [datetime.datetime(2020, 1, 31, 10, tzinfo=UTC)] * 2),
        (
            ["1 days 02:00:00", "-1 days +23:00:00", "2 days"],
            [datetime.timedelta(hours=26), datetime.timedelta(hours=-1), datetime.timedelta(2)],
        ),
        (["", "nan", "NULL", None], [None] * 4),
        (["a", "NA", "", "None"], ["a", None, None, None]),
    ],
)
def test_texts_become_what_they_stand_for(cells, values):
    assert inferred(texts(*cells)).to_pylist() == values


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "8"],
        ["12e5", "34e1"],
        ["+4915112345678", "+4930123456"],
        ["123456789012345678901", "123456789012345678902"],
        ["1", "two"],
        ["2020-02-31", "2020-02-01"],
        ["12:30:00", "01:00:00"],
        ["1,5", "2"],
        ["true", "maybe"],
    ],
)
def test_texts_that_lose_something_as_numbers_or_dates_stay_texts(cells):
    assert inferred(texts(*cells)).to_pylist() == cells


@pytest.mark.parametrize(
    ("column", "wanted", "values"),
    [
        (texts("007", "NA", None), "text", ["007", "NA", None]),
        (texts("007", "NA", "12e5"), "number", [7, None, 1_200_000]),
        (texts("123456789012345678901"), "number", [123456789012345678901.0]),
        (texts("1", "0", ""), "boolean", [True, False, None]),
        (texts("3", "1"), "category", [3, 1]),
        (texts("2020-01-01"), "date", [datetime.date(2020, 1, 1)]),
        (texts("1 days"), "duration", [datetime.timedelta(1)]),
        (pa.chunked_array([[1, 2]]), "text", ["1", "2"]),
        (pa.chunked_array([[1, 0, None]]), "boolean", [True, False, None]),
        (pa.chunked_array([[True, False]]), "number", [1, 0]),
        (pa.chunked_array([pa.array([datetime.time(12, 30)], pa.time64("us"))]), "text", ["12:30:00"]),
        (pa.chunked_array([["b", "a"]]).dictionary_encode(), "text", ["b", "a"]),
        (pa.chunked_array([["2", "1"]]).dictionary_encode(), "number", [2, 1]),
        (pa.chunked_array([pa.nulls(2)]), "number", [None, None]),
    ],
)
def test_a_declared_type_is_converted_exactly(column, wanted, values):
    assert as_type(column, wanted, "column 'a' of t.csv").to_pylist() == values


@pytest.mark.parametrize(
    ("column", "wanted", "message"),
    [
        (texts("1", None, "x2", "y"), "number", "holds 'x2' in row 2, and numbers are expected"),
        (texts("1", "2"), "boolean", "holds '2' in row 1, and booleans are expected"),
        (texts("2020-01-01", "soon"), "date", "holds 'soon' in row 1, and dates are expected"),
        (pa.chunked_array([[1, 2]]), "boolean", "holds numbers, and booleans are expected"),
        (pa.chunked_array([[datetime.date(2020, 1, 1)]]), "number", "holds dates, and numbers are expected"),
        (pa.chunked_array([[1.5]]), "date", "holds numbers, and dates are expected"),
        (pa.chunked_array([[[1]]]), "text", "cannot be read as texts"),
    ],
)
def test_a_cell_of_another_type_is_named(column, wanted, message):
    with pytest.raises(BadInput, match=re.escape(f"column 'a' of t.csv {message}")):
        as_type(column, wanted, "column 'a' of t.csv")


def test_every_type_of_arrow_has_a_type():
    found = {
        type_of(kind)
        for kind in (
            pa.int8(),
            pa.float16(),
            pa.decimal128(4, 2),
            pa.bool_(),
            pa.dictionary(pa.int8(), pa.string()),
            pa.large_string(),
            pa.date64(),
            pa.timestamp("s", "UTC"),
            pa.duration("s"),
        )
    }
    assert found == set(TYPES)
    assert type_of(pa.null()) is type_of(pa.list_(pa.int8())) is type_of(pa.binary()) is None


ODD = [
    *("x", "007", "0x1F", "12e5", "1,5", "1.5", "+1", "NAN", "Nan", "-INFINITY", "inf", "1.5e400", "true", "-9223372036854775809"),
    *("2020-01-01", "20200101", "2020-01-01 10", "2020-01-01T10:00:00", "2020-01-01 10:00Z", "2020-01-01 10:00:00.123456789"),
    *("0000-01-01", "1 days"),
]


@pytest.mark.parametrize("odd", ODD)
def test_the_order_of_the_rows_does_not_decide_about_a_type(odd):
    for usual in ("7", "7.5", "2020-01-01", "2020-01-01 10:00", "2020-01-01 10:00Z", "true", "2 days"):
        late, early = (inferred(texts(*cells)) for cells in ([usual] * (SAMPLE + 1) + [odd], [odd] + [usual] * (SAMPLE + 1)))
        assert (late.type, late[-1].cast(pa.string())) == (early.type, early[0].cast(pa.string()))
        assert late.type != pa.string() or (late[0].as_py(), late[-1].as_py()) == (usual, odd)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["7.5", "-INFINITY", "+inf"], pa.float64()),
        (["7.5", "NAN"], pa.string()),
        (["7.5", "1.5e400"], pa.string()),
        (["2020-01-01", "2020-01-01 10:00"], pa.timestamp("us")),
        (["2020-01-01 10", "2020-01-01 10:00"], pa.string()),
        (["2020-01-01", "2020-01-01T10:00Z"], pa.string()),
        (["2020-01-01", "0000-01-01"], pa.string()),
        (["0001-01-01", "9999-12-31"], pa.date32()),
        (["2020-01-01T00:00Z", "0001-01-01T00:00:00+05:00"], pa.string()),
        (["1 days", "99999999999 days"], pa.string()),
    ],
)
def test_all_cells_have_to_be_of_a_type(cells, kind):
    assert inferred(texts(*cells)).type == inferred(texts(*cells[::-1])).type == kind


@pytest.mark.parametrize(
    ("wanted", "cell"), [("date", "0000-01-01"), ("number", "NAN"), ("number", "1.5e400"), ("duration", "99999999999 days")]
)
def test_a_late_cell_that_is_none_of_a_declared_type_is_named(wanted, cell):
    usual = {"date": "2020-01-01", "number": "7.5", "duration": "1 days"}[wanted]
    with pytest.raises(BadInput, match=re.escape(f"column 'a' of t.csv holds '{cell}' in row {SAMPLE + 1}, and {wanted}s are expected")):
        as_type(texts(*[usual] * (SAMPLE + 1), cell), wanted, "column 'a' of t.csv")


@pytest.mark.parametrize(
    ("wanted", "cells", "pair"),
    [
        ("date", ["2020-02-01", "2020-01-31", None, "2020-01-31T12:00:00Z"], "'2020-02-01' in row 0 and '2020-01-31T12:00:00Z' in row 3"),
        ("date", ["2020-01-31 12:00Z", "2020-01-31 12:00"], "'2020-01-31 12:00Z' in row 0 and '2020-01-31 12:00' in row 1"),
        ("date", ["1600-01-01 10:00", "2020-01-01", "2020-01-01 10:00:00.123456789"], "'1600-01-01 10:00' in row 0 and '2020-01-01 10"),
        ("date", ["2020-01-01 10:00:00.123456789Z", "9999-01-01 10:00Z"], "'2020-01-01 10:00:00.123456789Z' in row 0 and '9999"),
        ("boolean", ["True", "1", "0"], "'True' in row 0 and '1' in row 1"),
    ],
)
def test_two_cells_that_do_not_go_together_are_named(wanted, cells, pair):
    with pytest.raises(BadInput, match=re.escape(f"column 'a' of t.csv holds {pair}") + ".*s but do not go together. Write all"):
        as_type(texts(*cells), wanted, "column 'a' of t.csv")


def test_a_whole_number_beyond_all_bounds_is_named():
    with pytest.raises(BadInput, match=f"holds '{'9' * 400}' in row 1, and numbers are expected"):
        as_type(texts("1", "9" * 400), "number", "column 'a' of t.csv")
