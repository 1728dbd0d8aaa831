from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.metrics.top import certain
from tutelage.evaluation.paired import compare
from tutelage.evaluation.records import AlignedAnswers


@dataclass
class Turned:
    """A fitted classifier with its columns in another order."""

    student: Any
    classes_: Any

    def predict_proba(self, inputs):
        return self.student.predict_proba(inputs)[:, [list(self.student.classes_).index(name) for name in self.classes_]]

    def predict(self, inputs):
        return self.student.predict(inputs)


def test_the_difference_equals_that_of_the_two_evaluations(evaluation, stump_evaluation):
    comparison = compare(evaluation, stump_evaluation)
    expected = evaluation.against_truth["accuracy"].value - stump_evaluation.against_truth["accuracy"].value
    assert (comparison.difference, comparison.metric) == (pytest.approx(expected), "accuracy")
    assert comparison.ci95[0] <= comparison.difference <= comparison.ci95[1]
    assert (comparison.verdict, comparison.over, comparison.b) == ("differ", "test rows", "stump")
    assert "against the truth, on the same 75 test rows" in comparison.question
    assert "another seed of either may give another answer" in comparison.question
    assert str(comparison).startswith("DecisionTreeClassifier - stump: accuracy +0.2667 (")
    assert str(comparison).endswith(" over test rows: these two models differ")


def test_swapping_the_students_swaps_the_sign(evaluation, stump_evaluation):
    one, other = compare(evaluation, stump_evaluation), compare(stump_evaluation, evaluation)
    assert one.difference == -other.difference
    np.testing.assert_allclose(one.ci95, (-other.ci95[1], -other.ci95[0]))
    assert (one.verdict, other.verdict) == ("differ", "differ")


def test_a_student_is_no_different_from_itself(evaluation):
    comparison = compare(evaluation, evaluation)
    assert (comparison.difference, comparison.verdict) == (0, "no difference")
    assert comparison.ci95[0] < 0 < comparison.ci95[1]


def test_lower_is_better_for_errors(evaluation, stump_evaluation):
    comparison = compare(evaluation, stump_evaluation, metric="brier")
    expected = evaluation.against_truth["brier"].value - stump_evaluation.against_truth["brier"].value
    assert comparison.difference == pytest.approx(expected)
    assert comparison.difference < 0
    assert comparison.verdict == "differ"
    assert "Lower is better" in comparison.question


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


def test_two_seeds_of_one_recipe_differ_and_neither_beats_the_other():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 8))
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=4000) > 0).astype(int)
    twins = [DecisionTreeClassifier(max_features=1, max_leaf_nodes=20, random_state=seed).fit(rows[:300], labels[:300]) for seed in (0, 1)]
    assert compare(*twins, rows[300:], labels[300:]).verdict == "differ"


def test_weighted_evaluations_are_compared_by_weight(flowers, small_tree, stump):
    rows, labels, train = flowers
    weights = np.where(labels[~train] == "setosa", 1.0, 0.1)
    evaluations = [
        evaluate(model, None, rows[~train], labels[~train], sample_weight=weights, budget_seconds=None) for model in (small_tree, stump)
    ]
    comparison = compare(*evaluations)
    expected = np.subtract(*(each.against_truth["accuracy"].value for each in evaluations))
    assert comparison.difference == pytest.approx(expected)
    other = evaluate(stump, None, rows[~train], labels[~train], budget_seconds=None)
    with pytest.raises(LabelMismatch, match="different sample weights"):
        compare(evaluations[0], other)


def test_a_likelihood_that_rests_on_few_rows_is_cautioned(evaluation, stump_evaluation):
    comparison = compare(evaluation, evaluation, metric="nll_nats")
    assert "75 rows may miss up to 4 % of rows with rare large losses; at 16.1" in comparison.caution
    assert comparison.interval.caution == comparison.caution
    assert comparison.caution in str(comparison)
    assert not compare(evaluation, stump_evaluation).caution


def test_decisions_of_a_rule_of_its_own_are_compared():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 3))
    labels = (rows[:, 0] + rng.normal(size=600) > 0.8).astype(int)
    model = LogisticRegression()
    eager, plain = FixedThresholdClassifier(model, threshold=0.2).fit(rows, labels), model.fit(rows, labels)
    expected = (eager.predict(rows) == labels).mean() - (plain.predict(rows) == labels).mean()
    assert compare(eager, plain, rows, labels).difference == pytest.approx(expected) != 0


def test_shares_of_labels_are_compared_without_a_caution():
    rows, on = make_multilabel_classification(300, 5, n_classes=3, random_state=0)
    models = [RandomForestClassifier(5, max_depth=depth, random_state=0).fit(rows[:150], on[:150]) for depth in (2, 4)]
    comparison = compare(*models, rows[150:], on[150:])
    assert comparison.metric == "accuracy"
    assert comparison.caution == ""


def test_students_of_the_same_classes_in_another_order_are_compared(flowers):
    rows, labels, train = flowers

    small, stump = (DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(rows[train], labels[train]) for leaves in (4, 2))
    turned = Turned(stump, stump.classes_[[2, 0, 1]])
    for metric in ("accuracy", "nll_nats", "brier"):
        expected = compare(small, stump, rows[~train], labels[~train], metric=metric)
        for a, b, sign in ((small, turned, 1), (turned, small, -1)):
            found = compare(a, b, rows[~train], labels[~train], metric=metric)
            assert found.difference == pytest.approx(sign * expected.difference)
            assert found.verdict == expected.verdict


def test_aligned_answers_in_another_order_decide_the_same():
    p, teacher = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), certain(np.array([1, 2]), 3)
    aligned = AlignedAnswers("multiclass", ("a", "b", "c"), p, teacher, np.eye(3)[[0, 2]], student_decisions=np.array([2, 1]))
    turned = aligned.in_order_of(("c", "a", "b"))
    assert turned.student.tolist() == p[:, [2, 0, 1]].tolist()
    assert [turned.classes[place] for place in turned.decided("student")] == ["c", "b"]
    assert [turned.classes[place] for place in turned.decided("teacher")] == ["b", "c"]
    assert [turned.classes[place] for place in turned.decided("truth")] == ["a", "c"]
    assert aligned.in_order_of(("c", "a", "d")) is aligned
    labels = AlignedAnswers("multilabel", ("a", "b"), p[:, :2], None, None, student_decisions=np.array([[1, 0], [0, 1]]))
    assert labels.in_order_of(("b", "a")).decided("student").tolist() == [[0, 1], [1, 0]]


def test_a_comparison_of_several_values_says_where_it_is_about_one():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 3))
    truth = np.column_stack([1000 * rows[:, 0], rows[:, 1]]) + rng.normal(size=(200, 2))
    models = [LinearRegression().fit(rows[:count], truth[:count]) for count in (20, 50)]
    found = compare(*models, rows[100:], truth[100:])
    said = "The mean squared error is about value 0 (counted from 0) of 2, which has 100 % of their variance"
    assert said in found.caution
    assert found.caution in str(found)
    of_teacher = compare(*models, rows[100:], truth[100:] / [1000, 1], teacher=models[0], against="teacher")
    assert said in of_teacher.caution  # the target is the teacher, though the truth is of one unit
    alike = [LinearRegression().fit(rows[:count], truth[:count] / [1000, 1]) for count in (20, 50)]
    assert "about value" not in compare(*alike, rows[100:], truth[100:] / [1000, 1]).caution
