import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from tutelage.core.errors import BadInput, ShapeError
from tutelage.teachers.inputs import for_booster, for_model, framed, is_frame, refusing, row_count

X = np.arange(6.0).reshape(3, 2)
FRAME = pd.DataFrame({"b": X[:, 1], "select": 9.0, "a": X[:, 0]})  # a column may be called like a method


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME), pa.table(FRAME)], ids=["pandas", "polars", "arrow"])
def test_columns_are_found_by_name_and_others_left_out(frame):
    taken = for_model(frame, ["a", "b"])
    assert list(taken.columns) == ["a", "b"]
    np.testing.assert_array_equal(taken.to_numpy(), X)


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)])
def test_missing_columns_are_named(frame):
    with pytest.raises(BadInput, match=r"lack the columns 'c', which the teacher learnt from; they have 'b', 'select', 'a'"):
        for_model(frame, ["a", "c"])


@pytest.mark.parametrize("rows", [X, torch.tensor(X), X.tolist(), sparse.csr_matrix(X)], ids=["array", "tensor", "lists", "sparse"])
def test_a_matrix_of_another_width_is_refused(rows):
    with pytest.raises(BadInput, match="the rows have 2 columns; the teacher learnt from 3: 'a', 'b', 'c'"):
        for_model(rows, ["a", "b", "c"])
    with pytest.raises(BadInput, match=r"the rows have 2 columns; the teacher learnt from 1\."):
        for_model(rows, None, width=1)


def test_a_matrix_gets_the_names_that_the_model_learnt():
    frame = framed(for_model(torch.tensor(X), ["a", "b"]), ["a", "b"])
    assert list(frame.columns) == ["a", "b"]
    assert framed(X, None) is X


def test_a_frame_for_a_model_without_names_is_its_matrix():
    np.testing.assert_array_equal(for_model(FRAME[["a", "b"]], None), X)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_the_one_column_of_texts_is_a_list_of_texts(kind):
    assert for_model(kind({"text": ["good", "bad"]}), None) == ["good", "bad"]


def test_one_column_of_other_objects_is_no_list_of_texts():
    assert isinstance(for_model(pd.DataFrame({"text": ["good", None]}, dtype=object), None), np.ndarray)


def test_texts_become_categories_for_boosters_and_numbers_stay():
    frame = for_booster(pl.DataFrame({"colour": ["red", "blue"], "size": [1.0, 2.0]}))
    assert str(frame.dtypes["colour"]) == "category"
    assert frame.dtypes["size"] == np.float64
    assert for_booster(X) is X


def test_what_has_columns_is_a_frame():
    assert [is_frame(rows) for rows in (FRAME, pl.from_pandas(FRAME), X, ["text"], FRAME["a"])] == [True, True, False, False, False]


@pytest.mark.parametrize("rows", [X, FRAME, sparse.csr_array(X), torch.tensor(X), pa.table(FRAME), ["a", "b", "c"]])
def test_rows_are_counted_whatever_they_are(rows):
    assert row_count(rows) == 3


@pytest.mark.parametrize(("rows", "error"), [([], ShapeError), (np.zeros((0, 2)), ShapeError), (7, BadInput), (np.array(7.0), BadInput)])
def test_no_rows_are_refused(rows, error):
    with pytest.raises(error):
        row_count(rows)


def test_a_foreign_error_becomes_one_line_and_ours_stays():
    with pytest.raises(BadInput, match=r"^the model cannot take these rows \(first second\)\.$"), refusing("the model"):
        raise RuntimeError("first\n second\nStack trace: here")
    with pytest.raises(ShapeError, match="ours"), refusing("the model"):
        raise ShapeError("ours")
