import pytest
import torch
from torch import nn

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.features import attention_transfer, cosine_distance, hint, projector

RNG = torch.Generator().manual_seed(0)
S, T = torch.randn(3, 2, 4, 4, generator=RNG, dtype=torch.float64), torch.randn(3, 5, 4, 4, generator=RNG, dtype=torch.float64)
POOLED = torch.nn.functional.adaptive_avg_pool2d(T, (2, 2))


def test_a_hint_is_the_papers_half_sum_divided_by_half_the_units():
    other = S.flip(0)
    paper = 0.5 * (S - other).pow(2).flatten(1).sum(1)
    torch.testing.assert_close(hint(S, other), paper / (32 / 2))
    torch.testing.assert_close(hint(S, other).mean(), nn.MSELoss()(S, other))


def test_the_cosine_distance_is_one_minus_torchs_cosine():
    student, teacher = S.flatten(2), T[:, :2].flatten(2)[..., :16]
    torch.testing.assert_close(cosine_distance(student, teacher), 1 - torch.nn.functional.cosine_similarity(student, teacher, dim=-1))
    zeros = torch.zeros(2, 3, requires_grad=True)
    loss = cosine_distance(zeros, torch.ones(2, 3))
    loss.sum().backward()
    assert (loss.tolist(), zeros.grad.abs().sum().item()) == ([1.0, 1.0], 0.0)
    with pytest.raises(ShapeError, match=r"vectors \(2, 3\) and \(2, 4\) differ in shape; project the student's"):
        cosine_distance(torch.ones(2, 3), torch.ones(2, 4))


def test_attention_transfer_matches_the_authors_formula():
    def at(maps):
        return torch.nn.functional.normalize(maps.pow(2).mean(1).view(maps.size(0), -1))

    torch.testing.assert_close(attention_transfer(S, T).mean(), (at(S) - at(T)).pow(2).mean())


def test_the_gradients_match_finite_differences(assert_differentiable):
    assert_differentiable(lambda s: hint(s, T[:, :2]), S)
    assert_differentiable(lambda s: attention_transfer(s, T), S)
    assert_differentiable(lambda s: cosine_distance(s.flatten(1), T[:, :2].flatten(1)), S)


def test_the_loss_of_a_row_depends_on_that_row_only():
    for loss, teacher in ((hint, T[:, :2]), (attention_transfer, T)):
        one_by_one = torch.cat([loss(S[row : row + 1], teacher[row : row + 1]) for row in range(3)])
        torch.testing.assert_close(loss(S, teacher), one_by_one)


def test_the_larger_map_is_pooled_on_either_side():
    torch.testing.assert_close(attention_transfer(S, POOLED), attention_transfer(torch.nn.functional.avg_pool2d(S, 2), POOLED))
    torch.testing.assert_close(hint(POOLED, T), torch.zeros(3).double())


def test_a_map_of_zeros_has_no_attention_and_no_gradient():
    zeros = torch.zeros_like(S, requires_grad=True)
    loss = attention_transfer(zeros, T)
    torch.testing.assert_close(loss, torch.full((3,), 1 / 16).double())
    loss.sum().backward()
    assert torch.equal(zeros.grad, torch.zeros_like(S))


def test_half_precision_is_squared_in_float32():
    loss = hint(torch.full((1, 2), 300.0).half(), torch.zeros(1, 2).half())
    assert (loss.item(), loss.dtype) == (90_000, torch.float32)


@pytest.mark.parametrize(
    ("student", "teacher", "kind"),
    [
        ((4, 3), (4, 7), nn.Linear),
        ((4, 6, 3), (4, 6, 7), nn.Linear),
        ((4, 3, 8, 8), (4, 7, 4, 4), nn.Conv2d),
        ((4, 3), (4, 3), nn.Identity),
    ],
)
def test_a_projector_gives_the_student_layer_the_teachers_width(student, teacher, kind):
    student_layer, teacher_layer = torch.ones(student), torch.ones(teacher)
    project = projector(student_layer, teacher_layer)
    assert type(project) is kind
    assert hint(project(student_layer), teacher_layer).shape == (4,)


def test_layers_of_two_kinds_or_with_different_rows_are_rejected():
    with pytest.raises(ShapeError, match=r"no projector from \(4, 3\) to \(4, 3, 2, 2\)"):
        projector(torch.ones(4, 3), torch.ones(4, 3, 2, 2))
    with pytest.raises(ShapeError, match="of 4 and 5 rows"):
        projector(torch.ones(4, 3), torch.ones(5, 3))
    with pytest.raises(ShapeError, match="project the student's layer"):
        hint(torch.ones(4, 3), torch.ones(4, 2))
    with pytest.raises(ShapeError, match=r"the teacher's layer has shape \(3, 5\); expected feature maps"):
        attention_transfer(S, torch.ones(3, 5))


@pytest.mark.parametrize("scale", [1e-4, 1e-6, 1e6])
def test_attention_does_not_depend_on_the_scale_of_the_maps(scale):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.rand(2, 8, 4, 4, generator=generator), torch.rand(2, 8, 4, 4, generator=generator)
    student[1] *= 0.1  # each row has a scale of its own
    scaled, plain = (scale * student).requires_grad_(), student.clone().requires_grad_()
    found, expected = attention_transfer(scaled, teacher), attention_transfer(plain, teacher)
    torch.testing.assert_close(found, expected)
    (found.sum() + expected.sum()).backward()
    torch.testing.assert_close(scaled.grad * scale, plain.grad)
