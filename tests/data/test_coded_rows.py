from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes

from tutelage.core.errors import BadInput
from tutelage.data.coded_rows import encode_rows

frames = data_frames(
    [
        column("size", dtype=np.float32, elements=st.one_of(st.just(np.nan), st.floats(-1000, 1000, width=32))),
        column("count", dtype=np.int16, elements=st.integers(-50, 50)),
        column("kind", elements=st.sampled_from(["oak", "fir", "élan", None]), dtype=object),
        column("wet", dtype=bool),
    ],
    index=range_indexes(min_size=1, max_size=10),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(frames)
@pytest.mark.exhaustive
def test_a_frame_is_restored_from_its_cells(frame):
    frame = frame.assign(tree=frame["kind"].astype("category"), score=frame["count"].astype("Int64").mask(frame["wet"]))
    table = encode_rows(frame, categorical=("count",))
    pd.testing.assert_frame_equal(table.restore(table.cells), frame)
    assert table.categorical.tolist() == [False, True, True, True, True, False]
    np.testing.assert_array_equal(np.isnan(table.cells), frame.isna().to_numpy())


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1.5, 2.0], [np.nan, 3.0]], dtype=np.float16),
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        np.array([["a", "b"], ["c", "b"]]),
        np.array([[True, False], [True, True]]),
        np.array([[1, 2.5, "x"], [2, np.nan, None]], dtype=object),
        np.arange(12, dtype=np.uint8).reshape(2, 1, 2, 3),
    ],
    ids=lambda X: f"{X.dtype} {X.shape}",
)
def test_an_array_is_restored_from_its_cells(X):
    table = encode_rows(X)
    restored = table.restore(table.cells)
    assert (restored.dtype, restored.shape) == (X.dtype, X.shape)
    restored, X = (rows.reshape(len(rows), -1) for rows in (restored, X))
    pd.testing.assert_frame_equal(pd.DataFrame(restored), pd.DataFrame(X))


def test_declared_columns_are_categorical_and_the_others_numeric():
    table = encode_rows(np.array([[10, 7], [30, 7], [10, 9]]), categorical=(0,))
    assert table.cells.tolist() == [[0, 7], [1, 7], [0, 9]]
    assert table.levels.tolist() == [2, 0]
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert (
        encode_rows(frame, categorical=("b",)).categorical.tolist()
        == encode_rows(frame, categorical=(1,)).categorical.tolist()
        == [False, True]
    )


def test_integers_are_rounded_and_clipped_to_the_original_range():
    table = encode_rows(np.array([[1, 5], [3, 5]]))
    assert table.restore(np.array([[1.6, 9.0], [-7.0, 5.4]])).tolist() == [[2, 5], [1, 5]]


def test_mean_and_deviation_ignore_missing_cells():
    table = encode_rows(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]))
    assert table.mean.tolist() == [2, 0]
    assert table.deviation.tolist() == [1, 0]


def test_unsupported_tables_and_infinite_numbers_are_rejected():
    import polars as pl

    with pytest.raises(BadInput, match=r"pass X.to_pandas\(\)"):
        encode_rows(pl.DataFrame({"a": [1]}))
    with pytest.raises(BadInput, match="column 'a' holds an infinite number"):
        encode_rows(pd.DataFrame({"a": [np.inf]}))


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA, pd.NaT, Decimal("nan")])
def test_every_kind_of_gap_is_missing_among_objects(gap):
    coded = encode_rows(np.array([[1, "a"], [gap, gap], [3, "b"]], dtype=object))
    assert coded.levels.tolist() == [0, 2]
    np.testing.assert_array_equal(coded.cells, [[1, 0], [np.nan, np.nan], [3, 1]])


@pytest.mark.parametrize("categorical", [np.array([0]), pd.Index([0]), range(1), {0}, {0: "code"}.keys()])
def test_declared_columns_come_in_any_container_that_can_be_read_again(categorical):
    assert encode_rows(np.array([[10, 7], [30, 9]]), categorical).categorical.tolist() == [True, False]


@pytest.mark.parametrize("categorical", [iter([0]), "0", 0, np.array(0), {0: 1}])
def test_other_declarations_of_columns_are_refused(categorical):
    with pytest.raises(BadInput, match="expected a list of columns"):
        encode_rows(np.array([[10, 7], [30, 9]]), categorical)
