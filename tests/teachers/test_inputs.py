import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from tutelage.core.errors import BadInput, ShapeError
from tutelage.teachers.inputs import errors_as_bad_input, frame_or_texts, matrix_of, refuse_dates, row_count, texts_of, with_column_names

X = np.arange(6.0).reshape(3, 2)
FRAME = pd.DataFrame({"b": X[:, 1], "a": X[:, 0]})
GAP = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [0.5, 1.5]})


def test_a_matrix_gets_the_column_names_of_the_model():
    frame = with_column_names(X, ["a", "b"])
    assert list(frame.columns) == ["a", "b"]
    assert with_column_names(X, None) is X


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (FRAME, X[:, ::-1]),
        (pl.from_pandas(FRAME), X[:, ::-1]),
        (pa.table(FRAME), X[:, ::-1]),
        (torch.tensor(X), X),
        (X.tolist(), X),
        (pd.DataFrame(X[:, ::-1], columns=[1, 0]), X),
        (pd.DataFrame(X[:, ::-1], columns=["1", "0"]), X),
        (GAP, [[1.0, 0.5], [np.nan, 1.5]]),
        (pl.from_pandas(GAP), [[1.0, 0.5], [np.nan, 1.5]]),
    ],
    ids=["pandas", "polars", "arrow", "tensor", "lists", "numbered", "numbered by texts", "nullable", "nulls"],
)
def test_a_matrix_is_made_of_any_container(rows, expected):
    np.testing.assert_array_equal(matrix_of(rows), expected)


@pytest.mark.parametrize("rows", [["good", "bad"], np.array(["good", "bad"]), pd.Series(["good", "bad"]), [["good"], ["bad"]]])
@pytest.mark.parametrize("kind", [list, lambda rows: pd.DataFrame({"t": np.ravel(rows)}), lambda rows: pl.DataFrame({"t": np.ravel(rows)})])
def test_texts_come_in_any_container(rows, kind):
    assert texts_of(kind(rows)) == ["good", "bad"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [(FRAME, "one text per row; the rows have 2 columns"), (["good", None], "row 1 is None"), (pd.DataFrame({"t": [7, 8]}), "row 0 is 7")],
)
def test_texts_are_refused_unless_there_is_one_in_each_row(rows, message):
    with pytest.raises(BadInput, match=message):
        texts_of(rows)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_frame_stays_a_frame_unless_it_is_one_column_of_texts(kind):
    assert frame_or_texts(kind({"text": ["good", "bad"]})) == ["good", "bad"]
    for other in (kind({"text": ["good", None]}), kind({"a": ["good", "bad"], "b": ["good", "bad"]}), kind({"a": [1, 2]})):
        assert frame_or_texts(other) is other


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


@pytest.mark.parametrize("rows", [X, FRAME, ["a text"], sparse.csr_matrix(X)])
def test_numbers_and_texts_are_no_dates(rows):
    assert refuse_dates(rows) is None


@pytest.mark.parametrize("rows", [np.zeros((2, 2), "M8[D]"), np.zeros((2, 2), "m8[s]"), pd.DataFrame({"a": [pd.Timestamp("2026-01-01")]})])
def test_dates_are_refused_for_a_model_that_takes_numbers(rows):
    with pytest.raises(BadInput, match=r"(the rows|column 'a') holds? dates, and the model learnt numbers"):
        refuse_dates(rows)
    refuse_dates(rows, set())


def test_dates_are_refused_in_the_columns_of_numbers_only():
    rows = FRAME.assign(a=pd.Timestamp("2026-01-01"))
    for numbers in (None, {"a", "b"}, {1}):
        with pytest.raises(BadInput, match="column 'a' holds dates, and the model learnt numbers"):
            refuse_dates(rows, numbers)
    for numbers in (set(), {"b"}, {0}):
        refuse_dates(rows, numbers)
