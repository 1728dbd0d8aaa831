import math

import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.numerics import (
    at_least_three,
    check_scale,
    check_shapes,
    divergence,
    finite,
    log_softmax,
    normalise,
    softmax,
    squared,
    upcast,
)
from tutelage.losses.targets import soften, temper

V = torch.tensor([[1.0, -2.0, 0.5], [30.0, 0.0, -torch.inf]], dtype=torch.float64)


def test_half_precision_is_converted_to_float32_and_the_rest_is_unchanged():
    assert [upcast(torch.zeros(1, dtype=kind)).dtype for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64)] == [
        torch.float32,
        torch.float32,
        torch.float32,
        torch.float64,
    ]
    assert softmax(torch.zeros(1, 2).half(), 2.0).dtype == log_softmax(torch.zeros(1, 2).bfloat16(), 1.0).dtype == torch.float32


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_numpy_and_torch_agree_at_any_temperature(temperature):
    softened = torch.from_numpy(soften(V.numpy(), temperature))
    torch.testing.assert_close(softmax(V, temperature), softened)
    torch.testing.assert_close(log_softmax(V, temperature), softened.log())
    from_probabilities = torch.from_numpy(temper(torch.softmax(V, 1).numpy(), temperature))
    torch.testing.assert_close(softmax(torch.softmax(V, 1).log(), temperature), from_probabilities)


def test_the_targets_of_a_row_are_bitwise_equal_in_any_batch():
    logits = torch.randn(1001, 7, generator=torch.Generator().manual_seed(0))
    for function in (softmax, log_softmax):
        for start, end in ((0, 1001), (3, 4), (10, 139), (997, 1001)):
            assert torch.equal(function(logits, 3.0)[start:end], function(logits[start:end], 3.0))


def test_the_divergence_ignores_zeros_of_p_and_is_infinite_for_zeros_of_q():
    log_p, log_q = torch.tensor([[0.5, 0.5, 0.0]]).log(), torch.tensor([[0.25, 0.5, 0.25]]).log().requires_grad_()
    value = divergence(log_p, log_q)
    torch.testing.assert_close(value, torch.tensor([0.5 * math.log(2)]))
    value.sum().backward()
    torch.testing.assert_close(log_q.grad, -log_p.exp())
    assert divergence(log_q.detach(), log_p).item() == math.inf


def test_a_vector_of_length_zero_becomes_zeros_without_gradient():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    normalised = normalise(vectors, 1)
    torch.testing.assert_close(normalised, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    normalised.sum().backward()
    assert torch.equal(vectors.grad[1], torch.zeros(2))
    torch.testing.assert_close(vectors.grad[0], torch.tensor([(1 - 0.6 * 1.4) / 5, (1 - 0.8 * 1.4) / 5]))


@pytest.mark.parametrize(
    ("student", "other", "valid"),
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
def test_nothing_is_broadcast_over_rows_or_classes(student, other, valid):
    if valid:
        check_shapes(torch.zeros(student), torch.zeros(other), "targets")
    else:
        with pytest.raises(ShapeError, match="targets"):
            check_shapes(torch.zeros(student), torch.zeros(other), "targets")


def test_a_temperature_is_a_number_or_one_per_copy():
    assert check_scale(2) == 2.0
    assert squared(3.0) == 9.0
    each = torch.tensor([1.0, 3.0])[:, None, None]
    assert check_scale(each) is each
    assert torch.equal(squared(each), torch.tensor([[1.0], [9.0]]))
    with pytest.raises(ShapeError, match=r"have shape \(2,\); expected \(copies, 1, 1\)"):
        check_scale(torch.tensor([1.0, 3.0]))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, torch.tensor([1.0, 0.0])[:, None, None]])
def test_an_invalid_temperature_is_rejected(wrong):
    with pytest.raises(BadInput, match="expected a finite number above 0"):
        check_scale(wrong)


def test_infinite_logits_and_two_classes_are_rejected():
    assert finite(V[:1], "mine") is not None
    with pytest.raises(BadInput, match="mine needs finite teacher logits"):
        finite(V, "mine")
    at_least_three(V, "mine")
    with pytest.raises(ShapeError, match="mine is undefined for 2 classes"):
        at_least_three(V[:, :2], "mine")
