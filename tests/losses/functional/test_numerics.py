import math

import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.numerics import (
    at_least_three,
    check_scale,
    divergence,
    finite,
    fitting,
    log_softmax,
    softmax,
    squared,
    unit,
    wide,
)
from tutelage.losses.targets import soften, temper

V = torch.tensor([[1.0, -2.0, 0.5], [30.0, 0.0, -torch.inf]], dtype=torch.float64)


def test_half_precision_is_widened_and_the_rest_left():
    assert [wide(torch.zeros(1, dtype=kind)).dtype for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64)] == [
        torch.float32,
        torch.float32,
        torch.float32,
        torch.float64,
    ]
    assert softmax(torch.zeros(1, 2).half(), 2.0).dtype == log_softmax(torch.zeros(1, 2).bfloat16(), 1.0).dtype == torch.float32


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_numpy_and_torch_temper_alike(temperature):
    softened = torch.from_numpy(soften(V.numpy(), temperature))
    torch.testing.assert_close(softmax(V, temperature), softened)
    torch.testing.assert_close(log_softmax(V, temperature), softened.log())
    from_probabilities = torch.from_numpy(temper(torch.softmax(V, 1).numpy(), temperature))
    torch.testing.assert_close(softmax(torch.softmax(V, 1).log(), temperature), from_probabilities)


def test_each_rows_targets_are_the_same_bits_in_any_batch():
    logits = torch.randn(1001, 7, generator=torch.Generator().manual_seed(0))
    for made in (softmax, log_softmax):
        for start, end in ((0, 1001), (3, 4), (10, 139), (997, 1001)):
            assert torch.equal(made(logits, 3.0)[start:end], made(logits[start:end], 3.0))


def test_the_divergence_ignores_what_cannot_be_and_is_infinite_where_the_other_cannot():
    log_p, log_q = torch.tensor([[0.5, 0.5, 0.0]]).log(), torch.tensor([[0.25, 0.5, 0.25]]).log().requires_grad_()
    value = divergence(log_p, log_q)
    torch.testing.assert_close(value, torch.tensor([0.5 * math.log(2)]))
    value.sum().backward()
    torch.testing.assert_close(log_q.grad, -log_p.exp())
    assert divergence(log_q.detach(), log_p).item() == math.inf


def test_a_vector_too_short_to_have_a_direction_is_zeros_without_gradient():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    made = unit(vectors, 1)
    torch.testing.assert_close(made, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    made.sum().backward()
    assert torch.equal(vectors.grad[1], torch.zeros(2))
    torch.testing.assert_close(vectors.grad[0], torch.tensor([(1 - 0.6 * 1.4) / 5, (1 - 0.8 * 1.4) / 5]))


@pytest.mark.parametrize(
    ("student", "other", "fits"),
    [
        ((4, 3), (4, 3), True),
        ((2, 4, 3), (4, 3), True),
        ((2, 4, 3), (2, 4, 3), True),
        ((4, 3), (1, 3), False),
        ((4, 3), (3,), False),
        ((4, 3), (2, 4, 3), False),
        ((2, 4, 3), (1, 4, 3), False),
        ((2, 4, 3), (4, 1), False),
    ],
)
def test_nothing_is_broadcast_over_rows_or_classes(student, other, fits):
    if fits:
        fitting(torch.zeros(student), torch.zeros(other), "targets")
    else:
        with pytest.raises(ShapeError, match="targets"):
            fitting(torch.zeros(student), torch.zeros(other), "targets")


def test_a_temperature_is_a_number_or_one_a_copy():
    assert check_scale(2) == 2.0
    assert squared(3.0) == 9.0
    each = torch.tensor([1.0, 3.0])[:, None, None]
    assert check_scale(each) is each
    assert torch.equal(squared(each), torch.tensor([[1.0], [9.0]]))
    with pytest.raises(ShapeError, match=r"have shape \(2,\); expected \(copies, 1, 1\)"):
        check_scale(torch.tensor([1.0, 3.0]))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, torch.tensor([1.0, 0.0])[:, None, None]])
def test_a_temperature_that_softmax_cannot_use_is_refused(wrong):
    with pytest.raises(BadInput, match="expected a finite number above 0"):
        check_scale(wrong)


def test_answers_that_must_be_finite_and_classes_that_must_be_three():
    assert finite(V[:1], "mine") is not None
    with pytest.raises(BadInput, match="mine needs finite teacher logits"):
        finite(V, "mine")
    at_least_three(V, "mine")
    with pytest.raises(ShapeError, match="mine is undefined for 2 classes"):
        at_least_three(V[:, :2], "mine")
