import numpy as np
import pytest

from tutelage.core.arrays import as_matrix, check_finite, check_probabilities, one_hot, same_length, softmax
from tutelage.core.errors import BadInput, NotProbabilities, ShapeError


def test_softmax_is_stable_keeps_the_dtype_and_sums_to_one():
    p = softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], dtype=np.float32))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, [[0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(softmax([[1, 2]]), [[1 / (1 + np.e), np.e / (1 + np.e)]])


def test_softmax_of_minus_infinity_is_zero_and_of_nan_is_nan():
    np.testing.assert_allclose(softmax([[-np.inf, 0.0]]), [[0.0, 1.0]])
    assert np.isnan(softmax([[np.nan, 0.0]])).all()


def test_one_hot_puts_the_one_where_the_label_says():
    np.testing.assert_array_equal(one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(("labels", "said"), [([0, 3], "run from 0 to 3"), ([-1], "run from -1"), ([0.5], "float64"), ([[0]], r"\(1, 1\)")])
def test_one_hot_refuses_what_is_no_label(labels, said):
    with pytest.raises(BadInput, match=said):
        one_hot(labels, 3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[0.5, 0.5], [0.7, 0.7]], r"1 of 2 rows are not probabilities \(row 1 is \[0.7, 0.7\]\)"),
        ([[1.5, -0.5]], "row 0"),
        ([[np.nan, 1.0]], "nan"),
        ([[np.inf, 0.0]], "inf"),
        ([[3.0, -2.0]], "softmax once"),
    ],
)
def test_rows_that_are_not_probabilities_are_named(rows, said):
    with pytest.raises(NotProbabilities, match=said):
        check_probabilities(rows)


def test_half_precision_probabilities_pass():
    p = np.random.default_rng(0).dirichlet(np.ones(10), 100).astype(np.float16)
    assert check_probabilities(p).dtype == np.float16


@pytest.mark.parametrize("values", [[1.0, 0.0], np.empty((0, 2)), np.empty((2, 0)), np.ones((1, 1, 1))])
def test_what_is_no_matrix_is_refused_with_its_shape(values):
    with pytest.raises(ShapeError, match=r"answers has shape \("):
        as_matrix(values, "answers")


def test_the_first_row_that_is_not_finite_is_named():
    with pytest.raises(BadInput, match=r"logits: 2 of 3 rows hold NaN or inf \(first: row 1\)"):
        check_finite([[0.0], [np.nan], [np.inf]], "logits")
    assert check_finite([[1]], "logits").dtype == np.float64


def test_rows_that_do_not_pair_up_are_refused():
    with pytest.raises(ShapeError, match="inputs and labels have 3 and 2 rows"):
        same_length([1, 2, 3], [1, 2], "inputs and labels")
