import tracemalloc
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from tutelage.core.errors import BadInput
from tutelage.data import row_names as names_module
from tutelage.data.row_names import BLOCK_CELLS, RunningName, data_name, row_names
from tutelage.data.rows import as_rows

NUMBERS = np.array([[0.0, 1.5], [-2.0, 0.0], [3.0, np.nan], [3.0, 1e300]])
MIXED = pd.DataFrame({"n": [1, 2, 3], "t": ["a", "b", None], "d": pd.to_datetime(["2026-01-01", "2026-01-02", None])})


@pytest.mark.parametrize(
    "container", [pd.DataFrame, pl.DataFrame, torch.tensor, np.asfortranarray, np.ndarray.tolist, sparse.csr_array, sparse.csc_array]
)
def test_equal_rows_have_equal_names_in_every_container(container):
    np.testing.assert_array_equal(row_names(container(NUMBERS)), row_names(NUMBERS))


def test_equal_numbers_have_equal_names_in_every_dtype():
    whole = np.array([[1, 0], [3, 4]])
    for dtype in ("int8", "uint16", "int64", "float16", "float32", "float64"):
        np.testing.assert_array_equal(row_names(whole.astype(dtype)), row_names(whole))
    np.testing.assert_array_equal(row_names(np.array([[-0.0]])), row_names(np.array([[0.0]])))
    np.testing.assert_array_equal(row_names(np.array([[True]])), row_names(np.array([[1]])))


def test_frames_of_mixed_columns_have_equal_names_in_pandas_polars_and_parts():
    names = row_names(MIXED)
    assert len(set(names.tolist())) == 3
    np.testing.assert_array_equal(row_names(pl.from_pandas(MIXED)), names)
    np.testing.assert_array_equal(row_names(MIXED.iloc[1:]), names[1:])


def test_texts_have_equal_names_in_lists_series_and_columns():
    texts = ["one", "zwei", "três", ""]
    names = row_names(texts)
    assert len(set(names.tolist())) == 4
    for container in (np.array(texts), np.array(texts, dtype=object), pd.Series(texts), pl.Series(texts), pd.DataFrame({"t": texts})):
        np.testing.assert_array_equal(row_names(container), names)


def test_a_text_and_the_number_it_spells_have_different_names():
    assert row_names(["1"])[0] != row_names([[1]])[0]


def test_adjacent_large_integers_have_different_names():
    near = np.array([[2**60], [2**60 + 1], [2**63 - 1], [2**63 - 2]])
    assert len(set(row_names(near).tolist())) == 4
    beyond = np.array([[10**30], [10**30 + 1]], dtype=object)
    assert len(set(row_names(beyond).tolist())) == 2


@given(arrays(np.float64, (6, 3), elements=st.integers(-3, 3).map(float)), st.permutations(range(6)))
def test_names_are_equal_exactly_for_equal_rows_and_follow_their_order(rows, order):
    named = row_names(rows)
    for i in range(6):
        for j in range(6):
            assert (named[i] == named[j]) == bool((rows[i] == rows[j]).all())
    np.testing.assert_array_equal(row_names(rows[order]), named[order])


def test_the_column_of_a_value_matters():
    assert row_names([[1.0, 2.0]])[0] != row_names([[2.0, 1.0]])[0]
    assert row_names([[0.0, 0.0]])[0] != row_names([[0.0]])[0]


