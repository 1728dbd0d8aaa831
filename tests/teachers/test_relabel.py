import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.relabel import relabelled

ROWS = np.zeros((2, 1))
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])


def saying(answers=P, kind="probabilities", classes=("a", "b", "c"), task=None):
    form = of_classes(kind, classes) if task is None else AnswerForm(kind, task, classes)
    return FunctionTeacher(lambda rows: np.asarray(answers)[: len(rows)], form)


@pytest.mark.parametrize(("kind", "answers"), [("probabilities", P), ("logits", np.log(P))])
def test_reordered_classes_take_their_columns_along(kind, answers):
    moved = relabelled(saying(answers, kind), ["c", "a", "b"])
    assert moved.form == of_classes(kind, ("c", "a", "b"))
    np.testing.assert_array_equal(moved.answer(ROWS), answers[:, [2, 0, 1]])


def test_numbers_become_texts_only_when_told():
    numbers = saying(classes=(1, 2, 3))
    with pytest.raises(LabelMismatch, match=r"does not know \['1', '2', '3'\]; it knows \[1, 2, 3\]"):
        relabelled(numbers, ["1", "2", "3"])
    told = relabelled(numbers, ["3", "2", "1"], rename={1: "1", 2: "2", 3: "3"})
    np.testing.assert_array_equal(told.answer(ROWS), P[:, ::-1])


def test_labels_may_change_places():
    swapped = relabelled(saying(), ["a", "b", "c"], rename={"a": "b", "b": "a"})
    np.testing.assert_array_equal(swapped.answer(ROWS), P[:, [1, 0, 2]])


def test_numpy_labels_are_labels():
    moved = relabelled(saying(classes=(1, 2, 3)), np.array([3, 1, 2]))
    np.testing.assert_array_equal(moved.answer(ROWS), P[:, [2, 0, 1]])


def test_a_class_that_the_teacher_does_not_know_is_an_error_or_never():
    with pytest.raises(LabelMismatch, match=r"does not know \['d'\]; .* pass missing='zero'"):
        relabelled(saying(), ["a", "d", "b", "c"])
    np.testing.assert_array_equal(relabelled(saying(), ["a", "d", "b", "c"], missing="zero").answer(ROWS)[:, 1], [0, 0])
    logits = relabelled(saying(np.log(P), "logits"), ["a", "d", "b", "c"], missing="zero").answer(ROWS)
    assert np.isneginf(logits[:, 1]).all()


def test_a_class_too_many_is_an_error_or_dropped_and_the_rest_scaled_up():
    with pytest.raises(LabelMismatch, match=r"also knows \['c'\], .* pass extra='drop'"):
        relabelled(saying(), ["b", "a"])
    dropped = relabelled(saying(), ["b", "a"], extra="drop")
    assert dropped.form.task == "binary"
    np.testing.assert_allclose(dropped.answer(ROWS), [[2 / 9, 7 / 9], [0.5, 0.5]])
    logits = relabelled(saying(np.log(P), "logits"), ["b", "a"], extra="drop")
    np.testing.assert_allclose(logits.form.probabilities(logits.answer(ROWS)), dropped.answer(ROWS))


@pytest.mark.parametrize(
    ("kind", "answers"), [("probabilities", [[1.0, 0, 0], [0, 0, 1.0]]), ("logits", [[0.0, -np.inf, 0], [-np.inf, -np.inf, 0]])]
)
def test_a_row_wholly_of_dropped_classes_is_an_error(kind, answers):
    with pytest.raises(LabelMismatch, match=r"1 of 2 rows are wholly of classes that were dropped \(first: row 1\)"):
        relabelled(saying(answers, kind), ["a", "b"], extra="drop").answer(ROWS)


def test_labels_of_their_own_are_moved_and_dropped_without_scaling():
    labels = saying(classes=("x", "y", "z"), task="multilabel")
    np.testing.assert_array_equal(relabelled(labels, ["z", "x"], extra="drop").answer(ROWS), P[:, [2, 0]])
    with pytest.raises(LabelMismatch, match=r"does not know \['w'\]; it knows \['x', 'y', 'z'\]\. Rename\.$"):
        relabelled(labels, ["w", "x", "y", "z"], missing="zero")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"classes": ["d", "e"], "missing": "zero", "extra": "drop"}, LabelMismatch, "knows none of"),
        ({"classes": ["a", "b", "c"], "rename": {"d": "a"}}, LabelMismatch, r"rename speaks of \['d'\]"),
        ({"classes": ["a", "b", "c"], "rename": {"b": "a"}}, LabelMismatch, "2 of the teacher's classes would be called 'a'"),
        ({"classes": ["a", "b", "c", "a"]}, LabelMismatch, "named twice"),
        ({"classes": ["a"], "extra": "drop"}, LabelMismatch, "1 classes"),
        ({"classes": ["a", "b"], "extra": "cut"}, BadInput, "expected 'error' or 'zero', and 'error' or 'drop'"),
        ({"classes": ["a", "b", "c"], "missing": "zeros"}, BadInput, "missing is 'zeros'"),
    ],
)
def test_what_maps_nowhere_or_twice_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        relabelled(saying(), **options)


def test_values_have_no_labels():
    with pytest.raises(LabelMismatch, match="no classes to relabel"):
        relabelled(LinearRegression().fit([[0.0], [1.0]], [0, 1]), ["a", "b"])


def test_a_relabelled_teacher_is_named_by_its_mapping():
    model = LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
    names = [relabelled(model, classes, missing="zero").fingerprint for classes in (["a", "b"], ["b", "a"], ["a", "b", "c"], ["a", "b"])]
    assert len(set(names)) == 3
    assert names[0] == names[3]
