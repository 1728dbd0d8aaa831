import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.classification import hard_cross_entropy, logit_matching, soft_cross_entropy
from tutelage.losses.functional.divergences import kl_divergence

Z = torch.tensor([[1.0, -0.5, 2.0], [0.3, 0.2, -4.0]], dtype=torch.float64)
P = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], dtype=torch.float64)


def test_the_value_matches_the_equation():
    q = torch.exp(Z / 3) / torch.exp(Z / 3).sum(1, keepdim=True)
    torch.testing.assert_close(soft_cross_entropy(Z, P, temperature=3.0), -9 * (P * torch.log(q)).sum(1))


def test_one_hot_targets_give_the_ordinary_cross_entropy():
    labels = torch.tensor([2, 0])
    loss = soft_cross_entropy(Z, torch.nn.functional.one_hot(labels, 3).double())
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(Z, labels, reduction="none"))


def test_the_gradient_matches_finite_differences_and_hintons_formula():
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: soft_cross_entropy(logits, P, temperature=2.5), z)
    soft_cross_entropy(z, P, temperature=2.5).sum().backward()
    torch.testing.assert_close(z.grad, 2.5 * (torch.softmax(Z / 2.5, 1) - P))


def test_each_copy_may_have_its_own_temperature():
    stacked = soft_cross_entropy(Z.expand(2, 2, 3), P.expand(2, 2, 3), temperature=torch.tensor([1.0, 4.0]).double()[:, None, None])
    torch.testing.assert_close(stacked[0], soft_cross_entropy(Z, P))
    torch.testing.assert_close(stacked[1], soft_cross_entropy(Z, P, temperature=4.0))


def test_extreme_logits_stay_finite():
    assert torch.isfinite(soft_cross_entropy(torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([[0.0, 0.5, 0.5]]))).all()


def test_different_shapes_are_rejected_and_not_broadcast():
    with pytest.raises(ShapeError, match=r"\(2, 3\) and targets \(1, 3\)"):
        soft_cross_entropy(Z, P[:1])


def test_targets_are_shared_by_the_copies_of_a_stack():
    stack = torch.stack([Z, 2 * Z])
    torch.testing.assert_close(soft_cross_entropy(stack, P), torch.stack([soft_cross_entropy(z, P) for z in stack]))


def test_half_precision_is_summed_in_float32():
    z, p = (50 * Z).half(), P.half()
    loss = soft_cross_entropy(z, p, temperature=2.0)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, soft_cross_entropy(z.float(), p.float(), temperature=2.0))


def test_the_divergence_is_the_cross_entropy_minus_the_entropy():
    q, p = torch.softmax(Z / 2, 1), P.clamp_min(1e-300)
    torch.testing.assert_close(kl_divergence(Z, P, temperature=2.0), 4 * (P * (p / q).log()).sum(1))
    torch.testing.assert_close(kl_divergence(Z, torch.softmax(Z / 2, 1), temperature=2.0), torch.zeros(2).double())
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: kl_divergence(logits, P, temperature=2.0), z)


def test_hard_cross_entropy_matches_torch_with_and_without_smoothing():
    y = torch.tensor([2, 0])
    torch.testing.assert_close(hard_cross_entropy(Z, y), -torch.log_softmax(Z, 1)[[0, 1], y])
    smoothed = 0.7 * torch.nn.functional.one_hot(y, 3) + 0.1
    torch.testing.assert_close(hard_cross_entropy(Z, y, smoothing=0.3), soft_cross_entropy(Z, smoothed))
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: hard_cross_entropy(logits, y, smoothing=0.3), z)


def test_labels_of_a_stack_are_shared_or_per_copy():
    stack, y = torch.stack([Z, 2 * Z]), torch.tensor([2, 0])
    torch.testing.assert_close(hard_cross_entropy(stack, y), torch.stack([hard_cross_entropy(z, y) for z in stack]))
    per_copy = torch.tensor([[2, 0], [1, 1]])
    torch.testing.assert_close(hard_cross_entropy(stack, per_copy)[1], hard_cross_entropy(stack[1], per_copy[1]))


def test_labels_with_another_number_of_rows_are_rejected():
    with pytest.raises(ShapeError, match="expected one integer per row"):
        hard_cross_entropy(Z, torch.tensor([0, 1, 2]))


def test_logit_matching_is_half_the_squared_distance(assert_differentiable, assert_row_by_row):
    v = torch.tensor([[0.0, 0.5, 2.0], [1.3, 0.2, -2.0]], dtype=torch.float64)
    torch.testing.assert_close(logit_matching(Z, v), torch.tensor([1.0, 2.5]).double())
    torch.testing.assert_close(logit_matching(Z + 7, v - 3, centred=True), logit_matching(Z, v, centred=True))
    for centred in (False, True):
        assert_differentiable(lambda z, centred=centred: logit_matching(z, v, centred=centred), Z)
        assert_row_by_row(lambda z, v, centred=centred: logit_matching(z, v, centred=centred), Z, v)


def test_the_divergence_at_high_temperature_approaches_centred_logit_matching():
    v = torch.tensor([[0.0, 0.5, 2.0], [1.3, 0.2, -2.0]], dtype=torch.float64)
    limit = logit_matching(Z, v, centred=True) / 3
    distances = [(kl_divergence(Z, torch.softmax(v / t, 1), temperature=t) - limit).abs().max().item() for t in (10.0, 100.0, 1000.0)]
    assert distances[0] > 8 * distances[1] > 64 * distances[2]
    torch.testing.assert_close(kl_divergence(Z, torch.softmax(v / 1e4, 1), temperature=1e4), limit, rtol=1e-3, atol=0)


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    labels = torch.tensor([2, 0])
    assert_row_by_row(lambda z, p: soft_cross_entropy(z, p, temperature=3.0), Z, P)
    assert_row_by_row(lambda z, p: kl_divergence(z, p, temperature=3.0), Z, P)
    assert_row_by_row(lambda z, y: hard_cross_entropy(z, y, smoothing=0.1), Z, labels)


def test_an_impossible_class_has_probability_zero():
    targets = torch.softmax(torch.tensor([[0.0, -torch.inf, 0.0]]), 1)
    z = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    for loss in (soft_cross_entropy, kl_divergence):
        z.grad = None
        loss(z, targets).sum().backward()
        torch.testing.assert_close(z.grad, torch.softmax(z.detach(), 1) - targets)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", [soft_cross_entropy, kl_divergence])
def test_targets_in_half_precision_are_computed_in_single(loss, dtype):
    torch.manual_seed(0)
    targets, student = torch.softmax(torch.randn(4, 10), dim=1).to(dtype), torch.randn(4, 10)
    torch.testing.assert_close(loss(student, targets, temperature=300.0), loss(student, targets.float(), temperature=300.0))
