import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.core.answer_values.named_columns import (
    are_numbers,
    column_names,
    columns_in_order,
    columns_like,
    order_by_name,
    order_in_frame,
)
from tutelage.core.errors import LabelMismatch

WORDS = {"what": "the columns", "remedy": "Rename them."}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_all_kinds_have_names(frame):
    assert column_names(frame({"b": [1], "a": [2]})) == ["b", "a"]


def test_columns_that_are_numbered_have_no_names():
    assert are_numbers(column_names(pd.DataFrame(np.zeros((1, 2)))))
    assert are_numbers(column_names(pl.DataFrame(np.zeros((1, 2)))))
    assert not are_numbers(["0", "2"])


@pytest.mark.parametrize(
    ("given", "expected", "order"),
    [
        (["b", "a"], ("a", "b"), [1, 0]),
        (["1", "0"], (0, 1), [1, 0]),
        (["y_a", "y_b"], ("a", "b"), None),
        ([0, 1], (1, 0), [1, 0]),
        ([0, 1], (1, 2), None),
        ([1, "1"], ("1", 1), [1, 0]),
    ],
    ids=["names", "numbers as texts", "other names", "numbers that are classes", "numbers of places", "names that differ in their type"],
)
def test_names_are_matched_and_others_left_in_their_order(given, expected, order):
    assert order_by_name(given, expected, **WORDS) == order


@pytest.mark.parametrize("given", [["a", "c"], ["a"], ["a", "b", "b"], ["a", "b", "c"]], ids=str)
def test_a_mix_of_names_is_refused(given):
    with pytest.raises(LabelMismatch, match=r"^the columns are \[.*\]; expected \['a', 'b'\]: missing .*, extra .*\. Rename them\.$"):
        order_by_name(given, ["a", "b"], **WORDS)


def test_frames_of_other_names_are_refused_and_those_without_names_are_not():
    assert order_in_frame(pd.DataFrame(np.zeros((1, 2))), ("a", "b"), "the columns") is None
    with pytest.raises(LabelMismatch, match=r"missing \['a', 'b'\], extra \['x', 'y'\]"):
        order_in_frame(pd.DataFrame(np.zeros((1, 2)), columns=["x", "y"]), ("a", "b"), "the columns")


def test_classes_differ_by_their_type_where_no_file_is_between():
    with pytest.raises(LabelMismatch, match=r"missing \[1\], extra \['1'\]"):
        columns_in_order(["1"], [1], **WORDS)


def test_values_are_matched_to_those_of_other_rows():
    first, second = pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [3], "a": [4]})
    assert columns_like(second, first, "the columns").tolist() == [[4, 3]]
    array, other = np.zeros((1, 2)), pd.DataFrame({"x": [3], "y": [4]})
    assert columns_like(array, first, "the columns") is array
    assert columns_like(other, first, "the columns") is other


def test_numbers_are_names_where_they_are_those_of_the_classes():
    p = np.array([[0.9, 0.1]])
    assert order_in_frame(pd.DataFrame(p, columns=np.array([0, 1])), [1, 0], "it") == [1, 0]
    assert order_in_frame(pd.DataFrame(p), [1, 0], "it") is None  # numbered by pandas
    assert order_in_frame(pd.DataFrame(p, columns=["0", "1"]), [1, 2], "it") is None
    assert order_in_frame(pd.DataFrame(p, columns=["2", "1"]), [1, 2], "it") == [1, 0]


@pytest.mark.parametrize("names", [range(1, -1, -1), pd.Index([1, 0]), ["1", "0"]], ids=["a range", "numbers", "texts"])
def test_numbers_in_another_order_are_names_however_pandas_holds_them(names):
    swapped = pd.DataFrame([[0.9, 0.1]], columns=names)
    assert order_in_frame(swapped, [0, 1], "it") == [1, 0]
    with pytest.raises(LabelMismatch, match=r"missing \['a', 'b'\]"):
        order_in_frame(swapped, ["a", "b"], "it")
    numbered = pd.DataFrame([[0.1, 0.9]])
    assert columns_like(swapped, numbered, "it").tolist() == [[0.1, 0.9]]
    assert columns_like(numbered, swapped, "it").tolist() == [[0.9, 0.1]]


def test_columns_of_a_range_that_starts_elsewhere_are_named_by_it():
    chosen = pd.DataFrame([[0.2, 0.5, 0.3]], columns=range(3, 0, -1))
    assert order_in_frame(chosen, [1, 2, 3], "it") == [2, 1, 0]
    assert order_in_frame(pd.DataFrame([[0.2, 0.5, 0.3]]).iloc[:, 1:], [1, 2], "it") == [0, 1]


def test_columns_cut_out_of_numbered_ones_have_no_names():
    numbered = pd.DataFrame(np.arange(12.0).reshape(2, 6))
    assert order_in_frame(numbered.iloc[:, 4:6], ["a", "b"], "the columns") is None
    np.testing.assert_array_equal(columns_like(numbered.iloc[:, 1:3], pd.DataFrame(np.ones((2, 2))), "y"), numbered.iloc[:, 1:3])
    with pytest.raises(LabelMismatch):
        order_in_frame(numbered.iloc[:, 1:3], [0, 1], "the columns")
