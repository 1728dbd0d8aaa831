import time

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.relabel import relabelled

ROWS = np.zeros((2, 1))
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])


def teacher_of(answers=P, kind="probabilities", classes=("a", "b", "c"), task=None):
    form = of_classes(kind, classes) if task is None else AnswerForm(kind, task, classes)
    return FunctionTeacher(lambda rows: np.asarray(answers)[: len(rows)], form)


@pytest.mark.parametrize(("kind", "answers"), [("probabilities", P), ("logits", np.log(P))])
def test_columns_are_reordered_with_their_classes(kind, answers):
    moved = relabelled(teacher_of(answers, kind), ["c", "a", "b"])
    assert moved.form == of_classes(kind, ("c", "a", "b"))
    np.testing.assert_array_equal(moved.answer(ROWS), answers[:, [2, 0, 1]])


def test_numbers_become_texts_only_when_renamed():
    numbers = teacher_of(classes=(1, 2, 3))
    with pytest.raises(LabelMismatch, match=r"does not have the classes \['1', '2', '3'\]; it has \[1, 2, 3\]"):
        relabelled(numbers, ["1", "2", "3"])
    renamed = relabelled(numbers, ["3", "2", "1"], rename={1: "1", 2: "2", 3: "3"})
    np.testing.assert_array_equal(renamed.answer(ROWS), P[:, ::-1])


def test_labels_can_be_swapped():
    swapped = relabelled(teacher_of(), ["a", "b", "c"], rename={"a": "b", "b": "a"})
    np.testing.assert_array_equal(swapped.answer(ROWS), P[:, [1, 0, 2]])


def test_numpy_labels_are_accepted():
    moved = relabelled(teacher_of(classes=(1, 2, 3)), np.array([3, 1, 2]))
    np.testing.assert_array_equal(moved.answer(ROWS), P[:, [2, 0, 1]])


def test_a_missing_class_is_an_error_or_gets_zero_probability():
    with pytest.raises(LabelMismatch, match=r"does not have the classes \['d'\]; .* or missing='zero'"):
        relabelled(teacher_of(), ["a", "d", "b", "c"])
    np.testing.assert_array_equal(relabelled(teacher_of(), ["a", "d", "b", "c"], missing="zero").answer(ROWS)[:, 1], [0, 0])
    logits = relabelled(teacher_of(np.log(P), "logits"), ["a", "d", "b", "c"], missing="zero").answer(ROWS)
    assert np.isneginf(logits[:, 1]).all()


def test_an_extra_class_is_an_error_or_dropped_and_the_rest_scaled_up():
    with pytest.raises(LabelMismatch, match=r"also has the classes \['c'\], .* or extra='drop'"):
        relabelled(teacher_of(), ["b", "a"])
    dropped = relabelled(teacher_of(), ["b", "a"], extra="drop")
    assert dropped.form.task == "binary"
    np.testing.assert_allclose(dropped.answer(ROWS), [[2 / 9, 7 / 9], [0.5, 0.5]])
    logits = relabelled(teacher_of(np.log(P), "logits"), ["b", "a"], extra="drop")
    np.testing.assert_allclose(logits.form.probabilities(logits.answer(ROWS)), dropped.answer(ROWS))


@pytest.mark.parametrize(
    ("kind", "answers"), [("probabilities", [[1.0, 0, 0], [0, 0, 1.0]]), ("logits", [[0.0, -np.inf, 0], [-np.inf, -np.inf, 0]])]
)
def test_a_row_with_all_probability_on_dropped_classes_is_an_error(kind, answers):
    with pytest.raises(LabelMismatch, match=r"1 of 2 rows have their whole probability on dropped classes \(first: row 1\)"):
        relabelled(teacher_of(answers, kind), ["a", "b"], extra="drop").answer(ROWS)


