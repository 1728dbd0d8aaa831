import numpy as np
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import LabelMismatch, ShapeError
from tutelage.core.position_answers import PositionAnswers, checked, probabilities_of

TOP = TopAnswers(np.array([[1]]), np.log([[0.9]]), np.log([0.1]), 3)
FORM = of_classes("logits", ("a", "b", "c"))


def test_the_most_probable_classes_are_checked_and_stay_as_they_are():
    assert checked(FORM, TOP, 1) is TOP
    assert probabilities_of(FORM, TOP) is TOP
    with pytest.raises(LabelMismatch, match="1 answers to 2 rows"):
        checked(FORM, TOP, 2)
    with pytest.raises(ShapeError, match="choose among 3 classes; expected 2"):
        checked(of_classes("logits", ("a", "b")), TOP, 1)
    with pytest.raises(LabelMismatch, match="multilabel"):
        checked(AnswerForm("logits", "multilabel", ("a", "b", "c")), TOP, 1)


def test_answers_of_positions_become_probabilities():
    answers = PositionAnswers.of_rows([np.zeros((2, 3)), np.ones((1, 3))])
    form = AnswerForm("logits", "multiclass", ("a", "b", "c"), positions="tokens")
    found = probabilities_of(form, answers)
    np.testing.assert_allclose(found.values.sum(axis=1), 1)
    assert found.shapes.tolist() == [[2], [1]]
