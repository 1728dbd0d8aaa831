import numpy as np
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.subject.threshold import about_threshold, deferred_rows, rounded_up, with_threshold
from tutelage.students.cascade import Cascade, Guarantee

X = np.random.default_rng(0).normal(size=(60, 2))
STUDENT = tl.SoftTree(max_leaf_nodes=3).fit(X, X[:, 0] > 0)


def guarantee(threshold=0.75, against="teacher", over="all"):
    return Guarantee(threshold, 0.95, 0.05, against, over, 1200, 1000, 20, 1200, "a teacher")


def test_rows_below_the_threshold_and_without_a_number_are_deferred():
    probabilities = np.array([[0.75, 0.25], [0.74, 0.26], [np.nan, np.nan]])
    assert deferred_rows(probabilities, "binary", 0.75).tolist() == [False, True, True]
    assert deferred_rows(np.array([[0.9, 0.2], [0.9, 0.4]]), "multilabel", 0.75).tolist() == [False, True]


@pytest.mark.parametrize("threshold", [0.0, 0.1, 1 / 3, 0.75, 0.9, 1 - 1e-9, 1.0])
def test_a_rounded_threshold_is_reached_by_the_same_single_numbers(threshold):
    rounded = rounded_up(threshold, np.float32)
    assert rounded >= threshold
    near = np.float32(threshold)
    for number in (np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(2))):
        assert (float(number) >= threshold) == (number >= np.float32(rounded))
    assert rounded_up(threshold, np.float64) == threshold


def test_of_a_cascade_the_student_is_the_subject():
    subject, _ = subject_of(with_threshold(STUDENT, guarantee()), X)
    assert subject.student is STUDENT
    assert subject.guarantee == guarantee()
    assert subject_of(STUDENT, X)[0].guarantee is None


def test_a_cascade_that_is_not_fitted_or_has_no_student_to_write_is_refused():
    with pytest.raises(BadInput, match="the Cascade is not fitted"):
        check_student(Cascade(STUDENT, STUDENT))
    file = with_threshold(STUDENT, guarantee())
    file.student = object()
    with pytest.raises(BadInput, match="cannot export a object; expected a fitted student"):
        check_student(file)


@pytest.mark.parametrize(
    ("against", "over", "said"),
    [
        ("teacher", "all", "at least 95 % of all answers, of student and teacher, are those that the teacher gives"),
        ("truth", "student", "at least 95 % of the student's own answers are right"),
    ],
)
def test_a_file_says_what_is_guaranteed(against, over, said):
    (sentence,) = about_threshold(guarantee(against=against, over=over))
    assert f"with probability 95 %, {said}, on rows like the 1,200" in sentence
    assert about_threshold(None) == []
