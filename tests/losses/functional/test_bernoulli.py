import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.bernoulli import hard_bernoulli, soft_bernoulli

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(4, 3, generator=RNG, dtype=torch.float64) for _ in range(2))
Y = torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])


def test_the_values_match_the_equations():
    q, p = torch.sigmoid(Z / 3), torch.sigmoid(V / 3)
    torch.testing.assert_close(soft_bernoulli(Z, V, temperature=3.0), -9 * (p * q.log() + (1 - p) * (1 - q).log()).sum(1))
    torch.testing.assert_close(hard_bernoulli(Z, Y), -(torch.sigmoid(Z).log() * Y + torch.sigmoid(-Z).log() * (1 - Y)).sum(1))


def test_the_gradient_matches_the_formula_and_finite_differences(assert_differentiable):
    z = Z.clone().requires_grad_()
    soft_bernoulli(z, V, temperature=3.0).sum().backward()
    torch.testing.assert_close(z.grad, 3 * (torch.sigmoid(Z / 3) - torch.sigmoid(V / 3)))
    assert_differentiable(lambda logits: soft_bernoulli(logits, V, temperature=3.0), Z)
    assert_differentiable(lambda logits: hard_bernoulli(logits, Y), Z)


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    assert_row_by_row(lambda z, v: soft_bernoulli(z, v, temperature=3.0), Z, V)
    assert_row_by_row(hard_bernoulli, Z, Y)


def test_a_certain_teacher_equals_hard_labels():
    certain = torch.where(Y > 0, torch.inf, -torch.inf)
    torch.testing.assert_close(soft_bernoulli(Z, certain), hard_bernoulli(Z, Y))


def test_extreme_log_odds_in_half_precision_stay_finite():
    loss = soft_bernoulli(torch.tensor([[6e4, -6e4]]).half(), torch.tensor([[-torch.inf, 0.0]]).half())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, torch.tensor([9e4]), rtol=1e-3, atol=0)


def test_labels_without_a_column_per_label_are_rejected():
    with pytest.raises(ShapeError, match="labels"):
        hard_bernoulli(Z, torch.tensor([0, 1, 2, 0]))
