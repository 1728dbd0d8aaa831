import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.evaluation.displays.reliability import ReliabilityDisplay
from tutelage.evaluation.evaluate import evaluate

PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])


def test_both_curves_of_an_evaluation_are_drawn_with_their_ece(evaluation):
    display = ReliabilityDisplay.from_evaluation(evaluation)
    _, truth, teacher = display.ax_.lines
    np.testing.assert_allclose(truth.get_xydata().T, (evaluation.reliability["truth"].confidence, evaluation.reliability["truth"].outcome))
    np.testing.assert_allclose(teacher.get_ydata(), evaluation.reliability["teacher"].outcome)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0] == f"against the truth (ECE {evaluation.against_truth['ece'].value:.3f})"
    assert labels[1].startswith("against the teacher (ECE ")
    assert display.ax_.get_title(loc="left") == "Reliability of DecisionTreeClassifier"


def test_row_counts_are_drawn_below(evaluation):
    display = ReliabilityDisplay.from_evaluation(evaluation)
    heights = [bar.get_height() for bar in display.counts_ax_.patches]
    assert tuple(heights) == evaluation.reliability["truth"].rows
    assert sum(heights) == 75
    display.figure_.draw_without_rendering()


def test_an_estimator_can_be_drawn_directly(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    display = ReliabilityDisplay.from_estimator(small_tree, rows[~train], labels[~train], teacher=forest, name="tree")
    assert display.curves == evaluation.reliability
    assert "tree" in display.ax_.get_title(loc="left")


def test_predictions_can_be_drawn_on_given_axes():
    figure, ax = plt.subplots()
    display = ReliabilityDisplay.from_predictions(["a", "a", "b", "a"], PROBS, classes=["a", "b"], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    # Confidences 0.9, 0.8, 0.7 and 0.55 are in separate bins; the last decision is wrong.
    assert display.ece["truth"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.55) / 4)
    against = ReliabilityDisplay.from_predictions(PROBS, PROBS, against="teacher")
    assert against.ece["teacher"] == pytest.approx(0)


def test_only_the_curve_against_the_truth_has_intervals():
    spans = [
        len(ReliabilityDisplay.from_predictions(target, PROBS, against=against).ax_.collections)
        for target, against in (([0, 0, 1, 0], "truth"), (PROBS, "teacher"))
    ]
    assert spans == [1, 0]


def test_invalid_input_is_refused():
    rows = np.arange(12.0).reshape(6, 2)
    values = evaluate(LinearRegression().fit(rows, rows[:, 0]), None, rows, rows[:, 0], budget_seconds=None)
    with pytest.raises(BadInput, match="use FidelityDisplay"):
        ReliabilityDisplay.from_evaluation(values)
    with pytest.raises(LabelMismatch, match=r"\['c'\]"):
        ReliabilityDisplay.from_predictions(["a", "a", "b", "c"], PROBS, classes=["a", "b"])
    with pytest.raises(NotProbabilities, match="the student's probabilities"):
        ReliabilityDisplay.from_predictions([0, 1, 1, 0], PROBS * 2)


def test_a_dollar_sign_in_the_name_is_drawn_as_it_is():
    display = ReliabilityDisplay.from_predictions([0, 1], [[0.6, 0.4], [0.5, 0.5]], name="$_$")
    display.figure_.draw_without_rendering()
    assert display.ax_.get_title(loc="left") == "Reliability of $_$"
