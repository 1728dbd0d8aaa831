import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.evaluation.displays.reliability import ReliabilityDisplay
from tutelage.evaluation.evaluate import evaluate

PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])


def test_both_curves_of_an_evaluation_are_drawn_with_their_errors(evaluation):
    shown = ReliabilityDisplay.from_evaluation(evaluation)
    _, truth, teacher = shown.ax_.lines
    np.testing.assert_allclose(truth.get_xydata().T, (evaluation.reliability["truth"].confidence, evaluation.reliability["truth"].outcome))
    np.testing.assert_allclose(teacher.get_ydata(), evaluation.reliability["teacher"].outcome)
    labels = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert labels[0] == f"against the truth (ECE {evaluation.against_truth['ece'].value:.3f})"
    assert labels[1].startswith("against the teacher (ECE ")
    assert shown.ax_.get_title(loc="left") == "Reliability of DecisionTreeClassifier"


def test_rows_are_counted_below(evaluation):
    shown = ReliabilityDisplay.from_evaluation(evaluation)
    heights = [bar.get_height() for bar in shown.counts_ax_.patches]
    assert tuple(heights) == evaluation.reliability["truth"].rows
    assert sum(heights) == 75
    shown.figure_.draw_without_rendering()


def test_an_estimator_can_be_drawn_at_once(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    shown = ReliabilityDisplay.from_estimator(small_tree, rows[~train], labels[~train], teacher=forest, name="tree")
    assert shown.curves == evaluation.reliability
    assert "tree" in shown.ax_.get_title(loc="left")


def test_answers_at_hand_can_be_drawn_on_axes_of_ones_own():
    figure, ax = plt.subplots()
    shown = ReliabilityDisplay.from_predictions(["a", "a", "b", "a"], PROBS, classes=["a", "b"], ax=ax)
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    # Confidences 0.9, 0.8, 0.7 and 0.55 in bins of their own; the last is wrong.
    assert shown.ece["truth"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.55) / 4)
    against = ReliabilityDisplay.from_predictions(PROBS, PROBS, against="teacher")
    assert against.ece["teacher"] == pytest.approx(0)


def test_only_shares_of_right_rows_have_an_interval():
    spans = [
        len(ReliabilityDisplay.from_predictions(target, PROBS, against=against).ax_.collections)
        for target, against in (([0, 0, 1, 0], "truth"), (PROBS, "teacher"))
    ]
    assert spans == [1, 0]


def test_what_cannot_be_drawn_is_refused():
    rows = np.arange(12.0).reshape(6, 2)
    values = evaluate(LinearRegression().fit(rows, rows[:, 0]), None, rows, rows[:, 0], budget_seconds=None)
    with pytest.raises(BadInput, match="see FidelityDisplay"):
        ReliabilityDisplay.from_evaluation(values)
    with pytest.raises(LabelMismatch, match=r"\['c'\]"):
        ReliabilityDisplay.from_predictions(["a", "a", "b", "c"], PROBS, classes=["a", "b"])
    with pytest.raises(NotProbabilities, match="the student's probabilities"):
        ReliabilityDisplay.from_predictions([0, 1, 1, 0], PROBS * 2)