@pytest.mark.exhaustive
def test_a_million_small_rows_have_distinct_names():
    grid = np.stack(np.meshgrid(*[np.arange(100)] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(row_names(grid))) == len(grid)


@pytest.mark.parametrize(
    "scale",
    [
        2.0**24 + 1,  # beyond single precision: integers, nearly all of whose low bits are zero
        2.0**40,  # multiples of a power of two, in the high bits only
        1 / 3,  # every low bit in use
        2.0**-30,
    ],
)
def test_rows_that_differ_in_few_bits_have_distinct_names(scale):
    grid = np.stack(np.meshgrid(*[np.arange(60)] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(row_names(grid * scale))) == len(grid)


def test_adjacent_doubles_have_different_names():
    below = np.array([[1.0, 2.0], [1.0, 2.0]]) + np.array([[0.0, 2.0**-50], [2.0**-51, 0.0]])
    assert len(set(row_names(np.concatenate([below, [[1.0, 2.0]]])).tolist())) == 3


def test_names_do_not_depend_on_the_blocks():
    wide = np.random.default_rng(0).normal(size=(3, BLOCK_CELLS // 2))
    np.testing.assert_array_equal(row_names(wide), [row_names(row[None])[0] for row in wide])


@pytest.mark.parametrize("density", [0.0, 0.1, 0.7])
def test_names_of_sparse_rows_do_not_depend_on_the_blocks(monkeypatch, density):
    rows = sparse.random(40, 6, density, format="csr", random_state=0)
    rows.data[::3] = np.round(9 * rows.data[::3])
    whole = row_names(rows)
    np.testing.assert_array_equal(whole, row_names(rows.toarray()))
    for cells in (1, 3, 50):
        monkeypatch.setattr(names_module, "BLOCK_CELLS", cells)
        np.testing.assert_array_equal(row_names(rows), whole)


def test_names_of_a_sparse_matrix_with_duplicates_leave_it_unchanged():
    rows = sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([2, 2, 0]), np.array([0, 3])), shape=(1, 4))
    np.testing.assert_array_equal(row_names(rows), row_names(rows.toarray()))
    assert (rows.data.tolist(), rows.indices.tolist()) == ([1.0, 2.0, 3.0], [2, 2, 0])


@pytest.mark.parametrize("shape", [(1, 100), (50, 3), (5, 1), (13, 7)])
def test_names_do_not_depend_on_the_threads(monkeypatch, shape):
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    one_thread = row_names(rows)
    monkeypatch.setattr(names_module.os, "cpu_count", lambda: 3)
    monkeypatch.setattr(names_module, "THREAD_CELLS", 1)
    np.testing.assert_array_equal(row_names(rows), one_thread)


def test_unsupported_values_are_rejected():
    with pytest.raises(BadInput, match="holds a list"):
        row_names(pd.DataFrame({"a": [[1], [2]]}))
    with pytest.raises(BadInput, match="complex numbers"):
        row_names(np.array([[1j]]))


def test_a_data_name_depends_on_the_rows_and_their_order():
    name = data_name(NUMBERS)
    assert data_name(NUMBERS, block=1) == name
    assert data_name(NUMBERS[::-1]) != name
    assert data_name(NUMBERS[:2]) != name


def test_a_running_name_covers_all_rows_added_so_far():
    running = RunningName()
    running.add(row_names(NUMBERS[:2]))
    assert running.value == data_name(NUMBERS[:2])
    running.add(row_names(NUMBERS[2:]))
    assert running.value == data_name(NUMBERS)


DAY = pd.Timestamp("2020-02-29 12:00", tz="Europe/Berlin")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Series([pd.NaT], dtype="datetime64[ns]"), [np.nan]),
        (pd.Series([pd.NaT], dtype="timedelta64[ns]"), [None]),
        (pd.Series([date(2020, 2, 29)], dtype=object), pd.Series(["2020-02-29"], dtype="datetime64[s]")),
        (pd.Series([DAY]), pd.Series([DAY.tz_convert("UTC")])),
        (pd.Series([DAY]), pd.Series([DAY.tz_convert(None)], dtype="datetime64[us]")),
        (pd.Series([DAY], dtype=object), pd.Series([DAY.tz_convert(None).to_pydatetime()], dtype=object)),
        (pd.Series([timedelta(hours=26)], dtype=object), pd.Series([pd.Timedelta("26h")])),
        (pd.Series([Decimal("1.50")], dtype=object), [1.5]),
        (pd.Series([Decimal(7)], dtype=object), [7]),
        (pd.Series([time(12, 30)], dtype=object), ["12:30:00"]),
    ],
)
def test_the_same_date_time_or_decimal_has_one_name(one, other):
    names = [row_names(pd.DataFrame({"a": pd.Series(cells).to_numpy() if isinstance(cells, list) else cells})) for cells in (one, other)]
    np.testing.assert_array_equal(*names)


