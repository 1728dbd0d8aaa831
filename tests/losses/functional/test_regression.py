import math

import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.regression import gaussian, huber, positive_variances, squared_error, teacher_bounded

S = torch.tensor([[1.0, 0.0], [3.0, -2.0]], dtype=torch.float64)
T = torch.tensor([[0.5, 0.0], [0.0, -2.5]], dtype=torch.float64)
MOMENTS = torch.cat([T, torch.tensor([[0.25, 1.0], [4.0, 0.5]], dtype=torch.float64)], dim=1)


def test_the_values_match_the_equations():
    torch.testing.assert_close(squared_error(S, T), torch.tensor([0.25, 9.25]).double())
    torch.testing.assert_close(huber(S, T), torch.tensor([0.125, 2.5 + 0.125]).double())
    torch.testing.assert_close(huber(S, T, delta=2.0), torch.tensor([0.125, 4.0 + 0.125]).double())


def test_gaussian_matches_torchs_log_prob():
    expected = -torch.distributions.Normal(MOMENTS[:, :2], MOMENTS[:, 2:].sqrt()).log_prob(S).sum(1)
    torch.testing.assert_close(gaussian(S, MOMENTS), expected)


def test_teacher_bounded_is_zero_where_the_student_is_better_than_the_teacher():
    y = torch.zeros(3, dtype=torch.float64)
    teacher = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)
    student = torch.tensor([[1.0], [1.9], [-3.0]], dtype=torch.float64)
    torch.testing.assert_close(teacher_bounded(student, teacher, y), torch.tensor([0.0, 0.0, 9.0]).double())
    torch.testing.assert_close(teacher_bounded(student, teacher, y, margin=1.0), torch.tensor([0.0, 3.61, 9.0]).double())
    z = student.clone().requires_grad_()
    teacher_bounded(z, teacher, y).sum().backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0.0], [0.0], [-6.0]]).double())


def test_the_gradients_match_finite_differences(assert_differentiable):
    assert_differentiable(lambda s: squared_error(s, T), S)
    assert_differentiable(lambda s: huber(s, T, delta=2.0), S)
    assert_differentiable(lambda s: gaussian(s, MOMENTS), S)
    assert_differentiable(lambda s: teacher_bounded(s, T, -T), S)


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    assert_row_by_row(squared_error, S, T)
    assert_row_by_row(huber, S, T)
    assert_row_by_row(gaussian, S, MOMENTS)
    assert_row_by_row(teacher_bounded, S, T, -T)


def test_targets_of_one_output_may_be_one_dimensional():
    torch.testing.assert_close(squared_error(S[:, :1], T[:, 0]), squared_error(S[:, :1], T[:, :1]))


def test_half_precision_is_squared_in_float32():
    assert squared_error(torch.tensor([[300.0]]).half(), torch.tensor([0.0]).half()).item() == 90_000


def test_targets_with_other_rows_or_outputs_are_rejected():
    with pytest.raises(ShapeError, match="target values"):
        squared_error(S, T[:1])
    with pytest.raises(ShapeError, match="target values"):
        squared_error(S, T[:, 0])
    with pytest.raises(ShapeError, match="2 columns for 2 outputs of the student; expected 4"):
        gaussian(S, T)


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan, math.inf])
def test_invalid_variances_are_rejected(variance):
    assert positive_variances(MOMENTS) is MOMENTS
    with pytest.raises(BadInput, match="not above zero"):
        positive_variances(torch.tensor([[0.0, variance]]))
