from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.evaluation.displays.fidelity import FidelityDisplay
from tutelage.evaluation.evaluate import evaluate


def test_every_class_of_every_row_is_a_point(evaluation):
    display = FidelityDisplay.from_evaluation(evaluation)
    dots, diagonal = display.ax_.lines
    np.testing.assert_array_equal(dots.get_xdata(), evaluation.answers.teacher.ravel())
    np.testing.assert_array_equal(dots.get_ydata(), evaluation.answers.student.ravel())
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
    assert display.ax_.get_xlabel() == "probability, teacher"


def test_for_two_classes_the_second_is_drawn():
    p = np.array([[0.9, 0.1], [0.4, 0.6]])
    display = FidelityDisplay.from_predictions(p, p[::-1], task="binary")
    np.testing.assert_array_equal(display.teacher, [0.1, 0.6])
    np.testing.assert_array_equal(display.student, [0.6, 0.1])


def test_many_points_are_counted_in_hexagons():
    rng = np.random.default_rng(0)
    values = rng.normal(size=5000)
    display = FidelityDisplay.from_predictions(values, values + 0.1, task="regression")
    assert display.ax_.collections[0].get_array().sum() == 5000
    assert len(display.figure_.axes) == 2  # and a colour bar
    assert display.ax_.get_ylabel() == "value, student"
    display.figure_.draw_without_rendering()


def test_equal_values_still_span_the_axes():
    display = FidelityDisplay.from_predictions([2.0, 2.0], [2.0, 2.0], task="regression")
    low, high = display.ax_.get_xlim()
    assert low < 2 < high


def test_an_estimator_can_be_drawn_on_given_axes(flowers, forest, small_tree):
    rows, _, train = flowers
    _, ax = plt.subplots()
    display = FidelityDisplay.from_estimator(small_tree, rows[~train], teacher=forest, name="tree", ax=ax)
    assert display.ax_ is ax
    assert ax.get_title(loc="left") == "Fidelity of tree"


def test_invalid_input_is_refused(flowers, small_tree, evaluation):
    rows, labels, train = flowers
    with pytest.raises(BadInput, match="evaluate with a teacher"):
        FidelityDisplay.from_evaluation(evaluate(small_tree, None, rows[~train], labels[~train], budget_seconds=None))
    with pytest.raises(BadInput, match="call evaluate again"):
        FidelityDisplay.from_evaluation(replace(evaluation, answers=None))
    with pytest.raises(ShapeError, match="same rows and columns"):
        FidelityDisplay.from_predictions([1.0, 2.0], [1.0])
    with pytest.raises(BadInput, match="NaN or inf"):
        FidelityDisplay.from_predictions([1.0, np.nan], [1.0, 2.0])


def test_a_dollar_sign_in_the_name_is_drawn_as_it_is():
    display = FidelityDisplay.from_predictions([[0.4, 0.6]], [[0.5, 0.5]], name="$_$")
    display.figure_.draw_without_rendering()
    assert display.ax_.get_title(loc="left") == "Fidelity of $_$"
