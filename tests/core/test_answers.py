import numpy as np
import pytest

from tutelage.core.answers import AnswerForm, label_array, labels_of, of_classes, two_columns
from tutelage.core.arrays import sigmoid, softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 5.0]])
THREE = of_classes("logits", ["a", "b", "c"])
EACH = AnswerForm("logits", "multilabel", ("red", "round"))
VALUES = AnswerForm("values", "regression")


def test_two_classes_are_binary_and_more_are_multiclass():
    assert (of_classes("logits", [0, 1]).task, THREE.task) == ("binary", "multiclass")
    assert of_classes("logits", np.array([0, 1])).classes == (0, 1)
    assert type(of_classes("logits", np.array([0, 1])).classes[0]) is int


@pytest.mark.parametrize(
    ("kind", "task", "classes", "error", "said"),
    [
        ("scores", "binary", (0, 1), BadInput, "kind 'scores'"),
        ("values", "binary", (0, 1), BadInput, "values are for regression"),
        ("logits", "regression", (), BadInput, "values are for regression"),
        ("values", "regression", (1,), LabelMismatch, "has no classes"),
        ("logits", "multiclass", ("a", "b", "a"), LabelMismatch, "named twice"),
        ("logits", "binary", ("a",), LabelMismatch, "1 classes .* expected 2"),
        ("logits", "binary", (1, 2, 3), LabelMismatch, "3 classes .* expected 2"),
        ("logits", "multilabel", (), LabelMismatch, "at least 1"),
        ("logits", "multiclass", (0, None), LabelMismatch, "labelled None"),
        ("logits", "multiclass", (0.0, float("nan")), LabelMismatch, "labelled nan"),
    ],
)
def test_a_form_that_cannot_be_is_refused(kind, task, classes, error, said):
    with pytest.raises(error, match=said):
        AnswerForm(kind, task, classes)


def test_a_text_and_a_number_are_different_classes():
    assert of_classes("logits", ["1", 1]).classes == ("1", 1)


def test_softmax_once_and_only_on_logits():
    p = softmax(LOGITS)
    np.testing.assert_allclose(THREE.probabilities(LOGITS), p)
    probable = THREE.as_kind("probabilities")
    np.testing.assert_array_equal(probable.probabilities(p), p)
    np.testing.assert_allclose(probable.probabilities(p, 2.0), softmax(LOGITS / 2))
    np.testing.assert_allclose(softmax(probable.logits(p)), p)


def test_multilabel_answers_are_a_sigmoid_each():
    logits = LOGITS[:, :2]
    np.testing.assert_allclose(EACH.probabilities(logits), sigmoid(logits))
    each = EACH.as_kind("probabilities")
    np.testing.assert_allclose(each.logits(sigmoid(logits)), logits, atol=1e-12)
    np.testing.assert_array_equal(each.check([[0.9, 0.9], [0.0, 1.0]], 2), [[0.9, 0.9], [0.0, 1.0]])


def test_values_may_be_a_plain_column():
    np.testing.assert_array_equal(VALUES.check([1, 2, 3], 3), [[1.0], [2.0], [3.0]])
    for of in (VALUES.logits, VALUES.probabilities):
        with pytest.raises(LabelMismatch, match="regression values"):
            of(np.ones((2, 1)))


def test_a_class_that_cannot_be_is_a_logit_of_minus_infinity():
    np.testing.assert_allclose(THREE.probabilities(THREE.check([[0.0, 0.0, -np.inf]], 1)), [[0.5, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("form", "answers", "rows", "error", "said"),
    [
        (THREE, LOGITS, 3, LabelMismatch, "2 answers to 3 rows"),
        (THREE, LOGITS[:, :2], 2, ShapeError, r"2 columns; expected 3, one for each of the classes \['a', 'b', 'c'\]"),
        (THREE, LOGITS[0], 3, ShapeError, r"shape \(3,\)"),
        (THREE, [["x"] * 3], 1, ShapeError, "not numbers"),
        (THREE, [[1.0, 2.0], [1.0]], 2, ShapeError, "not numbers"),
        (THREE, [[0, np.nan, 0]], 1, BadInput, "NaN or inf"),
        (THREE, [[0, np.inf, 0]], 1, BadInput, "NaN or inf"),
        (THREE, [[-np.inf] * 3], 1, BadInput, "NaN or inf"),
        (THREE.as_kind("probabilities"), LOGITS, 2, NotProbabilities, "2 of 2 rows are not probabilities"),
        (EACH.as_kind("probabilities"), [[0.5, 1.5]], 1, NotProbabilities, "declare kind='logits'"),
        (VALUES, [[np.nan]], 1, BadInput, "NaN or inf"),
    ],
)
def test_answers_that_are_not_what_was_declared_are_refused(form, answers, rows, error, said):
    with pytest.raises(error, match=said):
        form.check(answers, rows)


def test_one_column_about_the_second_class_becomes_two():
    np.testing.assert_allclose(two_columns([0.2, 1.0], "probabilities"), [[0.8, 0.2], [0.0, 1.0]])
    logits = two_columns([3.0], "logits")
    np.testing.assert_array_equal(logits, [[0.0, 3.0]])
    np.testing.assert_allclose(softmax(logits)[0, 1], sigmoid(3.0))


def test_a_model_may_say_one_number_a_row_where_one_is_enough():
    two, label = AnswerForm("logits", "binary", (0, 1)), AnswerForm("logits", "multilabel", ("on",))
    for said in ([3.0, -1.0], [[3.0], [-1.0]]):
        np.testing.assert_array_equal(two.take(said, 2), [[0, 3], [0, -1]])
        np.testing.assert_array_equal(label.take(said, 2), [[3], [-1]])
        np.testing.assert_array_equal(VALUES.take(said, 2), [[3], [-1]])
    with pytest.raises(ShapeError):
        THREE.take([3.0, -1.0], 2)
    with pytest.raises(LabelMismatch, match="2 answers to 3 rows"):
        two.take([3.0, -1.0], 3)


def test_labels_come_as_any_sequence_and_keep_their_kinds_in_an_array():
    assert labels_of(np.array([3, 1])) == labels_of(range(3, 0, -2)) == (3, 1)
    assert label_array((1, "1", 2)).tolist() == [1, "1", 2]
    assert label_array((3, 5)).dtype == np.int64
    assert label_array((False, True)).dtype == bool
    for classes in (3, np.array(3), None):
        with pytest.raises(LabelMismatch, match="expected a sequence, the label of each column in order"):
            of_classes("logits", classes)
