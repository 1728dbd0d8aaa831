from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.report.distillation.figures import ClassDisagreement, Figures
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.reporting.pictures import figures_of

THREE = AnswerForm("probabilities", "multiclass", ("a", "b", "c"))


def part(answers, truth=None, rows=None):
    return Part(np.zeros((len(answers), 2)) if rows is None else rows, np.asarray(answers, dtype=float), truth)


def one_hot(codes, count=3):
    return np.eye(count)[codes]


STUDENT = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.3, 0.1]])
TEACHER = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
TRUTH = one_hot([0, 0, 1, 2])


def test_confusion_counts_truth_by_decision():
    figures = figures_of("answers", STUDENT, part(TEACHER, TRUTH), THREE)
    assert figures.confusion.rows_are == "ground truth"
    assert figures.confusion.counts == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    assert figures.confusion.classes == ("a", "b", "c")


def test_without_truth_confusion_is_with_the_teacher_and_there_is_no_calibration():
    figures = figures_of("answers", STUDENT, part(TEACHER), THREE)
    assert figures.confusion.rows_are == "teacher"
    assert figures.confusion.counts == ((1, 1, 0), (1, 0, 0), (0, 1, 0))
    assert figures.reliability == ()
    assert figures.disagreement.outcomes == {}


def test_disagreements_say_who_is_right_and_in_which_class():
    found = figures_of("answers", STUDENT, part(TEACHER, TRUTH), THREE).disagreement
    assert (found.decisions, found.disagree) == (4, 3)
    assert found.outcomes == {"only the student is right": 1, "only the teacher is right": 1, "both are wrong": 1}
    assert found.by_class == (ClassDisagreement("a", 2, 1, "b"), ClassDisagreement("b", 1, 1, "a"), ClassDisagreement("c", 1, 1, "b"))


def test_calibration_is_of_the_predicted_class_of_student_and_teacher():
    student, teacher = figures_of("answers", STUDENT, part(TEACHER, TRUTH), THREE).reliability
    assert (student.name, teacher.name) == ("answers", "teacher")
    assert sum(student.rows) == sum(teacher.rows) == 4
    assert student.error == pytest.approx(np.abs([0.8 - 1, 0.7 - 0, 0.5 - 1, 0.6 - 0]).mean())


def test_several_labels_are_counted_label_by_label():
    form = AnswerForm("probabilities", "multilabel", ("x", "y"))
    student, teacher = np.array([[0.9, 0.1], [0.2, 0.6]]), np.array([[0.8, 0.9], [0.1, 0.7]])
    figures = figures_of("answers", student, part(teacher, np.array([[1.0, 0.0], [0.0, 1.0]])), form)
    assert figures.confusion is None
    assert (figures.disagreement.decisions, figures.disagreement.disagree) == (4, 1)
    assert figures.disagreement.by_class == (ClassDisagreement("y", 2, 1), ClassDisagreement("x", 2, 0))
    assert figures.disagreement.outcomes["only the student is right"] == 1


def test_values_have_quantiles_and_groups_of_equal_size():
    form = AnswerForm("values", "regression", ())
    teacher = np.arange(40.0)[:, None]
    figures = figures_of("answers", teacher + 1, part(teacher, teacher * 2), form)
    assert figures.confusion is None
    assert figures.disagreement.quantiles[0] == (0.5, 1.0)
    assert figures.disagreement.spread == pytest.approx(teacher.std())
    student, _ = figures.reliability
    assert student.rows == (4,) * 10
    assert student.predicted[0] == pytest.approx(2.5)
    assert student.observed[0] == pytest.approx(3.0)
    assert student.error is None


def test_weights_that_the_counts_leave_out_are_known():
    weighted = Part(np.zeros((4, 2)), TEACHER, TRUTH, weights=np.array([1.0, 2.0, 3.0, 4.0]))
    found = figures_of("answers", STUDENT, weighted, THREE)
    assert found.weighted
    assert Figures.from_json(found.to_json()).weighted
    assert not figures_of("answers", STUDENT, part(TEACHER, TRUTH), THREE).weighted


def test_several_values_are_not_drawn_as_one_and_differ_in_units_of_each():
    values = AnswerForm("values", "regression")
    teacher = np.column_stack([[0.0, 1000.0, 2000.0], [0.0, 1.0, 2.0]])
    student = teacher + np.array([[100.0, 0.0], [0.0, 0.5], [0.0, 0.0]])
    of = replace(part(teacher, teacher, rows=pd.DataFrame({"a": [1, 2, 3]})), units=np.array([1000.0, 1.0]))
    figures = figures_of("answers", student, of, values, show_rows=3)
    assert figures.reliability == ()
    assert figures.disagreement.in_spreads
    assert figures.disagreement.spread is None
    assert figures.disagreement.quantiles[-1] == (1.0, 0.5)
    assert [row.row for row in figures.shown] == [1, 0]
    assert Figures.from_json(figures.to_json()) == figures
