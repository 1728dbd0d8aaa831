import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from tutelage.core.errors import BadInput, ShapeError
from tutelage.teachers.inputs import errors_as_bad_input, for_booster, for_model, is_frame, row_count, with_column_names

X = np.arange(6.0).reshape(3, 2)
FRAME = pd.DataFrame({"b": X[:, 1], "select": 9.0, "a": X[:, 0]})  # a column may have the name of a method


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME), pa.table(FRAME)], ids=["pandas", "polars", "arrow"])
def test_columns_are_matched_by_name_and_others_dropped(frame):
    selected = for_model(frame, ["a", "b"])
    assert list(selected.columns) == ["a", "b"]
    np.testing.assert_array_equal(selected.to_numpy(), X)


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)])
def test_missing_columns_are_named(frame):
    with pytest.raises(BadInput, match=r"lack the columns 'c', which the teacher was trained on; they have 'b', 'select', 'a'"):
        for_model(frame, ["a", "c"])


@pytest.mark.parametrize("rows", [X, torch.tensor(X), X.tolist(), sparse.csr_matrix(X)], ids=["array", "tensor", "lists", "sparse"])
def test_a_wrong_number_of_columns_is_refused(rows):
    with pytest.raises(BadInput, match="the rows have 2 columns; the teacher was trained on 3: 'a', 'b', 'c'"):
        for_model(rows, ["a", "b", "c"])
    with pytest.raises(BadInput, match=r"the rows have 2 columns; the teacher was trained on 1\."):
        for_model(rows, None, width=1)


def test_a_matrix_gets_the_column_names_of_the_model():
    frame = with_column_names(for_model(torch.tensor(X), ["a", "b"]), ["a", "b"])
    assert list(frame.columns) == ["a", "b"]
    assert with_column_names(X, None) is X


def test_a_frame_for_a_model_without_column_names_becomes_a_matrix():
    np.testing.assert_array_equal(for_model(FRAME[["a", "b"]], None), X)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_single_column_of_texts_becomes_a_list_of_texts(kind):
    assert for_model(kind({"text": ["good", "bad"]}), None) == ["good", "bad"]


def test_a_single_column_of_other_objects_stays_an_array():
    assert isinstance(for_model(pd.DataFrame({"text": ["good", None]}, dtype=object), None), np.ndarray)


def test_texts_become_categories_for_boosters_and_numbers_stay_numbers():
    frame = for_booster(pl.DataFrame({"colour": ["red", "blue"], "size": [1.0, 2.0]}))
    assert str(frame.dtypes["colour"]) == "category"
    assert frame.dtypes["size"] == np.float64
    assert for_booster(X) is X


def test_rows_with_named_columns_are_a_frame():
    assert [is_frame(rows) for rows in (FRAME, pl.from_pandas(FRAME), X, ["text"], FRAME["a"])] == [True, True, False, False, False]


@pytest.mark.parametrize("rows", [X, FRAME, sparse.csr_array(X), torch.tensor(X), pa.table(FRAME), ["a", "b", "c"]])
def test_rows_are_counted_in_every_container(rows):
    assert row_count(rows) == 3


@pytest.mark.parametrize(("rows", "error"), [([], ShapeError), (np.zeros((0, 2)), ShapeError), (7, BadInput), (np.array(7.0), BadInput)])
def test_empty_and_single_values_are_refused(rows, error):
    with pytest.raises(error):
        row_count(rows)


def test_errors_of_other_libraries_become_one_line_and_ours_pass_through():
    with pytest.raises(BadInput, match=r"^the model cannot take these rows \(first second\)\.$"), errors_as_bad_input("the model"):
        raise RuntimeError("first\n second\nStack trace: here")
    with pytest.raises(ShapeError, match="ours"), errors_as_bad_input("the model"):
        raise ShapeError("ours")
