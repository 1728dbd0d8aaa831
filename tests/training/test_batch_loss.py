import numpy as np
import pytest
import torch

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.training.batch_loss import check_answers, truth_of

INPUTS = torch.arange(24.0).reshape(8, 3).sin()
FORM = of_classes("logits", ("a", "b"))


def test_the_truth_is_put_in_the_order_of_the_classes():
    assert truth_of(np.array(["b", "a", "b"]), FORM, 3).tolist() == [1, 0, 1]
    assert truth_of(torch.tensor([[1.0], [2.0]]), AnswerForm("values", "regression"), 2).tolist() == [[1.0], [2.0]]
    for y, form, error, said in (
        (["a", "z"], FORM, LabelMismatch, r"y holds \['z'\]"),
        ([[0.5, 0.5]] * 2, FORM, ShapeError, "Soft targets are passed as labels"),
        (["a"], FORM, ShapeError, "2 and 1 rows"),
        ([[1, 0, 1]] * 2, AnswerForm("logits", "multilabel", ("x", "y")), ShapeError, "3 columns"),
    ):
        with pytest.raises(error, match=said):
            truth_of(np.array(y), form, 2)


def test_answers_that_cannot_be_trained_on_are_refused():
    for said, error, sentence in (
        ((INPUTS,), BadInput, "returns a tuple, not a tensor of answers; pass output="),
        (torch.full((2, 2), 0.5), BadInput, "probabilities already"),
        (torch.zeros(2, 3), ShapeError, r"shape \(2, 3\); expected \(batch, 2\)"),
        (torch.zeros(2), ShapeError, r"shape \(2,\)"),
    ):
        with pytest.raises(error, match=sentence):
            check_answers(said, FORM, None)
    check_answers(torch.randn(2, 2), FORM, None)