def test_multilabel_columns_are_moved_and_dropped_without_scaling():
    labels = teacher_of(classes=("x", "y", "z"), task="multilabel")
    np.testing.assert_array_equal(relabelled(labels, ["z", "x"], extra="drop").answer(ROWS), P[:, [2, 0]])
    with pytest.raises(LabelMismatch, match=r"does not have the classes \['w'\]; it has \['x', 'y', 'z'\]\. Pass rename=\.$"):
        relabelled(labels, ["w", "x", "y", "z"], missing="zero")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classes": ["d", "e"], "missing": "zero", "extra": "drop"}, LabelMismatch, "has none of the classes"),
        (
            {"classes": ["a", "b", "c"], "rename": {"d": "a"}},
            LabelMismatch,
            r"rename has the labels \['d'\], which the teacher does not have",
        ),
        ({"classes": ["a", "b", "c"], "rename": {"b": "a"}}, LabelMismatch, "2 of the teacher's classes would be called 'a'"),
        ({"classes": ["a", "b", "c", "a"]}, LabelMismatch, "named twice"),
        ({"classes": ["a"], "extra": "drop"}, LabelMismatch, "1 classes"),
        ({"classes": ["a", "b"], "extra": "cut"}, BadInput, "extra is 'cut'; expected 'error' or 'drop'"),
        ({"classes": ["a", "b", "c"], "missing": "zeros"}, BadInput, "missing is 'zeros'"),
    ],
)
def test_missing_and_ambiguous_mappings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        relabelled(teacher_of(), **options)


def test_a_regressor_cannot_be_relabelled():
    with pytest.raises(LabelMismatch, match="no classes to relabel"):
        relabelled(LinearRegression().fit([[0.0], [1.0]], [0, 1]), ["a", "b"])


def test_the_fingerprint_follows_the_mapping():
    model = LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
    fingerprints = [
        relabelled(model, classes, missing="zero").fingerprint for classes in (["a", "b"], ["b", "a"], ["a", "b", "c"], ["a", "b"])
    ]
    assert len(set(fingerprints)) == 3
    assert fingerprints[0] == fingerprints[3]


def test_the_schema_is_that_of_the_teacher():
    frame = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    assert relabelled(LogisticRegression().fit(frame, [0, 1]), [1, 0]).schema.names == ("a", "b")
    assert relabelled(as_teacher(lambda rows: [0.5] * len(rows), kind="probabilities", classes=[0, 1]), [1, 0]).schema is None


def top_teacher(top_k=2):
    return FunctionTeacher(lambda rows: TopAnswers.of(P, "probabilities", top_k), of_classes("probabilities", ("a", "b", "c")))


def test_the_most_probable_classes_are_reordered_without_numbers_for_all():
    moved = relabelled(top_teacher(), ["c", "a", "B"], rename={"b": "B"})
    assert moved.answer(ROWS).ids.tolist() == [[1, 2], [0, 1]]
    np.testing.assert_allclose(moved.form.check(moved.answer(ROWS), 2), [[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]], rtol=1e-6)


def test_the_rest_of_dropped_and_added_classes_is_spread_first():
    np.testing.assert_allclose(relabelled(top_teacher(1), ["c", "b"], extra="drop").answer(ROWS), [[0.5, 0.5], [8 / 9, 1 / 9]], rtol=1e-6)
    added = relabelled(top_teacher(1), ["a", "b", "c", "d"], missing="zero")
    np.testing.assert_allclose(added.answer(ROWS), [[0.7, 0.15, 0.15, 0], [0.1, 0.1, 0.8, 0]], rtol=1e-6)


def test_a_vocabulary_is_matched_name_by_name_once():
    words = [f"word {place}" for place in range(50_000)]
    teacher = FunctionTeacher(lambda rows: np.zeros((len(rows), 50_000)), of_classes("logits", words))
    started = time.process_time()
    assert relabelled(teacher, words[::-1], rename={"word 7": "word 7"}).columns[:2] == (49_999, 49_998)
    assert time.process_time() - started < 5  # comparing each with each would take minutes
    with pytest.raises(LabelMismatch, match=r"also has the classes \['word 1'\]"):
        relabelled(teacher, [word for word in words if word != "word 1"])
