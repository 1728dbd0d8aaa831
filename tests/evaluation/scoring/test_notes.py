import numpy as np
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.evaluation.metrics.top import certain
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.notes import notes_on
from tutelage.evaluation.scoring.row_scores import Settings
from tutelage.evaluation.scoring.scores import scores


def _notes(answers, settings=None):
    settings = settings or Settings()
    return notes_on(answers, {"against_truth": scores(answers, "truth", settings)}, settings)


def test_a_note_says_where_the_floor_counts_in_place_of_a_probability():
    student = np.array([[1.0, 0.0], [0.4, 0.6], [0.5, 0.5]])
    answers = AlignedAnswers("binary", (0, 1), student, None, certain(np.array([1, 1, 0]), 2), positions="tokens", row_of=np.arange(3))
    (note,) = [each for each in _notes(answers) if "counts in its place" in each]
    assert note == (
        "In 1 of 3 tokens the student gives the truth less than 1e-07, which counts in its place; "
        "the perplexity of the student is at least what is shown."
    )
    assert not any("counts in its place" in each for each in _notes(answers, Settings(floor=1e-3)) if "1e-07" in each)


def test_a_note_says_what_is_not_known_of_the_most_probable_classes():
    top = TopAnswers(np.array([[0], [2]]), np.log([[0.9], [0.8]]), np.log([0.1, 0.2]), 4)
    answers = AlignedAnswers("multiclass", tuple("abcd"), top, None, certain(np.array([0, 1]), 4))
    found = " ".join(_notes(answers))
    assert "The student gives the 1 most probable of 4 classes" in found
    least = -(np.log(0.9) + np.log(0.2)) / 2
    assert (
        "In 1 of 2 rows the truth is not among the student's most probable classes, too many for its likelihood loss, which is left out; "
        f"it is at least {least:.4g} nats."
    ) in found
    assert "nll_nats" not in scores(answers, "truth", Settings()).of_rows
    assert "There is no AUC: only the most probable classes of each answer are known." in found


def test_a_likelihood_that_is_nearly_known_is_given_as_a_bound():
    ids, codes = np.zeros((100, 1), int), np.zeros(100, int)
    codes[0] = 1
    top = TopAnswers(ids, np.log(np.full((100, 1), 0.9)), np.log(np.full(100, 0.1)), 4)
    answers = AlignedAnswers("multiclass", tuple("abcd"), top, None, certain(codes, 4), positions="tokens", row_of=np.arange(100))
    found = scores(answers, "truth", Settings()).of_rows["nll_nats"]
    assert found.mean == pytest.approx(-(99 * np.log(0.9) + np.log(0.1)) / 100)
    (note,) = [each for each in _notes(answers) if "In 1 of 100 tokens" in each]
    assert note.endswith("the perplexity of the student is at least what is shown.")


def test_a_note_says_which_figures_are_left_out_of_many_classes():
    student = np.full((2, 2500), 1 / 2500)
    answers = AlignedAnswers("multiclass", tuple(range(2500)), student, None, certain(np.array([0, 1]), 2500))
    assert "F1, AUC and the worst class are left out: there are 2,500 classes, more than 2,000." in _notes(answers)


def test_a_note_says_that_the_squared_error_is_about_the_largest_of_several_values():
    truth = np.column_stack([np.arange(4.0), 1000 * np.arange(4.0)])
    (note,) = _notes(AlignedAnswers("regression", (), truth + 1, None, truth))
    assert note.startswith(
        "The mean squared error is about value 1 (counted from 0) of 2, which has 100 % of their variance; R2 counts each"
    )
    assert _notes(AlignedAnswers("regression", (), truth + 1, None, truth / [1, 1000])) == ()
    assert _notes(AlignedAnswers("regression", (), truth[:, 1:] + 1, None, truth[:, 1:])) == ()
