import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.losses.functional.reweighted import virtual_teacher, weighted_soft_labels

RNG = torch.Generator().manual_seed(0)
Z, V = (torch.randn(4, 5, generator=RNG, dtype=torch.float64) for _ in range(2))
Y = torch.tensor([0, 4, 2, 2])
ROWS = torch.arange(4)


def test_the_weight_matches_the_authors_formula():
    student, teacher = (-torch.log_softmax(logits, 1)[ROWS, Y] for logits in (Z, V))
    weight = 1 - torch.exp(-student / (teacher + 1e-7))
    soft = -(torch.softmax(V / 2, 1) * torch.log_softmax(Z / 2, 1)).sum(1)
    torch.testing.assert_close(weighted_soft_labels(Z, V, Y), 4 * weight * soft)


def test_the_weight_carries_no_gradient():
    z = Z.clone().requires_grad_()
    weighted_soft_labels(z, V, Y).sum().backward()
    p = torch.softmax(V / 2, 1)
    weight = weighted_soft_labels(Z, V, Y) / soft_cross_entropy(Z, p, temperature=2.0)
    torch.testing.assert_close(z.grad, weight[:, None] * 2 * (torch.softmax(Z / 2, 1) - p))


def test_the_loss_of_a_row_depends_on_that_row_only(assert_row_by_row):
    assert_row_by_row(weighted_soft_labels, Z, V, Y)
    assert_row_by_row(virtual_teacher, Z, Y)


def test_the_weight_is_one_for_a_certain_teacher_and_zero_if_the_true_class_is_impossible():
    v = torch.tensor([[50.0, 0.0, 0.0], [-torch.inf, 0.0, 0.0]])
    z, y = torch.tensor([[1.0, 0.0, 0.5]] * 2), torch.tensor([0, 0])
    loss = weighted_soft_labels(z, v, y, temperature=1.0)
    torch.testing.assert_close(loss[0], soft_cross_entropy(z, torch.softmax(v, 1))[0])
    assert loss[1] == 0


def test_the_virtual_teacher_matches_the_authors_formula(assert_differentiable):
    virtual = torch.full((4, 5), 0.01 / 4, dtype=torch.float64)
    virtual[ROWS, Y] = 0.99
    target = torch.softmax(virtual / 20, 1)
    expected = torch.nn.functional.kl_div(torch.log_softmax(Z, 1), target, reduction="none").sum(1)
    torch.testing.assert_close(virtual_teacher(Z, Y), expected)
    assert_differentiable(lambda z: virtual_teacher(z, Y), Z)


def test_half_precision_is_computed_in_float32():
    assert virtual_teacher(Z.half(), Y).dtype == weighted_soft_labels(Z.half(), V.half(), Y).dtype == torch.float32
    torch.testing.assert_close(virtual_teacher(Z.half(), Y), virtual_teacher(Z.half().float(), Y), rtol=1e-3, atol=1e-5)


def test_labels_with_another_number_of_rows_are_rejected():
    with pytest.raises(ShapeError):
        weighted_soft_labels(Z, V, Y[:3])
    with pytest.raises(ShapeError):
        virtual_teacher(Z, Y[:3])


def test_the_virtual_teacher_is_as_exact_for_a_student_in_half_precision():
    student, y = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).bfloat16(), torch.tensor([0, 1, 2])
    torch.testing.assert_close(virtual_teacher(student, y, temperature=1.0), virtual_teacher(student.float(), y, temperature=1.0))
    with pytest.raises(ShapeError, match="undefined for 1 class; expected two or more"):
        virtual_teacher(torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64))
