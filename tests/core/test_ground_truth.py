"""The ground truth is parsed in one place: labels to codes, zeros and ones, or values, whatever holds them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from tutelage.core.answers import AnswerForm, form_of_truth, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.row_arrays import target_array

CLASSES = of_classes("logits", ("b", "c", "a"))
DIGITS = of_classes("logits", (0, 1))
LABELS = AnswerForm("probabilities", "multilabel", ("x", "y"))
VALUES = AnswerForm("values", "regression")


@pytest.mark.parametrize(
    "y",
    [
        ["b", "a", "b"],
        [["b"], ["a"], ["b"]],
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], dtype=object)[:, None],
        pd.Series(["b", "a", "b"], index=[7, 8, 9]),
        pd.Series(["b", "a", "b"], dtype="category"),
        pd.DataFrame({"y": ["b", "a", "b"]}),
        pl.Series(["b", "a", "b"]),
    ],
    ids=lambda y: type(y).__name__,
)
def test_class_labels_become_the_column_of_their_class(y):
    assert CLASSES.codes(y).tolist() == [0, 2, 0]
    assert CLASSES.truth(y, rows=3).tolist() == [0, 2, 0]
    assert CLASSES.truth_as_answers(y).tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("y", [[True, False], [1.0, 0.0], np.array([1, 0], dtype=np.uint8), torch.tensor([1, 0]), torch.tensor([[1], [0]])])
def test_equal_numbers_are_the_same_label_whatever_their_type(y):
    assert DIGITS.codes(y).tolist() == [1, 0]


def test_a_text_and_a_number_are_two_labels():
    with pytest.raises(LabelMismatch, match=r"y holds the labels \['1'\], which are not among the classes \[0, 1\]"):
        DIGITS.codes(["1", "1"])
    with pytest.raises(
        LabelMismatch, match=r"the labels are texts where .* numbers or truth values\. Convert them by a mapping, {'0': 0, "
    ):
        DIGITS.codes(["1", "0"])
    for y in ([1, 0], [True, False]):
        with pytest.raises(LabelMismatch, match=r"numbers or truth values where the classes are texts\. Convert them by a mapping, {"):
            of_classes("logits", list(map(str, y))).codes(y)
    with pytest.raises(LabelMismatch, match="Leave those rows out, map the labels"):
        of_classes("logits", ("no", "yes")).codes(["Yes", "No"])
    mixed = of_classes("logits", (3, "x"))
    assert mixed.codes(np.array(["x", 3], dtype=object)).tolist() == [1, 0]


def test_unknown_and_missing_labels_can_be_marked():
    form = of_classes("logits", ("a", "b", 2))
    labels = np.array(["b", "a", None, "z", np.nan, 2, pd.NA], dtype=object)
    assert form.codes(labels, unknown="mark").tolist() == [1, 0, -1, -1, -1, 2, -1]
    assert DIGITS.codes([0.0, np.nan, 5.0], unknown="mark").tolist() == [0, -1, -1]


def test_truth_of_every_task_has_its_shape():
    assert LABELS.truth([[0, 1], [1, 1]]).tolist() == [[0, 1], [1, 1]]
    assert LABELS.truth(pd.DataFrame({"y": [1, 0], "x": [0, 0]})).tolist() == [[0, 1], [0, 0]]
    assert AnswerForm("logits", "multilabel", ("x",)).truth([True, False]).tolist() == [[1], [0]]
    assert VALUES.truth([1, 2]).tolist() == [[1], [2]]
    assert VALUES.truth(torch.tensor([[1.0, 2.0]])).tolist() == [[1, 2]]
    assert VALUES.truth(np.array([1.5, 2], dtype=object)).tolist() == [[1.5], [2]]


@pytest.mark.parametrize(
    ("y", "form", "error", "sentence"),
    [
        (["a", "z"], CLASSES, LabelMismatch, r"y holds the labels \['z'\], which are not among the classes \['b', 'c', 'a'\]\. Leave"),
        (["a", None], CLASSES, LabelMismatch, "y holds missing labels; leave those rows out"),
        (np.eye(2), CLASSES, ShapeError, r"expected \(rows,\), one class label per row. Pass y.argmax\(axis=1\) if y is one-hot"),
        (["a"], CLASSES, ShapeError, "y has 1 rows and X has 2; expected the same rows in the same order"),
        ([["a"], ["a", "b"]], CLASSES, ShapeError, "do not have the same number of values"),
        ([[1, 0, 1]] * 2, LABELS, ShapeError, r"y has 3 columns; expected 2, one for each of the labels \['x', 'y'\]"),
        ([[1, 2]] * 2, LABELS, BadInput, "expected 0 or 1 for each row and label"),
        ([[1, np.nan]] * 2, LABELS, BadInput, "expected 0 or 1 for each row and label"),
        ([["on", "off"]] * 2, LABELS, ShapeError, "the values of y, for a .* task, are not numbers"),
        (pd.DataFrame({"x": [0, 1], "z": [0, 1]}), LABELS, LabelMismatch, r"missing \['y'\], extra \['z'\]. Rename them"),
        (["low", "high"], VALUES, ShapeError, "the values of y, for a .* task, are not numbers"),
        ([1.0, np.nan], VALUES, BadInput, "y: 1 of 2 rows hold NaN"),
        (np.zeros((2, 2, 2)), VALUES, ShapeError, r"expected \(rows,\) or \(rows, columns\)"),
    ],
)
def test_truth_that_does_not_fit_the_form_is_refused(y, form, error, sentence):
    with pytest.raises(error, match=sentence):
        form.truth(y, rows=2)


def test_the_form_of_a_truth_is_its_classes_in_order():
    assert form_of_truth(["b", "a", "b"]).classes == ("a", "b")
    assert form_of_truth(np.array([3, "x", 1], dtype=object)).classes == (1, 3, "x")
    assert form_of_truth([[1], [0]]).task == "binary"
    assert form_of_truth([[1, 0, 1]]) == AnswerForm("logits", "multilabel", (0, 1, 2))
    with pytest.raises(LabelMismatch, match="missing labels"):
        form_of_truth(["a", None, "b"])


def test_labels_without_a_teacher_are_named_by_the_columns_of_a_frame():
    y = pd.DataFrame({"rain": [0, 1], "wind": [1, 1]})
    form = form_of_truth(y)
    assert (form.task, form.classes) == ("multilabel", ("rain", "wind"))
    assert form.truth(y[["wind", "rain"]]).tolist() == [[0, 1], [1, 1]]
    assert form_of_truth(y.to_numpy()).classes == form_of_truth(pd.DataFrame(y.to_numpy())).classes == (0, 1)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, sparse.coo_array])
def test_sparse_labels_are_made_dense(kind):
    truth = np.array([[0, 1, 1], [0, 0, 0]])
    form = AnswerForm("probabilities", "multilabel", ("a", "b", "c"))
    np.testing.assert_array_equal(form.truth(kind(truth), 2), truth)
    np.testing.assert_array_equal(target_array(kind(truth)), truth)
    assert form_of_truth(kind(truth)).task == "multilabel"
    with pytest.raises(ShapeError, match=r"y has shape \(2, 3\); expected \(rows,\), one class label per row"):
        AnswerForm("probabilities", "binary", ("a", "b")).truth(kind(truth))
