from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.evaluation.displays.decisions import AgreementDisplay


def test_each_row_of_the_matrix_is_a_decision_of_the_teacher(evaluation):
    display = AgreementDisplay.from_evaluation(evaluation)
    np.testing.assert_allclose(display.shares.sum(axis=1), 1)
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), display.shares)
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["setosa", "versicolor", "virginica"]
    agreement = evaluation.against_teacher["agreement"].value
    assert display.ax_.get_title(loc="left") == f"DecisionTreeClassifier: agreement {100 * agreement:.1f} %"


def test_shares_are_written_in_per_cent_and_zeros_left_out():
    display = AgreementDisplay.from_predictions(["x"] * 4 + ["y"], ["x", "x", "x", "y", "y"], classes=["x", "y"])
    assert {text.get_position(): text.get_text() for text in display.ax_.texts} == {(0, 0): "75", (1, 0): "25", (1, 1): "100"}
    rare = AgreementDisplay([[999, 1], [0, 5]], ["x", "y"]).plot()
    assert "<1" in [text.get_text() for text in rare.ax_.texts]


def test_many_classes_are_shown_by_colour_only():
    display = AgreementDisplay(np.eye(40), range(40)).plot()
    assert len(display.ax_.texts) == 0
    assert len(display.figure_.axes) == 2  # the matrix and its colour bar
    display.figure_.draw_without_rendering()


def test_an_estimator_can_be_drawn_on_given_axes(flowers, forest, small_tree, evaluation):
    rows, _, train = flowers
    _, ax = plt.subplots()
    display = AgreementDisplay.from_estimator(small_tree, rows[~train], teacher=forest, ax=ax)
    assert display.ax_ is ax
    np.testing.assert_array_equal(display.counts, evaluation.decisions)


def test_invalid_input_is_refused(evaluation):
    with pytest.raises(BadInput, match="needs a teacher, one class per row"):
        AgreementDisplay.from_evaluation(replace(evaluation, decisions=None))
    with pytest.raises(LabelMismatch, match=r"\['z'\]"):
        AgreementDisplay.from_predictions(["x"], ["z"], classes=["x", "y"])
    with pytest.raises(ShapeError, match="2 decisions of the teacher and 1"):
        AgreementDisplay.from_predictions(["x", "y"], ["x"], classes=["x", "y"])
    with pytest.raises(ShapeError, match="expected a square"):
        AgreementDisplay([[1, 2]], ["x", "y"])


def test_dollar_signs_in_names_are_drawn_as_they_are():
    names = ["$x^$", "price $", r"$\frac{1}$"]  # as formulas, the first and the last would end the drawing
    display = AgreementDisplay(np.eye(3), names, name="tree $_$").plot()
    display.figure_.draw_without_rendering()
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == names
