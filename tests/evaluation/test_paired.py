from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.paired import compare


def test_the_difference_equals_that_of_the_two_evaluations(evaluation, stump_evaluation):
    comparison = compare(evaluation, stump_evaluation)
    expected = evaluation.against_truth["accuracy"].value - stump_evaluation.against_truth["accuracy"].value
    assert (comparison.difference, comparison.metric) == (pytest.approx(expected), "accuracy")
    assert comparison.ci95[0] <= comparison.difference <= comparison.ci95[1]
    assert (comparison.verdict, comparison.over, comparison.b) == ("beats", "test rows", "stump")
    assert "against the truth, on the same 75 test rows" in comparison.question


def test_swapping_the_students_swaps_the_sign(evaluation, stump_evaluation):
    one, other = compare(evaluation, stump_evaluation), compare(stump_evaluation, evaluation)
    assert one.difference == -other.difference
    np.testing.assert_allclose(one.ci95, (-other.ci95[1], -other.ci95[0]))
    assert (one.verdict, other.verdict) == ("beats", "worse")


def test_a_student_is_no_different_from_itself(evaluation):
    comparison = compare(evaluation, evaluation)
    assert (comparison.difference, comparison.verdict) == (0, "no difference")
    assert comparison.ci95[0] < 0 < comparison.ci95[1]


def test_lower_is_better_for_errors(evaluation, stump_evaluation):
    comparison = compare(evaluation, stump_evaluation, metric="brier")
    expected = evaluation.against_truth["brier"].value - stump_evaluation.against_truth["brier"].value
    assert comparison.difference == pytest.approx(expected)
    assert comparison.difference < 0
    assert comparison.verdict == "beats"


def test_fidelity_can_be_compared(evaluation, stump_evaluation):
    comparison = compare(evaluation, stump_evaluation, against="teacher")
    assert comparison.metric == "agreement"
    assert compare(evaluation, stump_evaluation, against="teacher", metric="kl_nats").metric == "kl_nats"


def test_a_metric_that_is_not_a_mean_over_rows_is_refused(evaluation, stump_evaluation):
    with pytest.raises(BadInput, match="metric is 'ece'; against the truth expected one of accuracy, nll_nats, brier"):
        compare(evaluation, stump_evaluation, metric="ece")


def test_evaluations_of_other_rows_truth_or_teacher_are_refused(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    elsewhere = evaluate(small_tree, forest, rows[train], labels[train], budget_seconds=None)
    with pytest.raises(LabelMismatch, match="on different rows"):
        compare(evaluation, elsewhere)
    shuffled = evaluate(small_tree, forest, rows[~train], labels[~train][::-1], budget_seconds=None)
    with pytest.raises(LabelMismatch, match="different answers of the truth"):
        compare(evaluation, shuffled)
    taught_by_itself = evaluate(small_tree, small_tree, rows[~train], budget_seconds=None)
    with pytest.raises(LabelMismatch, match="different answers of the teacher"):
        compare(evaluation, taught_by_itself)
    with pytest.raises(BadInput, match="no 'truth' to compare with"):
        compare(evaluation, taught_by_itself, against="truth")


def test_an_evaluation_without_answers_is_refused(evaluation):
    with pytest.raises(BadInput, match="call evaluate again"):
        compare(replace(evaluation, answers=None), evaluation)
