import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.decoupling import decoupled
from tutelage.losses.functional.divergences import kl_divergence

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(4, 5, generator=RNG, dtype=torch.float64) for _ in range(2))
Y = torch.tensor([0, 4, 2, 2])


def published(z, v, y, *, temperature, target_weight, other_weight):
    """The definition of the paper, row by row from probabilities."""
    losses = []
    for student, teacher, label in zip(z, v, y, strict=True):
        q, p = torch.softmax(student / temperature, 0), torch.softmax(teacher / temperature, 0)
        others = [c for c in range(len(q)) if c != label]
        b_q, b_p = torch.stack([q[label], 1 - q[label]]), torch.stack([p[label], 1 - p[label]])
        rest_q, rest_p = q[others] / (1 - q[label]), p[others] / (1 - p[label])
        losses.append(target_weight * (b_p * (b_p / b_q).log()).sum() + other_weight * (rest_p * (rest_p / rest_q).log()).sum())
    return temperature**2 * torch.stack(losses)


def test_the_value_matches_the_paper():
    settings = {"temperature": 3.0, "target_weight": 1.5, "other_weight": 8.0}
    torch.testing.assert_close(decoupled(Z, V, Y, **settings), published(Z, V, Y, **settings))


def test_the_gradient_matches_finite_differences(assert_differentiable):
    assert_differentiable(lambda z: decoupled(z, V, Y), Z)


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    assert_row_by_row(decoupled, Z, V, Y)


def test_with_suitable_weights_it_equals_the_kl_divergence():
    p = torch.softmax(V, 1)
    other_mass = 1 - p[torch.arange(4), Y]
    target = decoupled(Z, V, Y, temperature=1.0, target_weight=1.0, other_weight=0.0)
    others = decoupled(Z, V, Y, temperature=1.0, target_weight=0.0, other_weight=1.0)
    torch.testing.assert_close(target + other_mass * others, kl_divergence(Z, p))


def test_two_classes_are_rejected():
    with pytest.raises(ShapeError, match="decoupled is undefined for 2 classes"):
        decoupled(Z[:, :2], V[:, :2], torch.zeros(4, dtype=torch.int64))


def test_impossible_classes_contribute_nothing_and_gradients_stay_finite():
    v = torch.tensor([[2.0, 1.0, -torch.inf], [3.0, -torch.inf, -torch.inf], [-torch.inf, 0.0, 1.0]])
    y = torch.zeros(3, dtype=torch.int64)
    z = torch.tensor([[1.0, 0.5, 0.2]] * 3, requires_grad=True)
    loss = decoupled(z, v, y, temperature=1.0)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(z.grad).all()
    target_part = -torch.log_softmax(z.detach(), 1)[1, 0]  # the second part is undefined, and the target is certain
    torch.testing.assert_close(loss[1], target_part)


def test_large_logits_in_half_precision_stay_finite():
    loss = decoupled((100 * Z).half(), (100 * V).half(), Y)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()
    torch.testing.assert_close(loss, decoupled((100 * Z).half().double(), (100 * V).half().double(), Y).float(), rtol=1e-4, atol=1e-3)
