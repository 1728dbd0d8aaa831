import math

import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.regression import gaussian, huber, positive_variances, squared_error, teacher_bounded

S = torch.tensor([[1.0, 0.0], [3.0, -2.0]], dtype=torch.float64)
T = torch.tensor([[0.5, 0.0], [0.0, -2.5]], dtype=torch.float64)
MOMENTS = torch.cat([T, torch.tensor([[0.25, 1.0], [4.0, 0.5]], dtype=torch.float64)], dim=1)


def test_the_values_are_the_equations():
    torch.testing.assert_close(squared_error(S, T), torch.tensor([0.25, 9.25]).double())
    torch.testing.assert_close(huber(S, T), torch.tensor([0.125, 2.5 + 0.125]).double())
    torch.testing.assert_close(huber(S, T, delta=2.0), torch.tensor([0.125, 4.0 + 0.125]).double())


def test_the_gaussian_is_torchs():
    by_torch = -torch.distributions.Normal(MOMENTS[:, :2], MOMENTS[:, 2:].sqrt()).log_prob(S).sum(1)
    torch.testing.assert_close(gaussian(S, MOMENTS), by_torch)


def test_the_student_is_pushed_to_the_truth_until_it_beats_the_teacher():
    truth = torch.zeros(3, dtype=torch.float64)
    teacher = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)
    student = torch.tensor([[1.0], [1.9], [-3.0]], dtype=torch.float64)
    torch.testing.assert_close(teacher_bounded(student, teacher, truth), torch.tensor([0.0, 0.0, 9.0]).double())
    torch.testing.assert_close(teacher_bounded(student, teacher, truth, margin=1.0), torch.tensor([0.0, 3.61, 9.0]).double())
    z = student.clone().requires_grad_()
    teacher_bounded(z, teacher, truth).sum().backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0.0], [0.0], [-6.0]]).double())


def test_the_gradients_match_finite_differences(differentiable):
    differentiable(lambda s: squared_error(s, T), S)
    differentiable(lambda s: huber(s, T, delta=2.0), S)
    differentiable(lambda s: gaussian(s, MOMENTS), S)
    differentiable(lambda s: teacher_bounded(s, T, -T), S)


def test_every_row_counts_for_itself(row_by_row):
    row_by_row(squared_error, S, T)
    row_by_row(huber, S, T)
    row_by_row(gaussian, S, MOMENTS)
    row_by_row(teacher_bounded, S, T, -T)


def test_one_output_may_come_as_a_flat_row_of_values():
    torch.testing.assert_close(squared_error(S[:, :1], T[:, 0]), squared_error(S[:, :1], T[:, :1]))


def test_half_precision_is_squared_in_float32():
    assert squared_error(torch.tensor([[300.0]]).half(), torch.tensor([0.0]).half()).item() == 90_000


def test_targets_of_other_rows_or_outputs_are_refused():
    with pytest.raises(ShapeError, match="target values"):
        squared_error(S, T[:1])
    with pytest.raises(ShapeError, match="target values"):
        squared_error(S, T[:, 0])
    with pytest.raises(ShapeError, match="2 columns for 2 outputs of the student; expected 4"):
        gaussian(S, T)


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan, math.inf])
def test_a_variance_that_is_none_is_refused(variance):
    assert positive_variances(MOMENTS) is MOMENTS
    with pytest.raises(BadInput, match="not above zero"):
        positive_variances(torch.tensor([[0.0, variance]]))
