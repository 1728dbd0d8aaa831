import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.objectives.losses import soft_cross_entropy

Z = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.2, -4.0]], dtype=torch.float64)
P = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], dtype=torch.float64)


def test_the_value_is_the_equation():
    q = torch.exp(Z / 3) / torch.exp(Z / 3).sum(1, keepdim=True)
    torch.testing.assert_close(soft_cross_entropy(Z, P, temperature=3.0), -9 * (P * torch.log(q)).sum(1))


def test_one_hot_targets_give_the_ordinary_cross_entropy():
    labels = torch.tensor([2, 0])
    ours = soft_cross_entropy(Z, torch.nn.functional.one_hot(labels, 3).double())
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(Z, labels, reduction="none"))


def test_the_gradient_matches_finite_differences_and_hintons_formula():
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: soft_cross_entropy(logits, P, temperature=2.5), z)
    soft_cross_entropy(z, P, temperature=2.5).sum().backward()
    torch.testing.assert_close(z.grad, 2.5 * (torch.softmax(Z / 2.5, 1) - P))


def test_a_temperature_per_copy_is_each_copys_own():
    stacked = soft_cross_entropy(Z.expand(2, 2, 3), P.expand(2, 2, 3), temperature=torch.tensor([1.0, 4.0]).double()[:, None, None])
    torch.testing.assert_close(stacked[0], soft_cross_entropy(Z, P))
    torch.testing.assert_close(stacked[1], soft_cross_entropy(Z, P, temperature=4.0))


def test_extreme_logits_stay_finite():
    assert torch.isfinite(soft_cross_entropy(torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([[0.0, 0.5, 0.5]]))).all()


def test_shapes_that_differ_are_refused_rather_than_broadcast():
    with pytest.raises(ShapeError, match=r"\(2, 3\) and targets \(1, 3\)"):
        soft_cross_entropy(Z, P[:1])
