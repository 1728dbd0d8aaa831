import numpy as np
import pyarrow as pa
import pytest
import torch

from tutelage.core.answers import AnswerForm, label_array, labels_of, of_classes, two_columns
from tutelage.core.arrays import sigmoid, softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 5.0]])
THREE = of_classes("logits", ["a", "b", "c"])
EACH = AnswerForm("logits", "multilabel", ("red", "round"))
VALUES = AnswerForm("values", "regression")


def test_of_classes_is_binary_for_two_classes_and_multiclass_for_more():
    assert (of_classes("logits", [0, 1]).task, THREE.task) == ("binary", "multiclass")
    assert of_classes("logits", np.array([0, 1])).classes == (0, 1)
    assert type(of_classes("logits", np.array([0, 1])).classes[0]) is int


@pytest.mark.parametrize(
    ("kind", "task", "classes", "error", "message"),
    [
        ("scores", "binary", (0, 1), BadInput, "kind 'scores'"),
        ("values", "binary", (0, 1), BadInput, "expected 'values' for regression"),
        ("logits", "regression", (), BadInput, "expected 'values' for regression"),
        ("values", "regression", (1,), LabelMismatch, "has no classes"),
        ("logits", "multiclass", ("a", "b", "a"), LabelMismatch, "named twice"),
        ("logits", "binary", ("a",), LabelMismatch, "1 classes .* expected 2"),
        ("logits", "binary", (1, 2, 3), LabelMismatch, "3 classes .* expected 2"),
        ("logits", "multilabel", (), LabelMismatch, "at least 1"),
        ("logits", "multiclass", (0, None), LabelMismatch, "labelled None"),
        ("logits", "multiclass", (0.0, float("nan")), LabelMismatch, "labelled nan"),
    ],
)
def test_invalid_forms_are_rejected(kind, task, classes, error, message):
    with pytest.raises(error, match=message):
        AnswerForm(kind, task, classes)


def test_a_string_and_an_equal_looking_number_are_different_classes():
    assert of_classes("logits", ["1", 1]).classes == ("1", 1)


def test_softmax_is_applied_once_and_only_to_logits():
    p = softmax(LOGITS)
    np.testing.assert_allclose(THREE.probabilities(LOGITS), p)
    probable = THREE.as_kind("probabilities")
    np.testing.assert_array_equal(probable.probabilities(p), p)
    np.testing.assert_allclose(probable.probabilities(p, 2.0), softmax(LOGITS / 2))
    np.testing.assert_allclose(softmax(probable.logits(p)), p)


def test_multilabel_probabilities_are_a_sigmoid_per_label():
    logits = LOGITS[:, :2]
    np.testing.assert_allclose(EACH.probabilities(logits), sigmoid(logits))
    each = EACH.as_kind("probabilities")
    np.testing.assert_allclose(each.logits(sigmoid(logits)), logits, atol=1e-12)
    np.testing.assert_array_equal(each.check([[0.9, 0.9], [0.0, 1.0]], 2), [[0.9, 0.9], [0.0, 1.0]])


def test_regression_values_may_be_one_dimensional():
    np.testing.assert_array_equal(VALUES.check([1, 2, 3], 3), [[1.0], [2.0], [3.0]])
    for of in (VALUES.logits, VALUES.probabilities):
        with pytest.raises(LabelMismatch, match="regression values"):
            of(np.ones((2, 1)))


def test_a_logit_of_minus_infinity_is_an_impossible_class():
    np.testing.assert_allclose(THREE.probabilities(THREE.check([[0.0, 0.0, -np.inf]], 1)), [[0.5, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("form", "answers", "rows", "error", "message"),
    [
        (THREE, LOGITS, 3, LabelMismatch, "2 answers to 3 rows"),
        (THREE, LOGITS[:, :2], 2, ShapeError, r"2 columns; expected 3, one for each of the classes \['a', 'b', 'c'\]"),
        (THREE, LOGITS[0], 3, ShapeError, r"shape \(3,\)"),
        (THREE, [["x"] * 3], 1, ShapeError, "not numbers"),
        (THREE, [[1.0, 2.0], [1.0]], 2, ShapeError, "the same number of values"),
        (THREE, [[0, np.nan, 0]], 1, BadInput, "NaN or inf"),
        (THREE, [[0, np.inf, 0]], 1, BadInput, "NaN or inf"),
        (THREE, [[-np.inf] * 3], 1, BadInput, "NaN or inf"),
        (THREE.as_kind("probabilities"), LOGITS, 2, NotProbabilities, "2 of 2 rows are not probabilities"),
        (EACH.as_kind("probabilities"), [[0.5, 1.5]], 1, NotProbabilities, "declare kind='logits'"),
        (VALUES, [[np.nan]], 1, BadInput, "NaN or inf"),
    ],
)
def test_answers_that_do_not_match_the_declared_form_are_rejected(form, answers, rows, error, message):
    with pytest.raises(error, match=message):
        form.check(answers, rows)


def test_one_column_for_the_second_class_is_expanded_to_two():
    np.testing.assert_allclose(two_columns([0.2, 1.0], "probabilities"), [[0.8, 0.2], [0.0, 1.0]])
    logits = two_columns([3.0], "logits")
    np.testing.assert_array_equal(logits, [[0.0, 3.0]])
    np.testing.assert_allclose(softmax(logits)[0, 1], sigmoid(3.0))


def test_take_accepts_one_number_per_row_where_that_is_sufficient():
    two, label = AnswerForm("logits", "binary", (0, 1)), AnswerForm("logits", "multilabel", ("on",))
    for answers in ([3.0, -1.0], [[3.0], [-1.0]]):
        np.testing.assert_array_equal(two.take(answers, 2), [[0, 3], [0, -1]])
        np.testing.assert_array_equal(label.take(answers, 2), [[3], [-1]])
        np.testing.assert_array_equal(VALUES.take(answers, 2), [[3], [-1]])
    with pytest.raises(ShapeError):
        THREE.take([3.0, -1.0], 2)
    with pytest.raises(LabelMismatch, match="2 answers to 3 rows"):
        two.take([3.0, -1.0], 3)


def test_class_names_may_be_any_sequence_and_keep_their_types_in_an_array():
    assert labels_of(np.array([3, 1])) == labels_of(range(3, 0, -2)) == (3, 1)
    assert label_array((1, "1", 2)).tolist() == [1, "1", 2]
    assert label_array((3, 5)).dtype == np.int64
    assert label_array((False, True)).dtype == bool
    for classes in (3, np.array(3), None):
        with pytest.raises(LabelMismatch, match="expected a sequence, the label of each column in order"):
            of_classes("logits", classes)


@pytest.mark.parametrize("classes", [{"b": 0, "a": 1}.keys(), {0: "b", 1: "a"}.values(), (name for name in "ba"), pa.array(["b", "a"])])
def test_class_names_come_from_anything_that_has_an_order(classes):
    assert of_classes("logits", classes).classes == ("b", "a")


def test_class_names_in_a_tensor_are_plain_numbers():
    assert [type(label) for label in of_classes("logits", torch.arange(3)).classes] == [int] * 3
    with pytest.raises(LabelMismatch, match="expected a sequence"):
        of_classes("logits", torch.tensor(3))


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_no_rows_have_no_probabilities_and_another_number_of_columns_is_refused(kind):
    form = of_classes(kind, ["a", "b"])
    assert form.probabilities(np.zeros((0, 2)), 2.0).shape == (0, 2)
    with pytest.raises(ShapeError, match=r"shape \(3, 4\); expected \(rows, 2\)"):
        form.probabilities(np.full((3, 4), 0.25), 2.0)