def test_huge_whole_numbers_beside_decimals_are_not_rounded():
    frame = pd.DataFrame({"id": [2**60 + 1, 2**60 + 2], "x": [0.5, 0.5]})
    first, second = row_names(frame)
    assert first != second
    np.testing.assert_array_equal(row_names(frame.astype({"id": "Int64"})), [first, second])


BIG = 2**60
MIDNIGHT = datetime(2020, 5, 17)  # noqa: DTZ001 - as most tables hold it
DAY = pd.to_datetime([MIDNIGHT])


def objects(*cells):
    return np.array([[cell] for cell in cells], dtype=object)


def column(values):
    return pd.DataFrame({"a": values})


@pytest.mark.parametrize(
    "holders",
    [
        pytest.param(
            [
                np.array([[BIG]]),
                np.array([[float(BIG)]]),
                np.array([[BIG]], np.uint64),
                objects(BIG),
                objects(Decimal(BIG)),
                pl.DataFrame({"a": [BIG]}),
            ],
            id="a large integer that float64 represents",
        ),
        pytest.param([np.array([[2**63 + 1]], np.uint64), objects(2**63 + 1), objects(np.uint64(2**63 + 1))], id="one that it does not"),
        pytest.param(
            [objects(Decimal("1.50")), np.array([[1.5]]), objects(Fraction(3, 2)), pl.DataFrame({"a": [Decimal("1.50")]})], id="decimals"
        ),
        pytest.param(
            [
                column(DAY),
                column(DAY.astype("datetime64[s]")),
                column(DAY.tz_localize("UTC")),
                column(DAY.tz_localize("UTC").tz_convert("Asia/Tokyo")),
                column([MIDNIGHT]).astype(object),
                column([MIDNIGHT.date()]),
                np.array([["2020-05-17"]], "datetime64[D]"),
                objects(np.datetime64(MIDNIGHT)),
                pl.DataFrame({"a": [MIDNIGHT]}),
                pl.DataFrame({"a": [MIDNIGHT.date()]}),
                pa.table({"a": pa.array([MIDNIGHT.date()], pa.date32())}).to_pandas(),
            ],
            id="a date",
        ),
        pytest.param(
            [np.array([["1500-01-01"]], "datetime64[D]"), objects(date(1500, 1, 1)), pl.DataFrame({"a": [date(1500, 1, 1)]})], id="long ago"
        ),
        pytest.param(
            [column([pd.Timedelta(days=1)]), objects(timedelta(days=1)), pl.DataFrame({"a": [timedelta(days=1)]})], id="a duration"
        ),
        pytest.param(
            [
                column([np.nan]),
                column([None]),
                column([pd.NaT]),
                column(pd.array([None], "Int64")),
                column(pd.to_datetime([None])),
                pl.DataFrame({"a": [None]}),
                np.ma.array([[1.0]], mask=[[True]]),
                np.ma.array([[1]], mask=[[True]]),
            ],
            id="missing",
        ),
        pytest.param(
            [torch.tensor([[0.5]], dtype=torch.bfloat16), torch.tensor([[0.5]], dtype=torch.float16), np.array([[0.5]])],
            id="half precision",
        ),
        pytest.param([[[1, "a"]], [(1, "a")], pd.DataFrame({"x": [1.0], "y": ["a"]})], id="a number beside a text"),
        pytest.param([np.array([[1.5]], np.longdouble), np.array([[1.5]])], id="extended precision"),
    ],
)
def test_a_value_has_one_name_in_every_holder_and_dtype(holders):
    names = [row_names(rows).tolist() for rows in holders]
    assert names == [names[0]] * len(holders)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[2**53], [2**53 + 1], [2**53 + 2], [-(2**53) - 1]]),
        np.array([[2**63 + 1], [2**63 + 3], [2**64 - 1]], np.uint64),
        objects(-(2**63) + 1, 2**63 + 1),
        objects(10**30, 10**30 + 1),
        np.array([["2020-01-01T00:00:00.000000002"], ["2020-01-01T00:00:00.000000003"]], "datetime64[ns]"),
        objects(Decimal("0.1"), 0.1),
        objects(timedelta(seconds=1), np.datetime64(1, "s")),
        np.array([[np.longdouble(1) + np.longdouble(2) ** -60], [1]]),
        objects("1", 1, b"1", "", None),
    ],
    ids=str,
)
def test_different_values_have_different_names(rows):
    assert len(set(row_names(rows).tolist())) == len(rows)


