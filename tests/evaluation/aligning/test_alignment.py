from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.evaluation.aligning.alignment import align, student_form


@dataclass
class Fixed:
    """A student with fixed answers for any input."""

    answers: np.ndarray
    classes_: np.ndarray

    def predict_proba(self, inputs):
        return self.answers


@dataclass
class Known:
    """A teacher with fixed answers for any input."""

    answers: np.ndarray
    form: AnswerForm
    fingerprint: str = "known"

    def answer(self, inputs):
        return self.answers


X = np.arange(6.0).reshape(3, 2)
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
ABC = AnswerForm("probabilities", "multiclass", ("a", "b", "c"))


def test_columns_are_put_in_the_teachers_order_by_class():
    student = Fixed(P, np.array(["c", "a", "b"]))
    aligned = align(student, Known(P, ABC), X, ["a", "b", "c"])
    assert aligned.classes == ("a", "b", "c")
    np.testing.assert_array_equal(aligned.student, P[:, [1, 2, 0]])
    np.testing.assert_array_equal(aligned.truth, np.eye(3))


def test_logits_of_a_teacher_become_probabilities_once():
    aligned = align(Fixed(P, np.array(["a", "b", "c"])), Known(np.log(P) + 5, ABC.as_kind("logits")), X)
    np.testing.assert_allclose(aligned.teacher, P)


@pytest.mark.parametrize(
    ("columns", "seen"),
    [
        (["a", "b", "d"], r"missing \['c'\], extra \['d'\]"),
        (["a", "b", 1], r"missing \['c'\], extra \[1\]"),
    ],
)
def test_unknown_classes_raise_an_error(columns, seen):
    with pytest.raises(LabelMismatch, match=seen):
        align(Fixed(P, np.array(columns, dtype=object)), Known(P, ABC), X)


def test_a_class_without_a_column_of_the_student_gets_zero_probability():
    two = np.array([[0.4, 0.6]] * 3)
    aligned = align(Fixed(two, np.array(["c", "a"])), Known(P, ABC), X)
    assert aligned.classes == ("a", "b", "c")
    np.testing.assert_array_equal(aligned.student, [[0.6, 0.0, 0.4]] * 3)


def test_unknown_classes_in_y_raise_an_error():
    with pytest.raises(LabelMismatch, match=r"\['z'\], which are not among the classes \['a', 'b', 'c'\]"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X, ["a", "b", "z"])


def test_a_class_absent_from_y_is_accepted():
    assert align(Fixed(P, np.array(["a", "b", "c"])), None, X, ["a", "b", "b"]).truth.sum() == 3


def test_the_numbers_of_rows_must_match():
    with pytest.raises(ShapeError, match="y has 2 rows and X has 3"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X, ["a", "b"])
    with pytest.raises(LabelMismatch, match="the student's answers: 2 answers to 3 rows"):
        align(Fixed(P[:2], np.array(["a", "b", "c"])), Known(P, ABC), X)


def test_a_teacher_or_y_is_required():
    with pytest.raises(BadInput, match="pass a teacher, or y, or both"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X)


def test_answers_that_are_not_probabilities_are_refused():
    with pytest.raises(NotProbabilities, match="the student's answers"):
        align(Fixed(P * 2, np.array(["a", "b", "c"])), Known(P, ABC), X)


def test_a_student_without_predict_proba_or_classes_is_refused():
    with pytest.raises(BadInput, match="has no predict_proba"):
        student_form(object())
    with pytest.raises(BadInput, match="has no classes_; fit it first"):
        student_form(LogisticRegression())


def test_a_teacher_can_be_evaluated_as_the_student():
    aligned = align(Known(np.log(P), ABC.as_kind("logits")), Known(P, ABC), X)
    np.testing.assert_allclose(aligned.student, P)


@pytest.mark.parametrize("kind", ["array", "frame", "sparse", "texts"])
def test_rows_of_every_kind_are_accepted(kind):
    numbers = np.random.default_rng(0).integers(0, 3, size=(30, 3)).astype(float)
    labels = np.where(numbers[:, 0] > 0, "yes", "no")
    made = {"array": numbers, "frame": pd.DataFrame(numbers, columns=["u", "v", "w"]), "sparse": sparse.csr_matrix(numbers)}
    rows = made.get(kind, [f"word{int(u)} other{int(v)}" for u, v, _ in numbers])
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()) if kind == "texts" else LogisticRegression()
    student = model.fit(rows, labels)
    aligned = align(student, None, rows, labels)
    np.testing.assert_allclose(aligned.student, student.predict_proba(rows))
    assert aligned.task == "binary"


def test_multilabel_answers_of_a_forest_are_probabilities_of_on():
    rng = np.random.default_rng(0)
    rows, on = rng.normal(size=(40, 3)), rng.integers(2, size=(40, 2))
    forest = RandomForestClassifier(5, random_state=0).fit(rows, on)
    form = AnswerForm("probabilities", "multilabel", ("red", "blue"))
    aligned = align(forest, Known(np.full((40, 2), 0.5), form), rows, on)
    assert (aligned.task, aligned.classes, aligned.student.shape) == ("multilabel", ("red", "blue"), (40, 2))
    np.testing.assert_allclose(aligned.student[:, 1], forest.predict_proba(rows)[1][:, 1])
    assert align(forest, None, rows, on).classes == (0, 1)
    with pytest.raises(BadInput, match="0 or 1"):
        align(forest, None, rows, on * 0.5)


