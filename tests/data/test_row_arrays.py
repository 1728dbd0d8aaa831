import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_arrays import array_of, missing_truth


def test_numbers_beside_texts_stay_numbers():
    assert array_of([["a", 1], ["b", 2.5]]).tolist() == [["a", 1], ["b", 2.5]]
    assert array_of([["a", "b"]]).dtype.kind == "U"


@pytest.mark.parametrize(
    ("masked", "expected", "dtype"),
    [
        (np.ma.array([1, 2], mask=[True, False]), [np.nan, 2], np.float64),
        (np.ma.array([2**53 + 1, 2], mask=[False, True]), [2**53 + 1, np.nan], object),
        (np.ma.array([1, 2], mask=[False, False]), [1, 2], np.int64),
        (np.ma.array([[1.5, 2.5]], mask=[[True, False]]), [[np.nan, 2.5]], np.float64),
    ],
)
def test_hidden_cells_are_missing_and_the_others_are_not_rounded(masked, expected, dtype):
    array = array_of(masked)
    assert array.dtype == dtype
    assert repr(array.tolist()) == repr(np.array(expected, dtype=dtype).tolist())


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ShapeError, match=r"the rows of y do not have the same number of values"):
        array_of([[1, 2], [3]], "the rows of y")


def test_a_tensor_with_a_gradient_is_an_array():
    torch = pytest.importorskip("torch")
    assert array_of(torch.tensor([[1.5, 2.0]], requires_grad=True)).tolist() == [[1.5, 2.0]]
    with pytest.raises(BadInput, match="expected a dense tensor"):
        array_of(torch.eye(2).to_sparse())


def test_an_empty_text_is_a_gap_unless_a_class_has_that_name():
    texts = np.array(["yes", "", "no"], dtype=object)
    assert missing_truth(texts, ["no", "yes"]).tolist() == [False, True, False]
    assert missing_truth(np.array(["yes", "", "no"]), ["no", "yes"]).tolist() == [False, True, False]
    assert not missing_truth(texts, ["", "no", "yes"]).any()


def test_a_row_of_several_labels_or_values_is_a_gap_if_one_is_missing():
    labels = pd.DataFrame({"a": [1, None, 0], "b": [0, 1, 1]}).to_numpy(dtype=object)
    assert missing_truth(labels, ["a", "b"]).tolist() == [False, True, False]
    values = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert missing_truth(values, []).tolist() == [False, True]
