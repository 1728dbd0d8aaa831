import math

import pytest
import torch

from tutelage.core.errors import BadInput
from tutelage.losses.functional.divergences import jensen_shannon, kl_divergence, reverse_kl

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(4, 5, generator=RNG, dtype=torch.float64) for _ in range(2))
LOG_P = torch.log_softmax(V / 2, 1)
P, Q = LOG_P.exp(), torch.softmax(Z / 2, 1)


def test_the_values_match_the_equations():
    torch.testing.assert_close(reverse_kl(Z, LOG_P, temperature=2.0), 4 * (Q * (Q / P).log()).sum(1))
    m = 0.3 * P + 0.7 * Q
    expected = 0.3 * (P * (P / m).log()).sum(1) + 0.7 * (Q * (Q / m).log()).sum(1)
    torch.testing.assert_close(jensen_shannon(Z, LOG_P, temperature=2.0, teacher_share=0.3), 4 * expected)


def test_the_gradients_match_finite_differences(assert_differentiable):
    assert_differentiable(lambda z: reverse_kl(z, LOG_P, temperature=2.0), Z)
    assert_differentiable(lambda z: jensen_shannon(z, LOG_P, temperature=2.0, teacher_share=0.3), Z)


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    assert_row_by_row(lambda z, p: reverse_kl(z, p, temperature=2.0), Z, LOG_P)
    assert_row_by_row(lambda z, p: jensen_shannon(z, p, temperature=2.0, teacher_share=0.3), Z, LOG_P)


def test_the_limits_of_the_mixture_are_the_two_divergences():
    share = 1e-6
    near_forward = jensen_shannon(Z, LOG_P, temperature=2.0, teacher_share=share) / share
    near_reverse = jensen_shannon(Z, LOG_P, temperature=2.0, teacher_share=1 - share) / share
    torch.testing.assert_close(near_forward, kl_divergence(Z, P, temperature=2.0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(near_reverse, reverse_kl(Z, LOG_P, temperature=2.0), rtol=1e-4, atol=1e-5)


def test_both_are_zero_if_the_student_equals_the_teacher():
    for loss in (reverse_kl, jensen_shannon):
        torch.testing.assert_close(loss(V, LOG_P, temperature=2.0), torch.zeros(4).double())


def test_an_impossible_class_makes_reverse_kl_infinite_and_jensen_shannon_bounded():
    impossible = torch.log_softmax(torch.tensor([[0.0, 1.0, -torch.inf]]), 1)
    z = torch.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
    assert reverse_kl(z, impossible).item() == math.inf
    bounded = jensen_shannon(z, impossible)
    bounded.sum().backward()
    assert 0 < bounded.item() < math.log(2)
    assert torch.isfinite(z.grad).all()


def test_half_precision_is_summed_in_float32():
    for loss in (reverse_kl, jensen_shannon):
        assert loss(Z.half(), LOG_P.float()).dtype == torch.float32
        torch.testing.assert_close(loss(Z.half(), LOG_P.float()), loss(Z.half().float(), LOG_P.float()))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, math.nan])
def test_a_share_outside_zero_to_one_is_rejected(share):
    with pytest.raises(BadInput, match="teacher_share is"):
        jensen_shannon(Z, LOG_P, teacher_share=share)
