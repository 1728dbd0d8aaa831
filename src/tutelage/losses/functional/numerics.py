"""Numerics shared by the losses: float32 arithmetic, shape checks, temperatures, and divergences that allow probability zero."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from tutelage.core.errors import BadInput, ShapeError, shown
from tutelage.losses.schedules import Schedule
from tutelage.losses.targets import check_temperature


def upcast(values: Tensor) -> Tensor:
    """Convert to float32 if the precision is lower: half precision has too little range and precision for sums of exponentials."""
    check_tensors(**{"what a loss compares": values})
    return values.float() if values.dtype.itemsize < 4 else values


def check_tensors(**values: Any) -> None:
    """Check that each argument of a loss is a tensor.

    Raises:
        BadInput: another kind of value, such as an array.
    """
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise BadInput(f"{name} is {shown(value)}; expected a tensor: pass torch.as_tensor(array).")


def check_shapes(student: Tensor, other: Tensor, what: str) -> None:
    """Check that two shapes are equal, except that `other` may lack the copies axis of a stack.

    Args:
        student: (batch, columns) or (copies, batch, columns).
        other: the same shape, or (batch, columns).
        what: the name of `other` in the error.

    Raises:
        ShapeError: rows or columns differ; nothing is broadcast over rows or classes.
    """
    check_tensors(**{"the student's tensor": student, what: other})
    if student.shape != other.shape and (other.ndim != student.ndim - 1 or other.shape != student.shape[1:] or other.ndim < 2):
        raise ShapeError(f"student {tuple(student.shape)} and {what} {tuple(other.shape)} differ in shape; expected the same shape.")


def check_scale(temperature: Any) -> Any:
    """Return a temperature, or one for each copy of a stack, or a schedule of it, after checking that it is valid.

    Args:
        temperature: a number, (copies, 1, 1), or a `Schedule`.

    Raises:
        BadInput: a temperature that is not finite and above zero.
        ShapeError: a tensor that is not (copies, 1, 1).
    """
    if isinstance(temperature, Schedule):
        return temperature.checked(check_scale)
    if not isinstance(temperature, Tensor):
        return check_temperature(temperature)
    if temperature.ndim != 3 or temperature.shape[1:] != (1, 1):
        raise ShapeError(f"temperatures have shape {tuple(temperature.shape)}; expected (copies, 1, 1), one for each copy of a stack.")
    for each in temperature.flatten().tolist():
        check_temperature(each)
    return temperature


def log_softmax(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Log-probabilities at a temperature, over the last axis, in float32 or higher precision."""
    return _at_temperature(logits, temperature).log_softmax(dim=-1)


def softmax(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Probabilities at a temperature, over the last axis, in float32 or higher precision; a row's values do not depend on its batch."""
    return _at_temperature(logits, temperature).softmax(dim=-1)


def _at_temperature(logits: Tensor, temperature: float | Tensor) -> Tensor:
    values = upcast(logits)
    return values if isinstance(temperature, float | int) and temperature == 1 else values / temperature


def squared(temperature: float | Tensor) -> float | Tensor:
    """t^2, in a shape that broadcasts against one value per example: (copies, 1) for a temperature per copy."""
    return temperature**2 if isinstance(temperature, float | int) else temperature.squeeze(-1) ** 2


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Kullback-Leibler divergence of q from p over the last axis; a class with p = 0 contributes nothing, for any q.

    Args:
        log_p: (..., classes) log-probabilities, -inf where p is zero.
        log_q: the same shape.

    Returns:
        (...,), in nats.
    """
    p = log_p.exp()
    difference = (log_p - log_q).masked_fill(p == 0, 0.0)  # 0 times inf is NaN, and so is its gradient
    return (p * difference).sum(dim=-1)


def normalise(values: Tensor, dim: int, floor: float | Tensor = 1e-8) -> Tensor:
    """Divide vectors along `dim` by their Euclidean norm; a vector not longer than `floor` becomes zeros, without gradient.

    With torch.nn.functional.normalize, the gradient of such a vector would be of the order of 10^12.
    """
    length = values.norm(dim=dim, keepdim=True)
    scaled: Tensor = values / length.masked_fill(length <= floor, math.inf)
    return scaled


def with_unit_peak(values: Tensor, floor: float = 1e-8) -> Tensor:
    """Divide by the largest absolute value of each entry along the first axis, without gradient through it, before values are squared.

    Squares of small values would not be longer than the floor of `normalise`. An entry without a value above `floor` becomes zeros.
    """
    if not values.numel():
        return values
    peak = values.detach().abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (values.ndim - 1))
    return values / peak.masked_fill(peak <= floor, math.inf)


def finite(teacher: Tensor, term: str) -> Tensor:
    """Return the teacher's logits after checking that they are finite, for a term that cannot use a class of probability zero.

    Args:
        teacher: logits of any shape.
        term: the name used in the error.

    Raises:
        BadInput: an infinite logit, or NaN.
    """
    if not bool(teacher.isfinite().all()):
        raise BadInput(
            f"{term} needs finite teacher logits, but some are infinite or NaN (a class of probability zero?). "
            "Clip the logits, or use soft_cross_entropy, which allows classes of probability zero."
        )
    return teacher


def at_least_three(logits: Tensor, term: str) -> None:
    """Check that there are at least three classes, for a term that is undefined or constant for two.

    Raises:
        ShapeError: fewer than three classes.
    """
    if logits.shape[-1] < 3:
        raise ShapeError(f"{term} is undefined for {logits.shape[-1]} classes; expected three or more. Use soft_cross_entropy.")