def test_multilabel_truth_in_a_frame_is_aligned_by_column_name():
    form = AnswerForm("probabilities", "multilabel", ("red", "blue"))
    answers = np.array([[0.9, 0.1], [0.8, 0.3]])
    teacher = Known(answers, form)
    frame = pd.DataFrame({"blue": [0, 1], "red": [1, 1]})
    np.testing.assert_array_equal(align(teacher, teacher, X[:2], frame).truth, [[1, 0], [1, 1]])
    with pytest.raises(LabelMismatch, match=r"the columns of y .* missing \['blue'\], extra \['green'\]"):
        align(teacher, teacher, X[:2], frame.rename(columns={"blue": "green"}))


def test_a_student_of_another_task_is_refused():
    with pytest.raises(LabelMismatch, match="expected the same task"):
        align(Fixed(P, np.array(["a", "b", "c"])), Known(X, AnswerForm("values", "regression")), X)


def test_multi_output_values_need_the_same_number_of_outputs():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    student = LinearRegression().fit(rows, rows[:, :2])
    aligned = align(student, None, rows, rows[:, :2])
    assert aligned.student.shape == aligned.truth.shape == (20, 2)
    with pytest.raises(ShapeError, match="2 values per row and the teacher 1"):
        align(student, Known(rows[:, 0], AnswerForm("values", "regression")), rows)
    with pytest.raises(ShapeError, match="expected \\(20, 2\\)"):
        align(student, None, rows, rows[:, 0])


def test_the_rows_fingerprint_does_not_depend_on_the_container():
    student = Fixed(P, np.array(["a", "b", "c"]))
    same = [align(student, Known(P, ABC), rows).rows_fingerprint for rows in (X, pd.DataFrame(X), X.astype(int))]
    assert len(set(same)) == 1
    assert align(student, Known(P, ABC), X[::-1]).rows_fingerprint != same[0]


def test_a_student_is_multilabel_if_y_has_several_columns():
    rng = np.random.default_rng(0)
    rows, on = rng.normal(size=(40, 3)), rng.integers(2, size=(40, 2))
    network = OneVsRestClassifier(LogisticRegression()).fit(rows, on)
    aligned = align(network, None, rows, on)
    assert aligned.task == "multilabel"
    np.testing.assert_allclose(aligned.student, network.predict_proba(rows))


@pytest.mark.parametrize(
    ("y", "error", "seen"),
    [
        (["a", "b", "c"], ShapeError, "the values of y, for a .* task, are not numbers"),
        ([1.0, 2.0, np.nan], BadInput, "y: 1 of 3 rows hold NaN"),
        ([1.0, 2.0], ShapeError, "y has 2 rows and X has 3"),
    ],
)
def test_invalid_values_are_refused(y, error, seen):
    student = LinearRegression().fit(X, X[:, 0])
    with pytest.raises(error, match=seen):
        align(student, None, X, y)


@pytest.mark.parametrize("y", [[None, "a", "b"], np.array(["a", np.nan, "b"], dtype=object)])
def test_a_missing_class_in_y_is_refused(y):
    with pytest.raises(LabelMismatch, match="y holds missing labels; leave those rows out"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X, y)


def test_a_label_that_was_always_off_in_training_is_off():
    rows = np.random.default_rng(0).normal(size=(20, 2))
    on = np.column_stack([rows[:, 0] > 0, np.zeros(20)]).astype(int)
    forest = RandomForestClassifier(3, random_state=0).fit(rows, on)
    np.testing.assert_array_equal(align(forest, None, rows, on).student[:, 1], 0)


def test_labels_with_other_values_than_0_and_1_are_refused():
    rows = np.random.default_rng(0).normal(size=(20, 2))
    several = np.tile([[0, 1], [1, 0], [2, 1], [0, 0]], (5, 1))
    with pytest.raises(LabelMismatch, match=r"classes \[0, 1, 2\]; expected 0 and 1"):
        align(RandomForestClassifier(3, random_state=0).fit(rows, several), None, rows, several)


def test_one_hot_truth_is_not_mistaken_for_multilabel():
    with pytest.raises(ShapeError, match="one class per row"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X, np.eye(3))
    with pytest.raises(ShapeError, match="one class label per row"):
        align(Fixed(P, np.array(["a", "b", "c"])), Known(P, ABC), X, np.eye(3))
    with pytest.raises(ShapeError, match=r"the values of y, for a .* task, are not numbers"):
        align(Fixed(P, np.array(["a", "b", "c"])), None, X, [["a", "b", "c"]] * 3)


def test_exclusive_labels_are_accepted_from_a_student_declared_multilabel():
    rows = np.random.default_rng(0).normal(size=(20, 2))
    on = np.eye(2, dtype=int)[(rows[:, 0] > 0).astype(int)]
    forest = RandomForestClassifier(3, bootstrap=False, random_state=0).fit(rows, on)
    assert align(forest, None, rows, on).task == "multilabel"
    exclusive = AnswerForm("probabilities", "multilabel", ("a", "b", "c"))
    assert align(Known(P, exclusive), None, X, np.eye(3)).task == "multilabel"


def test_ragged_truth_and_answers_that_do_not_match_classes_are_refused():
    with pytest.raises(ShapeError, match="the rows of y do not have the same number"):
        align(Fixed(np.full((2, 2), 0.5), np.array(["a", "b"])), None, np.zeros((2, 1)), [["a"], ["b", "a"]])
    one = [np.full((2, 2), 0.5)]
    with pytest.raises(ShapeError, match="the student returns probabilities for 1 labels with columns"):
        align(Fixed(one, [np.array([0, 1])] * 2), None, np.zeros((2, 1)), [[0, 1], [1, 0]])
