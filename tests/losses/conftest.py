"""Properties that every loss must have, as fixtures."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


def _assert_differentiable(loss: Callable[[Tensor], Tensor], student: Tensor) -> None:
    assert torch.autograd.gradcheck(loss, student.clone().requires_grad_())


def _assert_row_by_row(loss: Callable[..., Tensor], *per_row: Tensor) -> None:
    """Check that the loss of a batch equals that of its rows one by one, and that of a stack equals that of its copies."""
    together = loss(*per_row)
    assert together.shape == per_row[0].shape[:1]
    torch.testing.assert_close(together, torch.cat([loss(*(each[i : i + 1] for each in per_row)) for i in range(len(together))]))
    _assert_copy_by_copy(loss, *per_row)


def _assert_copy_by_copy(loss: Callable[..., Tensor], student: Tensor, *shared: Tensor) -> None:
    stack = torch.stack([student, -0.5 * student, student + 1])
    together = loss(stack, *shared)
    assert together.shape == stack.shape[:2]
    torch.testing.assert_close(together, torch.stack([loss(copy, *shared) for copy in stack]))


@pytest.fixture
def assert_differentiable() -> Callable[..., None]:
    return _assert_differentiable


@pytest.fixture
def assert_row_by_row() -> Callable[..., None]:
    return _assert_row_by_row


@pytest.fixture
def assert_copy_by_copy() -> Callable[..., None]:
    return _assert_copy_by_copy
