import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.core.errors import BadInput
from tutelage.data.cells import (
    MOST_LEVELS,
    cells_of,
    codes,
    dates,
    durations,
    exact_numbers,
    is_missing,
    labels,
    numbers,
    texts,
    truth_values,
    type_and_levels,
    type_of_dtype,
    type_of_objects,
)

NAN = float("nan")
GAPS = [None, NAN, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT"), Decimal("nan"), Decimal("snan")]


def column(*cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


@pytest.mark.parametrize("gap", GAPS)
def test_every_kind_of_gap_is_missing(gap):
    assert is_missing(gap)


@pytest.mark.parametrize("cell", [0, "", "nan", False, 0.0, [], Decimal(0)])
def test_other_cells_are_not_missing(cell):
    assert not is_missing(cell)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (column(1, 2.5, np.int8(3), np.float32(0.5), True, Decimal("1.25")), [1, 2.5, 3, 0.5, 1, 1.25]),
        (column("1", " 2.5 ", "-1e3", "+.5", "1."), [1, 2.5, -1000, 0.5, 1]),
        (column("7", *GAPS[:5]), [7, NAN, NAN, NAN, NAN, NAN]),
        (np.array([True, False]), [1, 0]),
        (np.array([1, 2], dtype=">i2"), [1, 2]),
        (column(2**60), [float(2**60)]),
    ],
    ids=["numbers", "texts", "gaps", "truth values", "big-endian", "large"],
)
def test_numbers_are_converted_exactly(cells, expected):
    converted = numbers(cells, "a")
    assert converted.dtype.isnative
    np.testing.assert_array_equal(converted, expected)


@pytest.mark.parametrize("dtype", ["i1", "u8", "f2", "f4", "i8"])
def test_numbers_of_numpy_keep_their_dtype(dtype):
    assert numbers(np.ones(3, dtype), "a").dtype == dtype


@pytest.mark.parametrize(
    "cell",
    [
        10**400,
        "?",
        "",
        "1,5",
        "1_000",
        "0x10",
        "True",
        b"1",
        datetime.date(2026, 1, 1),
        pd.Timestamp("2026-01-01"),
        np.timedelta64(3, "s"),
        1j,
        (1,),
    ],
    ids=lambda cell: repr(cell)[:20],
)
def test_a_cell_that_is_no_number_is_named(cell):
    with pytest.raises(BadInput, match=r"^column 'age' holds .* in row 1; expected numbers\. Convert the column, or leave"):
        numbers(column(1, cell, 2), "age")


@pytest.mark.parametrize("unit", ["D", "ns"])
def test_dates_are_no_numbers(unit):
    with pytest.raises(BadInput, match="column 'age' holds"):
        numbers(np.array(["2026-01-01"], dtype=f"datetime64[{unit}]"), "age")


def test_cells_without_a_hash_are_refused():
    with pytest.raises(BadInput, match="column 'age' holds cells of type list"):
        numbers(column([1], [2]), "age")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (column(True, 0, 1.0, "true", "False", None, np.True_), [1, 0, 1, 1, 0, NAN, 1]),
        (np.array([1.0, 0.0, NAN]), [1, 0, NAN]),
        (np.array([True, False]), [1, 0]),
    ],
)
def test_truth_values(cells, expected):
    np.testing.assert_array_equal(truth_values(cells, "flag"), expected)


@pytest.mark.parametrize("cell", [2, "yes", 0.5])
def test_other_values_are_not_truth_values(cell):
    with pytest.raises(BadInput, match=r"column 'flag' holds .* in row 1; expected true and false"):
        truth_values(column(True, cell), "flag")


def test_texts_are_texts_and_numbers_are_not():
    assert texts(column("a", None, np.str_("7")), "t").tolist() == ["a", None, "7"]
    with pytest.raises(BadInput, match="column 't' holds 7 in row 1; expected texts"):
        texts(column("a", 7), "t")


def test_labels_are_whole_numbers_and_texts():
    assert labels(column(3, np.int8(4), "x", True), "c").tolist() == [3, 4, "x", 1]
    for cell in (3.0, None, NAN):
        with pytest.raises(BadInput, match=r"column 'c' holds .* in row 0; expected whole numbers or texts"):
            labels(column(cell), "c")


