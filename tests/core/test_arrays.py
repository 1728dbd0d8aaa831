import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.core.arrays import as_matrix, check_finite, check_probabilities, is_frame, one_hot, same_length, softmax
from tutelage.core.errors import BadInput, NotProbabilities, ShapeError


def test_softmax_is_stable_preserves_the_dtype_and_sums_to_one():
    p = softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], dtype=np.float32))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, [[0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(softmax([[1, 2]]), [[1 / (1 + np.e), np.e / (1 + np.e)]])


def test_softmax_of_minus_infinity_is_zero_and_of_nan_is_nan():
    np.testing.assert_allclose(softmax([[-np.inf, 0.0]]), [[0.0, 1.0]])
    assert np.isnan(softmax([[np.nan, 0.0]])).all()


def test_one_hot_sets_the_column_of_the_label():
    np.testing.assert_array_equal(one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "message"), [([0, 3], "run from 0 to 3"), ([-1], "run from -1"), ([0.5], "float64"), ([[0]], r"\(1, 1\)")]
)
def test_one_hot_rejects_invalid_labels(labels, message):
    with pytest.raises(BadInput, match=message):
        one_hot(labels, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, 0.5], [0.7, 0.7]], r"1 of 2 rows are not probabilities \(row 1 is \[0.7, 0.7\]\)"),
        ([[1.5, -0.5]], "row 0"),
        ([[np.nan, 1.0]], "nan"),
        ([[np.inf, 0.0]], "inf"),
        ([[3.0, -2.0]], "softmax once"),
    ],
)
def test_the_error_names_rows_that_are_not_probabilities(rows, message):
    with pytest.raises(NotProbabilities, match=message):
        check_probabilities(rows)


def test_half_precision_probabilities_are_accepted():
    p = np.random.default_rng(0).dirichlet(np.ones(10), 100).astype(np.float16)
    assert check_probabilities(p).dtype == np.float16


@pytest.mark.parametrize("values", [[1.0, 0.0], np.empty((0, 2)), np.empty((2, 0)), np.ones((1, 1, 1))])
def test_an_array_that_is_not_a_matrix_is_rejected_with_its_shape(values):
    with pytest.raises(ShapeError, match=r"answers has shape \("):
        as_matrix(values, "answers")


def test_the_error_names_the_first_row_that_is_not_finite():
    with pytest.raises(BadInput, match=r"logits: 2 of 3 rows hold NaN or inf \(first: row 1\)"):
        check_finite([[0.0], [np.nan], [np.inf]], "logits")
    assert check_finite([[1]], "logits").dtype == np.float64


def test_arrays_of_unequal_length_are_rejected():
    with pytest.raises(ShapeError, match="inputs and labels have 3 and 2 rows"):
        same_length([1, 2, 3], [1, 2], "inputs and labels")


def test_frames_and_tables_are_frames_and_no_array_is():
    frame = pd.DataFrame({"a": [1]})
    assert all(map(is_frame, (frame, pl.from_pandas(frame), pa.table(frame))))
    assert not any(map(is_frame, (np.ones((2, 2)), ["text"], frame["a"], pl.Series([1]))))
