import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch, ShapeError
from tutelage.data.row_names import row_names
from tutelage.softlabels.labels import SoftLabels

ROWS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -3.0]])
FORM = AnswerForm("logits", "binary", ("a", "b"))


def labels_of(answers=LOGITS, form=FORM, rows=ROWS):
    return SoftLabels(answers, form, row_names(rows))


def test_soft_labels_answer_their_rows_in_any_order_and_selection():
    labels = labels_of()
    assert isinstance(labels, Teacher)
    assert labels.answer(ROWS) is labels.answers
    np.testing.assert_array_equal(labels.answer(ROWS[[2, 0, 2]]), LOGITS[[2, 0, 2]])


@pytest.mark.parametrize("rows", [ROWS + 1, np.vstack([ROWS, [[9.0, 9.0]]]), ROWS[:, ::-1], ROWS[:, :1]])
def test_other_rows_are_refused(rows):
    with pytest.raises(LabelMismatch, match=r"rows are not among the 3 .* record again"):
        labels_of().answer(rows)


def test_a_row_recorded_twice_can_be_looked_up_only_if_its_answers_are_equal():
    twice = ROWS[[0, 1, 0]]
    same = labels_of(LOGITS[[0, 1, 0]], rows=twice)
    np.testing.assert_array_equal(same.answer(ROWS[:1]), LOGITS[:1])
    differing = labels_of(LOGITS, rows=twice)
    assert differing.answer(twice) is differing.answers
    with pytest.raises(LabelMismatch, match="rows 0 and 2 are the same row with different answers"):
        differing.answer(ROWS[:1])


def test_probabilities_are_not_passed_through_softmax_again():
    p = softmax(LOGITS)
    labels = labels_of(p, FORM.as_kind("probabilities"))
    np.testing.assert_array_equal(labels.probabilities, p)
    np.testing.assert_allclose(softmax(labels.logits), p)
    np.testing.assert_allclose(labels_of().probabilities, p)


def test_values_have_no_probabilities():
    with pytest.raises(LabelMismatch, match="regression values"):
        _ = labels_of(LOGITS[:, :1], AnswerForm("values", "regression")).probabilities


def test_answers_must_fit_rows_and_classes():
    with pytest.raises(LabelMismatch, match="2 answers to 3 rows"):
        labels_of(LOGITS[:2])
    with pytest.raises(ShapeError, match="have 4 columns; expected 2"):
        labels_of(np.c_[LOGITS, LOGITS])