@pytest.mark.parametrize(
    ("levels", "cells", "expected"),
    [
        ([3, 1, 7], column(3, 3.0, np.int8(7), "1", "7.0", np.float32(1)), [0, 0, 2, 1, 2, 1]),
        ([3, 1, 7], np.array([7.0, NAN, 2.0]), [2, -1, -1]),
        ([0.5, 1.5], column("0.5", 1.5, Decimal("0.5")), [0, 1, 0]),
        (["3", "1"], column(3, 1.0, "1", np.int64(3)), [0, 1, 1, 0]),
        (["red", "blue"], column("blue", np.str_("red"), "green", None), [1, 0, -1, -1]),
        ([False, True], column(True, 0, "true", "False", np.True_), [1, 0, 1, 0, 1]),
        (["False", "True"], column(True, False, "True"), [1, 0, 1]),
        (["nan", "x"], column("nan", NAN), [0, -1]),
        (["a", 1], column("a", 1, "1", "b", 2), [0, 1, 1, -1, -1]),
    ],
    ids=["whole", "float cells", "fractions", "texts of numbers", "texts", "truth values", "texts of them", "a text nan", "mixed"],
)
def test_categories_are_matched_by_value(levels, cells, expected):
    assert codes(cells, levels, "c").tolist() == expected


@pytest.mark.parametrize(
    ("levels", "cell"),
    [([3, 1], "red"), (["red", "blue"], 3), (["red", "blue"], True), (["3", "3.0"], 3), ([3, 1], pd.Timestamp("2026-01-01"))],
)
def test_cells_of_another_type_than_the_categories_are_refused(levels, cell):
    with pytest.raises(BadInput, match=r"column 'c' holds .* in row 1; expected the categories"):
        codes(column(None, cell), levels, "c")


def test_an_unseen_category_is_refused_on_request():
    assert codes(column("x", "y"), ["x"], "c").tolist() == [0, -1]
    with pytest.raises(BadInput, match="column 'c' holds 'y' in row 1; expected the categories 'x'"):
        codes(column("x", "y"), ["x"], "c", refuse_unseen=True)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pd.Series([1, None], dtype="Int64"), [1.0, NAN]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (pd.Series([0.5, None], dtype="Float32"), [0.5, NAN]),
        (pd.Series([1.5, 0.0], dtype=pd.SparseDtype("float", 0.0)), [1.5, 0.0]),
        (pd.Series([3, 1, None], dtype="category"), [3.0, 1.0, NAN]),
        (pl.Series([1, None]), [1.0, NAN]),
    ],
    ids=["Int64 with a gap", "Int64", "Float32", "sparse", "categories", "polars"],
)
def test_columns_of_numbers_are_numbers(series, expected):
    cells = cells_of(series)
    assert cells.dtype.kind in "if"
    np.testing.assert_array_equal(cells, expected)


@pytest.mark.parametrize("series", [pd.Series(["a", "b"], dtype="string"), pd.Series(["a", "b"], dtype="category"), pl.Series(["a", "b"])])
def test_columns_of_texts_are_objects(series):
    assert cells_of(series).dtype == object
    assert cells_of(series).tolist() == ["a", "b"]


@pytest.mark.parametrize("column", [pl.Series([2**53 + 1, None]), pd.Series([2**53 + 1, None], dtype="Int64")])
def test_large_whole_numbers_beside_gaps_keep_their_digits_where_they_are_categories(column):
    assert cells_of(column, exact=True).tolist() == [2**53 + 1, None]
    assert codes(cells_of(column, exact=True), [2**53, 2**53 + 1], "id").tolist() == [1, -1]
    assert cells_of(column).dtype == np.float64


def test_whole_numbers_in_texts_keep_their_digits():
    assert exact_numbers(column(str(2**60 + 1), "2.5", None), "id").tolist()[:2] == [2**60 + 1, 2.5]
    assert exact_numbers(column("3", "2.5"), "id").dtype == np.float64
    with pytest.raises(BadInput, match="column 'id' holds 'x' in row 0; expected numbers"):
        exact_numbers(column("x"), "id")


BOUND = 2**53


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("spelt", ["{}", " {} ", "{}.0", "{}e0", "{}0E-1"])
def test_a_whole_number_that_a_float_rounds_to_another_one_is_not_that_one(spelt, sign):
    numbers = [sign * (BOUND + step) for step in range(3)]
    assert exact_numbers(column(*map(spelt.format, numbers)), "id").tolist() == numbers
    assert codes(column(*map(spelt.format, numbers)), numbers, "id").tolist() == [0, 1, 2]
    assert codes(column(*numbers), list(map(spelt.format, numbers)), "id").tolist() == [0, 1, 2]
    assert codes(column(spelt.format(numbers[1])), numbers[::2], "id").tolist() == [-1]


