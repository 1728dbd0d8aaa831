import numpy as np
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.core.position_answers import PositionAnswers, checked, joined, ranges

TOKENS = AnswerForm("logits", "multiclass", ("a", "b", "c"), "tokens")
PIXELS = AnswerForm("logits", "binary", ("no", "yes"), "pixels")


def of_lengths(*lengths: int) -> PositionAnswers:
    rng = np.random.default_rng(0)
    return PositionAnswers.of_rows([rng.normal(size=(length, 3)) for length in lengths])


def test_a_row_is_found_without_padding_and_several_in_any_order():
    answers = of_lengths(2, 0, 3)
    assert [len(answers[row]) for row in range(3)] == [2, 0, 3]
    assert answers[-1].tolist() == answers.values[2:].tolist()
    backwards = answers[[2, 0]]
    assert backwards.values.tolist() == [*answers[2].tolist(), *answers[0].tolist()]
    assert answers[np.array([False, False, True])][0].tolist() == answers[2].tolist()
    assert answers.row_of.tolist() == [0, 0, 2, 2, 2]
    assert [len(row) for row in answers] == [2, 0, 3]  # an index beyond the end ends an iteration


def test_a_picture_keeps_its_height_and_width():
    pictures = [np.arange(12.0).reshape(2, 2, 3), np.arange(8.0).reshape(2, 4, 1)]
    answers = PositionAnswers.of_rows(pictures)
    assert answers.values.shape == (10, 2)
    assert all(answers[row].tolist() == picture.tolist() for row, picture in enumerate(pictures))


def test_parts_are_joined_in_order_and_only_with_parts_of_their_form():
    first, second = of_lengths(1, 2), of_lengths(3)
    together = joined([first, second])
    assert isinstance(together, PositionAnswers)
    assert together.counts.tolist() == [1, 2, 3]
    assert joined([np.zeros((1, 2)), np.ones((2, 2))]).shape == (3, 2)
    with pytest.raises(BadInput, match="some answers have positions"):
        joined([first, np.zeros((1, 3))])


def test_answers_are_checked_against_a_form_with_positions():
    assert checked(TOKENS, [np.zeros((2, 3)), np.zeros((1, 3))], 2).counts.tolist() == [2, 1]
    assert checked(TOKENS, np.zeros((4, 5, 3)), 4).counts.tolist() == [5] * 4
    assert checked(PIXELS, np.zeros((4, 2, 6, 5)), 4).shapes.tolist() == [[6, 5]] * 4
    assert len(checked(TOKENS, [np.zeros((0, 3))], 1).values) == 0
    assert checked(AnswerForm("logits", "binary", (0, 1)), np.zeros((2, 2)), 2).shape == (2, 2)


def test_the_second_of_two_classes_will_do():
    maps = np.array([[[[0.2, 0.7]]]])
    assert np.allclose(checked(PIXELS.as_kind("probabilities"), maps, 1).values, [[0.8, 0.2], [0.3, 0.7]])
    assert checked(PIXELS, maps, 1).values.tolist() == [[0.0, 0.2], [0.0, 0.7]]


@pytest.mark.parametrize(
    ("answers", "rows", "error", "words"),
    [
        (np.zeros((4, 3)), 4, ShapeError, r"shape \(4, 3\); expected \(rows, tokens, classes\)"),
        (np.zeros((4, 5, 2)), 4, ShapeError, "expected 3"),
        (np.zeros((4, 5, 3)), 5, LabelMismatch, "answers to 4 rows, and 5 were asked"),
        (np.full((1, 1, 3), np.nan), 1, BadInput, "NaN"),
        ([np.zeros((2, 3)), np.zeros((2, 2))], 2, ShapeError, "different numbers of classes"),
        ([np.zeros((2, 3)), np.zeros(3)], 2, ShapeError, "an array for each row"),
        (PositionAnswers.of_rows([np.zeros((3, 2, 2))]), 1, ShapeError, "2 axes of positions; expected 1"),
        (np.zeros((0, 5, 3)), 0, ShapeError, "no rows"),
    ],
)
def test_answers_of_another_form_are_refused(answers, rows, error, words):
    with pytest.raises(error, match=words):
        checked(TOKENS, answers, rows)


def test_a_form_without_positions_takes_none_and_the_other_way_round():
    with pytest.raises(ShapeError, match="declare positions='tokens' or 'pixels'"):
        checked(AnswerForm("logits", "multiclass", (0, 1, 2)), of_lengths(2), 1)
    with pytest.raises(BadInput, match=r"have positions \(tokens\), and this function takes one answer per row"):
        TOKENS.check(np.zeros((2, 3)), 2)
    with pytest.raises(BadInput, match="positions is 'words'"):
        AnswerForm("logits", "binary", (0, 1), "words")  # type: ignore[arg-type]


def test_probabilities_of_a_position_must_sum_to_one():
    form = TOKENS.as_kind("probabilities")
    assert form.positions == "tokens"
    with pytest.raises(NotProbabilities, match="1 of 3 rows"):
        checked(form, [np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.5, 0.5, 0.5]])], 1)


def test_shapes_and_values_must_agree():
    with pytest.raises(ShapeError, match="3 answers to 2 positions"):
        PositionAnswers(np.zeros((3, 2)), np.array([[2]]))
    with pytest.raises(ShapeError, match="0 or more"):
        PositionAnswers(np.zeros((0, 2)), np.array([[-1], [1]]))


def test_top_answers_may_be_the_values():
    top = TopAnswers(np.array([[0], [2], [1]], np.uint16), np.log([[0.6], [0.5], [0.9]]), np.log([0.4, 0.5, 0.1]), 3)
    answers = PositionAnswers(top, np.array([[1], [2]]))
    assert np.array_equal(checked(TOKENS, answers, 2).values.ids, top.ids)
    assert np.exp(answers.dense()).sum(axis=1).round(6).tolist() == [1, 1, 1]
    assert answers[1].ids.tolist() == [[2], [1]]
    with pytest.raises(ShapeError, match="among 3 classes; expected 2"):
        checked(AnswerForm("logits", "binary", (0, 1), "tokens"), answers, 2)


def test_ranges_follow_one_another():
    assert ranges(np.array([4, 0, 9]), np.array([2, 0, 1])).tolist() == [4, 5, 9]
    assert ranges(np.zeros(0, int), np.zeros(0, int)).tolist() == []
