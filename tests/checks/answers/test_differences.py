import numpy as np
import pytest

from tutelage.checks.answers.differences import graded, largest_difference
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.position_answers import PositionAnswers

FORM = of_classes("probabilities", ("a", "b", "c"))
TOKENS = AnswerForm("probabilities", "multiclass", ("a", "b", "c"), positions="tokens")


def test_answers_to_positions_differ_by_the_most_different_one():
    first = PositionAnswers.of_rows([np.full((2, 3), 1 / 3), np.eye(3)[:1]])
    second = PositionAnswers.of_rows([np.full((2, 3), 1 / 3), np.array([[0.9, 0.1, 0.0]])])
    assert largest_difference(TOKENS, first, second) == pytest.approx(0.1)
    assert largest_difference(TOKENS, first, first[[1, 0]]) == np.inf
    nothing = PositionAnswers(np.zeros((0, 3)), np.zeros((2, 1), int))
    assert largest_difference(TOKENS, nothing, nothing) == 0


def test_the_most_probable_classes_differ_by_class():
    first = TopAnswers(np.array([[0, 1]]), np.log([[0.4, 0.4]]), np.log([0.2]), 3)
    swapped = TopAnswers(np.array([[1, 0]]), np.log([[0.4, 0.4]]), np.log([0.2]), 3)
    other = TopAnswers(np.array([[0, 2]]), np.log([[0.4, 0.4]]), np.log([0.2]), 3)
    assert largest_difference(FORM, first, swapped) == 0
    assert largest_difference(FORM, first, other) == pytest.approx(0.4)
    assert largest_difference(FORM, first, TopAnswers(first.ids[:, :1], first.log_probs[:, :1], first.rest, 3)) == np.inf


def test_a_difference_is_graded():
    assert [graded("x", difference, 3, "asked twice", "do").severity for difference in (0, 1e-4, 0.5, np.inf)] == [
        "ok",
        "note",
        "error",
        "error",
    ]
    assert "answers other positions" in graded("x", np.inf, 3, "asked twice", "do").sentence
