import numpy as np
import pytest

from tutelage.experiments.scorecard import ClassificationTest, Measured, RegressionTest, arm_of, compare

LABELS = np.array([0, 1, 1, 0])


def measured(name, predictions, **changes):
    predictions = np.array(predictions)
    given = {"meaning": name, "seeds": tuple(range(len(predictions))), "parameters": (10,) * len(predictions), **changes}
    return Measured(name, predictions=predictions, **given)


TEACHER = measured("teacher", [[0, 1, 0, 0]])
TREE = measured("tree", [[0, 1, 0, 0], [0, 0, 0, 0]], parameters=(3, 6), unit="nodes", published={"test_accuracy": 0.9})
SHARED = ClassificationTest(LABELS, TEACHER.predictions[0])


def test_scores_are_counted_against_truth_and_teacher():
    arm = arm_of(TREE, SHARED)
    assert arm.scores == {"test_accuracy": (0.75, 0.5), "test_errors": (1, 2), "fidelity": (1.0, 0.75)}
    assert (arm.parameters, arm.unit, arm.published) == (4, "nodes", {"test_accuracy": 0.9})
    assert arm.interval.over == "seeds and test rows"
    assert arm.interval.low < 0.625 < arm.interval.high


def test_a_model_trained_once_has_an_interval_over_rows():
    assert arm_of(TEACHER, SHARED).interval.over == "test rows"


def test_an_accuracy_lies_between_nothing_and_all():
    interval = arm_of(measured("unsteady", [[0, 1, 1, 0], [1, 0, 1, 1]]), SHARED).interval
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_classification_is_compared_on_accuracy_and_more_is_better():
    comparison = compare(TREE, TEACHER, SHARED, "which?")
    assert (comparison.metric, comparison.difference, comparison.over) == ("test_accuracy", -0.125, "seeds and test rows")
    assert (comparison.a, comparison.b, comparison.question) == ("tree", "teacher", "which?")


def test_rows_of_their_own_are_compared_over_seeds_alone():
    own = ClassificationTest(np.tile(LABELS, (2, 1)), np.tile(TEACHER.predictions, (2, 1)))
    assert compare(TREE, measured("other", [[0, 1, 1, 0], [0, 1, 1, 0]]), own, "").over == "seeds"


def test_regression_is_compared_on_squared_error_and_less_is_better():
    values = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    test = RegressionTest(values, teacher=values)
    good, bad = measured("good", values + np.array([[0.1], [0.11]])), measured("bad", values + np.array([[0.5], [0.51]]))
    arm = arm_of(bad, test)
    np.testing.assert_allclose(arm.scores["test_mse"], [0.25, 0.2601])
    np.testing.assert_allclose(arm.scores["test_r2"], 1 - np.array([0.25, 0.2601]) / (2 / 3))
    np.testing.assert_allclose(arm.scores["fidelity"], arm.scores["test_r2"])
    comparison = compare(good, bad, test, "")
    assert comparison.metric == "test_mse"
    assert comparison.difference == pytest.approx(np.mean([0.01, 0.0121]) - np.mean([0.25, 0.2601]))
    assert comparison.verdict == "beats"
    assert compare(bad, good, test, "").verdict == "worse"


def test_seeds_that_agree_exactly_have_an_interval_with_a_width():
    same = measured("steady", [[0, 1, 1, 1]] * 3)
    for test in (SHARED, ClassificationTest(np.tile(LABELS, (3, 1)), np.tile(TEACHER.predictions, (3, 1)))):
        interval = arm_of(same, test).interval
        assert interval.low < 0.75 < interval.high
        comparison = compare(same, same, test, "")
        assert comparison.ci95[0] < 0 < comparison.ci95[1]
        assert comparison.verdict == "no difference"