@pytest.mark.parametrize("number", [1e300, -1.5e19, 1.2345678901234567e19, float(BOUND), BOUND + 2.0, 0.1, float("inf")])
def test_a_float_is_the_number_that_it_is_written_as(number):
    assert exact_numbers(column(repr(number), "1"), "id").tolist() == [number, 1]
    assert codes(column(repr(number)), [number, 1], "id").tolist() == [0]


def test_numbers_beyond_all_floats():
    assert exact_numbers(column("9" * 400, "1e400", Decimal(BOUND + 1), Decimal("1e400")), "id").tolist() == [
        10**400 - 1,
        float("inf"),
        BOUND + 1,
        float("inf"),
    ]


def test_dates_and_durations_are_read_from_texts():
    assert dates(column("2020-01-02", None), "day").astype(str).tolist() == ["2020-01-02", "NaT"]
    assert dates(column("2020-01-02 10:00:00+02:00"), "day").astype("datetime64[s]").astype(str).tolist() == ["2020-01-02T08:00:00"]
    assert durations(column("1 days 00:00:01", None), "took").astype("timedelta64[s]").astype(str).tolist() == ["86401 seconds", "NaT"]
    assert np.isnat(dates(column(None, NAN), "day")).all()
    for convert, cell in ((dates, "soon"), (dates, 7), (dates, "1 days"), (durations, "2020-01-01"), (durations, "7")):
        with pytest.raises(BadInput, match=f"column 't' holds {cell!r} in row 1; expected {convert.__name__}"):
            convert(column(None, cell), "t")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", None, NAN], "text"),
        ([datetime.time(1), "b"], "text"),
        ([True, np.False_], "boolean"),
        ([True, 2, 2.5, np.int8(1), Decimal(1)], "number"),
        ([datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), pd.Timestamp(0)], "date"),
        ([datetime.timedelta(1), pd.Timedelta(1)], "duration"),
        (["a", 1], "any"),
        ([[1]], "any"),
        ([None, NAN, pd.NaT], "any"),
    ],
)
def test_the_type_of_objects(cells, expected):
    assert type_of_objects(cells) == expected
    assert type_and_levels(pd.Series(cells, dtype=object)) == (expected, None)


def test_the_type_of_objects_does_not_depend_on_the_first_rows():
    assert type_and_levels(pd.Series([None] * 500 + [1.5], dtype=object)) == ("number", None)
    assert type_and_levels(pd.Series(["a"] * 500 + [1.5], dtype=object)) == ("any", None)


def test_the_categories_of_polars_are_those_of_the_column():
    pl.Series(["other"], dtype=pl.Categorical)
    assert type_and_levels(pl.Series(["b", "a", None, "b"], dtype=pl.Categorical)) == ("category", ("b", "a"))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series(["b", "a"], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))), ("category", ("b", "a"))),
        (pa.array(["b", "a"]).dictionary_encode(), ("category", ("b", "a"))),
        (pa.array([1.5, None]), ("number", None)),
        (pd.Series(pd.arrays.SparseArray([0.0, 1.0])), ("any", None)),
        (pd.Series(pd.period_range("2020", periods=2)), ("any", None)),
        (pd.Series([1j]), ("any", None)),
        (pl.Series([[1]]), ("any", None)),
        (pd.Series(pd.Categorical([None])), ("category", ())),
    ],
)
def test_columns_of_rare_types_have_a_type(column, expected):
    assert type_and_levels(column) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (range(MOST_LEVELS), "category"),
        (range(MOST_LEVELS + 1), "number"),
        ([f"t{number}" for number in range(MOST_LEVELS + 1)], "text"),
        ([1, 2, np.inf], "any"),
    ],
)
def test_categories_are_listed_if_they_are_few_and_finite(levels, expected):
    kind, listed = type_and_levels(pd.Series(pd.Categorical([], categories=list(levels))))
    assert (kind, listed is not None) == (expected, expected == "category")


@pytest.mark.parametrize("holder", [pd.DataFrame, pl.DataFrame])
def test_the_type_of_a_dtype_is_that_of_its_columns(holder):
    moment, duration = np.datetime64("2026-01-01T00:00:00").item(), datetime.timedelta(5)
    frame = holder({"b": [True], "i": [1], "f": [0.5], "t": ["x"], "d": [moment], "s": [duration]})
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        assert type_of_dtype(dtype) == type_and_levels(frame[name])[0] != "any"
