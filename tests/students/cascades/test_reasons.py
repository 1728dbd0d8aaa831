import warnings

import numpy as np
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.rows import as_rows
from tutelage.evaluation.deployed.risk_control import Chosen
from tutelage.students.cascades.reasons import check_labels, of_student_alone, of_teacher_alone, warn_of_repeats


def test_too_few_rows_and_too_weak_a_student_are_told_apart():
    few = of_student_alone(Chosen(np.inf, 298, 0, 0, 298), 0.99, 0.05, "teacher", "all", 0)
    assert few.startswith(
        "298 calibration rows cannot show a rate of 0.99 with probability 0.95: that takes 299 rows without a wrong answer."
    )
    weak = of_student_alone(Chosen(np.inf, 299, 0, 0, 299), 0.99, 0.05, "teacher", "all", 9)
    assert weak.startswith("at no confidence is it shown that the student agrees with the teacher often enough for a rate of 0.99")
    own = of_student_alone(Chosen(np.inf, 299, 0, 0, 0), 0.99, 0.05, "truth", "student", 0)
    assert "that takes at least 333 rows, a tenth of which only says where the tests begin, without a wrong answer." in own
    assert "the student is right often enough" in of_student_alone(Chosen(np.inf, 600, 0, 0, 0), 0.99, 0.05, "truth", "student", 9)


def test_a_student_without_a_wrong_answer_is_not_called_too_weak():
    said = of_student_alone(Chosen(np.inf, 340, 0, 0, 0), 0.99, 0.05, "teacher", "student", 0)
    assert said.startswith("the student agrees with the teacher on all 340 calibration rows, but too few of them are above the confidence")
    assert "better student" not in said
    assert "Pass more calibration rows, or lower target." in said


def test_a_teacher_that_misses_the_target_is_named_with_its_rate():
    assert "that takes 299 rows" in of_teacher_alone(0.99, 0.05, 0, 100)
    said = of_teacher_alone(0.95, 0.05, 60, 1000)
    assert said.startswith("the teacher itself is right on 940 of 1,000 calibration rows, 0.94: at least 0.9262 with probability 0.95")


def test_labels_are_those_of_the_teacher():
    rows = np.arange(5.0)[:, None]
    one, other = (
        tl.as_teacher(lambda given: np.full((len(given), 2), 0.5), kind="probabilities", classes=["a", "b"], version=k) for k in (1, 2)
    )
    check_labels(tl.record(one, rows), one)
    with pytest.raises(
        LabelMismatch, match=r"labels hold the answers of the teacher function:.*version 1; the cascade's teacher is function"
    ):
        check_labels(tl.record(one, rows), other)
    with pytest.raises(BadInput, match="expected soft labels"):
        check_labels("labels/", one)


def test_repeats_are_warned_of_from_one_in_a_hundred_on():
    rows = np.arange(1000.0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_repeats(as_rows(np.concatenate([rows, rows[:10]])))
    with pytest.warns(UserWarning, match="11 of 1,011 calibration rows repeat others"):
        warn_of_repeats(as_rows(np.concatenate([rows, rows[:11]])))