LARGE = [2**53, 2**53 + 1, None]


def _columns_with_gaps():
    masked = np.ma.array([[2**53], [2**53 + 1], [3]], mask=[[False], [False], [True]])
    yield from {
        "objects": np.array(LARGE, dtype=object)[:, None],
        "polars": pl.DataFrame({"id": LARGE}),
        "polars UInt64": pl.DataFrame({"id": pl.Series(LARGE, dtype=pl.UInt64)}),
        "polars Int128": pl.DataFrame({"id": pl.Series(LARGE, dtype=pl.Int128)}),
        "polars series": pl.Series("id", LARGE),
        "pandas": pd.DataFrame({"id": pd.array(LARGE, dtype="Int64")}),
        "pandas UInt64": pd.DataFrame({"id": pd.array(LARGE, dtype="UInt64")}),
        "pandas series": pd.Series(LARGE, dtype="Int64"),
        "pandas of Arrow": pd.DataFrame({"id": pd.array(LARGE, dtype=pd.ArrowDtype(pa.int64()))}),
        "categories": pd.DataFrame({"id": pd.Categorical(pd.array(LARGE, dtype="Int64"))}),
        "Arrow": pa.table({"id": LARGE}),
        "Arrow dictionary": pa.table({"id": pa.array(LARGE).dictionary_encode()}),
        "masked": masked,
        "masked uint64": masked.astype(np.uint64),
    }.items()


@pytest.mark.parametrize(("kind", "rows"), list(_columns_with_gaps()), ids=lambda value: value if isinstance(value, str) else "")
def test_large_whole_numbers_with_gaps_keep_their_digits(kind, rows):
    expected = row_names(np.array([[2**53], [2**53 + 1]], dtype=np.int64)).tolist()
    for names in (row_names(rows), row_names(as_rows(rows).part(0, 3))):
        assert names[:2].tolist() == expected
        assert names[2] == row_names(np.array([[np.nan]]))[0]


def test_cells_that_have_no_name_are_refused_with_their_column():
    array = pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2))
    for frame, seen in (
        (pl.DataFrame({"s": [{"x": 1}]}), "column 's' holds values of type Struct"),
        (pl.DataFrame({"s": array}), "column 's' holds values of type Array"),
        (pl.DataFrame({"s": [[1]]}), "column 's' holds values of type List"),
        (pl.DataFrame({"s": pl.Series([{1}], dtype=pl.Object)}), "column 's': a cell holds a set"),
        (pd.DataFrame({"s": [{"x": 1}]}), "column 's': a cell holds a dict"),
    ):
        with pytest.raises(BadInput, match=f"{seen}.*expected numbers, texts or dates"):
            row_names(frame)


@pytest.mark.filterwarnings("ignore:torch.quantize")
def test_tensors_that_numpy_lacks():
    dense = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    assert row_names(dense.to(torch.float8_e4m3fn)).tolist() == row_names(dense).tolist()
    for tensor in (dense.to_sparse(), dense.to_sparse(1)):
        with pytest.raises(BadInput, match=r"layout torch.sparse_coo; expected a dense tensor: pass tensor.to_dense"):
            row_names(tensor)
        with pytest.raises(BadInput, match="expected a dense tensor"):
            as_rows(tensor)
    with pytest.raises(BadInput, match=r"type torch\.qint8, which NumPy lacks"):
        row_names(torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8))


def test_texts_are_not_held_each_as_long_as_the_longest():
    texts = [f"text {place}" for place in range(2000)] + ["long " * 20_000]
    tracemalloc.start()
    names = row_names(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000  # an array of 2001 x 100 000 characters takes 800 MB
    assert names[:3].tolist() == row_names(np.array(texts[:3])).tolist()
