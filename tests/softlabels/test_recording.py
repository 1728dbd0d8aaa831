from dataclasses import dataclass

import numpy as np
import pytest

from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.softlabels.recording import SoftLabels, record

LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -3.0]])


@dataclass
class Fake:
    """A teacher that says what it is told to, and counts the questions."""

    says: np.ndarray
    kind: str = "logits"
    classes: tuple = ("a", "b")
    asked: int = 0

    def answer(self, inputs):
        self.asked += 1
        return self.says


def test_the_teacher_is_asked_once_and_its_words_are_kept():
    teacher = Fake(LOGITS)
    labels = record(teacher, np.zeros((3, 4)), data="abc")
    np.testing.assert_array_equal(labels.logits, LOGITS)
    np.testing.assert_allclose(labels.probabilities, softmax(LOGITS))
    assert (labels.classes, labels.data, teacher.asked) == (("a", "b"), "abc", 1)


def test_probabilities_are_not_passed_through_softmax_again():
    p = softmax(LOGITS)
    labels = record(Fake(p, kind="probabilities"), np.zeros((3, 4)), data="")
    np.testing.assert_array_equal(labels.probabilities, p)
    np.testing.assert_allclose(softmax(labels.logits), p)


def test_values_have_no_probabilities():
    labels = record(Fake(LOGITS[:, :1], kind="values", classes=()), np.zeros((3, 4)), data="")
    with pytest.raises(LabelMismatch, match="regression values"):
        _ = labels.probabilities


@pytest.mark.parametrize(
    ("says", "kind", "error"),
    [
        (LOGITS[:2], "logits", LabelMismatch),
        (np.c_[LOGITS, LOGITS], "logits", LabelMismatch),
        (LOGITS, "probabilities", NotProbabilities),
        (np.full((3, 2), np.nan), "logits", BadInput),
    ],
)
def test_answers_that_are_not_what_the_teacher_declares_are_refused(says, kind, error):
    with pytest.raises(error):
        record(Fake(says, kind=kind), np.zeros((3, 4)), data="")


@pytest.mark.parametrize(("data", "rows"), [("abe", 3), ("abc", 2)])
def test_labels_are_refused_for_other_rows(data, rows):
    labels = SoftLabels(LOGITS, "logits", ("a", "b"), "abc")
    assert labels.for_rows("abc", 3) is labels
    with pytest.raises(LabelMismatch, match=rf"recorded on 3 rows \(data abc...\); this data has {rows} .* record again"):
        labels.for_rows(data, rows)
