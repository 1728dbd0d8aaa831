import pytest
import torch

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.training.batch_loss import check_answers

INPUTS = torch.arange(24.0).reshape(8, 3).sin()
FORM = of_classes("logits", ("a", "b"))


def test_answers_that_cannot_be_trained_on_are_refused():
    for answers, error, message in (
        ((INPUTS,), BadInput, "returns a tuple, not a tensor of answers; pass output="),
        (torch.full((2, 2), 0.5), BadInput, "probabilities already"),
        (torch.zeros(2, 3), ShapeError, r"shape \(2, 3\); expected \(2, 2\)"),
        (torch.zeros(2, 5, 2), ShapeError, r"shape \(2, 5, 2\); .* answers every token or pixel"),
        (torch.zeros(4, 2), ShapeError, r"of 2 rows have shape \(4, 2\)"),
        (torch.zeros(2), ShapeError, r"shape \(2,\)"),
    ):
        with pytest.raises(error, match=message):
            check_answers(answers, FORM, None, rows=2)
    check_answers(torch.randn(2, 2), FORM, None, rows=2)
    check_answers(torch.randn(5, 2, 2), FORM, None, rows=2, copies=5)
