import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.relations import probabilistic_transfer, relational_angle, relational_distance, similarity_preserving

RNG = torch.Generator().manual_seed(0)
S, T = torch.randn(6, 3, generator=RNG, dtype=torch.float64), torch.randn(6, 5, generator=RNG, dtype=torch.float64)
ALL = (relational_distance, relational_angle, similarity_preserving, probabilistic_transfer)


def huber(difference):
    return 0.5 * difference**2 if abs(difference) < 1 else abs(difference) - 0.5


def test_relational_distance_matches_the_paper_pair_by_pair():
    def scaled(rows):
        distances = torch.stack([torch.stack([(a - b).norm() for b in rows]) for a in rows])
        return distances / distances[distances > 0].mean()

    differences = scaled(S) - scaled(T)
    expected = torch.stack([sum(huber(difference) for difference in row) / 6 for row in differences])
    torch.testing.assert_close(relational_distance(S, T), expected)


def test_relational_angle_matches_the_paper_triple_by_triple():
    def cosine(rows, i, j, k):
        return torch.nn.functional.cosine_similarity(rows[j] - rows[i], rows[k] - rows[i], dim=0)

    expected = torch.stack([sum(huber(cosine(S, i, j, k) - cosine(T, i, j, k)) for j in range(6) for k in range(6)) / 36 for i in range(6)])
    torch.testing.assert_close(relational_angle(S, T), expected)


def test_similarity_preserving_matches_the_papers_frobenius_norm():
    def normalised(rows):
        product = rows @ rows.T
        return product / product.norm(dim=1, keepdim=True)

    expected = (normalised(T) - normalised(S)).norm() ** 2 / 6**2
    torch.testing.assert_close(similarity_preserving(S, T).mean(), expected)


def test_probabilistic_transfer_is_the_authors_formula_times_the_batch():
    def neighbours(rows):
        directions = rows / rows.norm(dim=1, keepdim=True)
        similarity = (directions @ directions.T + 1) / 2
        return similarity / similarity.sum(dim=1, keepdim=True)

    p, q, eps = neighbours(T), neighbours(S), 1e-7
    authors = torch.mean(p * torch.log((p + eps) / (q + eps)))
    torch.testing.assert_close(probabilistic_transfer(S, T).mean() / 6, authors, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("loss", ALL)
def test_the_gradient_matches_finite_differences(loss, assert_differentiable):
    assert_differentiable(lambda s: loss(s, T), S)


@pytest.mark.parametrize("loss", ALL)
def test_losses_are_invariant_to_rotation_and_scale(loss):
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, generator=RNG, dtype=torch.float64))
    torch.testing.assert_close(loss(3 * T @ rotation, T), torch.zeros(6).double(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("loss", ALL)
def test_layers_are_flattened_and_the_order_of_rows_does_not_matter(loss):
    maps = torch.randn(6, 2, 3, 3, generator=RNG, dtype=torch.float64)
    torch.testing.assert_close(loss(maps, T), loss(maps.flatten(1), T))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(loss(S[order], T[order]), loss(S, T)[order])


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("zero_rows", [slice(None), slice(0, 2)])
def test_rows_of_zeros_give_finite_values_and_no_large_gradient(loss, zero_rows):
    student = S.clone()
    student[zero_rows] = 0
    student = student.float().requires_grad_()
    value = loss(student, T.float())
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert student.grad.abs().max() < 100


@pytest.mark.parametrize("loss", ALL)
def test_a_batch_of_one_has_no_relations_to_match(loss):
    one = S[:1].clone().requires_grad_()
    value = loss(one, T[:1])
    value.sum().backward()
    torch.testing.assert_close(value, torch.zeros(1).double())
    assert torch.equal(one.grad, torch.zeros(1, 3).double())


def test_opposite_rows_have_finite_loss():
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    value = probabilistic_transfer(opposite, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(opposite.grad).all()


@pytest.mark.parametrize("loss", ALL)
def test_half_precision_is_computed_in_float32(loss):
    assert loss(S.half(), T.half()).dtype == torch.float32
    torch.testing.assert_close(loss(S.half(), T.half()), loss(S.half().float(), T.half().float()))


@pytest.mark.parametrize("loss", ALL)
def test_different_numbers_of_rows_are_rejected(loss):
    with pytest.raises(ShapeError, match="of 6 and 5 rows"):
        loss(S, T[:5])


@pytest.mark.parametrize("scale", [1e-4, 1e-6, 1e6])
def test_similarity_does_not_depend_on_the_scale_of_the_units(scale):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(6, 16, generator=generator), torch.randn(6, 8, generator=generator)
    scaled, plain = (scale * student).requires_grad_(), student.clone().requires_grad_()
    found, expected = similarity_preserving(scaled, teacher), similarity_preserving(plain, teacher)
    torch.testing.assert_close(found, expected)
    (found.sum() + expected.sum()).backward()
    torch.testing.assert_close(scaled.grad * scale, plain.grad)
