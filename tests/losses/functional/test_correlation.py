import numpy as np
import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.correlation import dist, standardise, standardised_divergence

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(6, 4, generator=RNG, dtype=torch.float64) for _ in range(2))
P = torch.softmax(V / 2, 1)


def test_the_value_matches_numpys_correlation():
    q, p = torch.softmax(Z / 2, 1).numpy(), P.numpy()
    inter = [1 - np.corrcoef(q[row], p[row])[0, 1] for row in range(6)]
    intra = np.mean([1 - np.corrcoef(q[:, column], p[:, column])[0, 1] for column in range(4)])
    expected = 4 * (1.5 * np.array(inter) + 0.5 * intra)
    torch.testing.assert_close(dist(Z, P, temperature=2.0, inter_weight=1.5, intra_weight=0.5), torch.from_numpy(expected))


def test_the_gradients_match_finite_differences(assert_differentiable):
    assert_differentiable(lambda z: dist(z, P, temperature=2.0), Z)
    assert_differentiable(lambda z: standardised_divergence(z, P), Z)


def test_copies_are_independent_and_rows_interact_only_within_a_class(assert_copy_by_copy, assert_row_by_row):
    assert_copy_by_copy(lambda z, p: dist(z, p, temperature=2.0), Z, P)
    assert_row_by_row(lambda z, p: dist(z, p, intra_weight=0.0), Z, P)
    assert_row_by_row(standardised_divergence, Z, P)
    assert not torch.allclose(dist(Z, P)[:1], dist(Z[:1], P[:1]))


def test_a_less_confident_student_with_the_teachers_correlations_has_no_loss():
    less_confident = 0.3 * P + 0.7 / 4
    torch.testing.assert_close(dist(less_confident.log(), P), torch.zeros(6).double(), rtol=0, atol=1e-12)


def test_constant_rows_constant_classes_and_single_rows_have_correlation_zero_without_gradient():
    flat = torch.full((6, 4), 0.3, requires_grad=True)
    loss = dist(flat, P.float())
    torch.testing.assert_close(loss, torch.full((6,), 2.0))
    loss.sum().backward()
    assert torch.equal(flat.grad, torch.zeros(6, 4))
    one_row = Z[:1].float().requires_grad_()
    dist(one_row, P[:1].float(), inter_weight=0.0).sum().backward()
    assert torch.equal(one_row.grad, torch.zeros(1, 4))


def test_two_classes_are_rejected():
    for loss in (dist, standardised_divergence):
        with pytest.raises(ShapeError, match="undefined for 2 classes"):
            loss(Z[:, :2], P[:, :2])


def test_standardised_rows_have_mean_zero_and_deviation_one():
    standardised = standardise(Z)
    torch.testing.assert_close(standardised, (Z - Z.mean(1, keepdim=True)) / Z.std(1, keepdim=True), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(standardised, standardise(7 * Z + 3), rtol=1e-6, atol=1e-6)


def test_standardised_divergence_matches_the_authors_formula():
    def normalised(logits):
        return (logits - logits.mean(dim=-1, keepdim=True)) / (1e-7 + logits.std(dim=-1, keepdim=True))

    q, p = torch.softmax(normalised(Z) / 2, 1), torch.softmax(normalised(V) / 2, 1)
    torch.testing.assert_close(standardised_divergence(Z, p), 4 * (p * (p / q).log()).sum(1))


def test_a_constant_row_becomes_zeros_without_a_large_gradient():
    flat = torch.full((2, 4), 5.0, requires_grad=True)
    standardised_divergence(flat, torch.full((2, 4), 0.25)).sum().backward()
    assert torch.equal(flat.grad, torch.zeros(2, 4))
    flat.grad = None
    assert torch.equal(standardise(flat.detach()), torch.zeros(2, 4))
    standardised_divergence(flat, P[:2].float()).sum().backward()
    assert torch.isfinite(flat.grad).all()


def test_half_precision_is_computed_in_float32():
    z = Z.half()
    for loss in (dist, standardised_divergence):
        assert loss(z, P.half()).dtype == torch.float32
        torch.testing.assert_close(loss(z, P.half()), loss(z.float(), P.half().float()))
