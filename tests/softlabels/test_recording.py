from dataclasses import dataclass

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.softlabels.recording import record

ROWS = np.arange(12.0).reshape(3, 4)
LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -3.0]])


@dataclass
class Fake:
    """A teacher that says what it is told to, and counts the questions."""

    says: np.ndarray
    kind: str = "logits"
    fingerprint: str = "fake"
    asked: int = 0

    @property
    def form(self):
        return AnswerForm(self.kind, "binary", ("a", "b"))

    def answer(self, inputs):
        self.asked += 1
        return self.says


def test_the_teacher_is_asked_once_and_its_words_are_kept():
    teacher = Fake(LOGITS)
    labels = record(teacher, ROWS)
    np.testing.assert_array_equal(labels.answers, LOGITS)
    assert (labels.form, labels.fingerprint, teacher.asked) == (teacher.form, "fake", 1)
    np.testing.assert_array_equal(labels.answer(ROWS[[1]]), LOGITS[[1]])


@pytest.mark.parametrize(
    ("says", "kind", "error"),
    [
        (LOGITS[:2], "logits", LabelMismatch),
        (np.c_[LOGITS, LOGITS], "logits", ShapeError),
        (LOGITS, "probabilities", NotProbabilities),
        (np.full((3, 2), np.nan), "logits", BadInput),
    ],
)
def test_answers_that_are_not_what_the_teacher_declares_are_refused(says, kind, error):
    with pytest.raises(error):
        record(Fake(says, kind=kind), ROWS)
