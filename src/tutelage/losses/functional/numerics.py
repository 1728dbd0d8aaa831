"""What the losses share: float32 inside, shapes that fit, temperatures, and divergences that know a probability of zero."""

from __future__ import annotations

import math

from torch import Tensor

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.targets import check_temperature


def wide(values: Tensor) -> Tensor:
    """At least float32: half precision has neither the range nor the digits for sums of exponentials."""
    return values.float() if values.dtype.itemsize < 4 else values


def fitting(student: Tensor, other: Tensor, what: str) -> None:
    """Prove that each row of the student has its row in `other`, which may lack the axis of copies.

    Raises:
        ShapeError: rows or columns differ; nothing is broadcast over rows or classes.
    """
    if student.shape != other.shape and (other.ndim != student.ndim - 1 or other.shape != student.shape[1:] or other.ndim < 2):
        raise ShapeError(f"student {tuple(student.shape)} and {what} {tuple(other.shape)} differ in shape.")


def check_scale(temperature: float | Tensor) -> float | Tensor:
    """Return a temperature, or one a copy, after proving that softmax can use it.

    Raises:
        BadInput: not finite and above zero. ShapeError: a tensor that is not (copies, 1, 1).
    """
    if isinstance(temperature, float | int):
        return check_temperature(temperature)
    if temperature.ndim != 3 or temperature.shape[1:] != (1, 1):
        raise ShapeError(f"temperatures have shape {tuple(temperature.shape)}; expected (copies, 1, 1), one for each copy of a stack.")
    for each in temperature.flatten().tolist():
        check_temperature(each)
    return temperature


def log_softmax(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Log-probabilities at a temperature, over the last axis, at least in float32."""
    return _cooled(logits, temperature).log_softmax(dim=-1)


def softmax(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Probabilities at a temperature, over the last axis, at least in float32; each row's are the same in any batch."""
    return _cooled(logits, temperature).softmax(dim=-1)


def _cooled(logits: Tensor, temperature: float | Tensor) -> Tensor:
    values = wide(logits)
    return values if isinstance(temperature, float | int) and temperature == 1 else values / temperature


def squared(temperature: float | Tensor) -> float | Tensor:
    """t^2, in a shape that multiplies one value per example: (copies, 1) for one temperature a copy."""
    return temperature**2 if isinstance(temperature, float | int) else temperature.squeeze(-1) ** 2


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Kullback-Leibler divergence of q from p over the last axis; a class with p = 0 counts nothing, whatever q says.

    Args:
        log_p: (..., classes) log-probabilities, -inf where p is zero.
        log_q: the same shape.
    """
    p = log_p.exp()
    gap = (log_p - log_q).masked_fill(p == 0, 0.0)  # 0 times inf is NaN, and so is its gradient
    return (p * gap).sum(dim=-1)


def unit(values: Tensor, dim: int, floor: float | Tensor = 1e-8) -> Tensor:
    """Vectors along `dim` divided by their Euclidean norm; one shorter than `floor` becomes zeros, without gradient.

    (torch's own normalize gives such a vector a gradient of 10^12.)
    """
    length = values.norm(dim=dim, keepdim=True)
    scaled: Tensor = values / length.masked_fill(length <= floor, math.inf)
    return scaled


def finite(teacher: Tensor, term: str) -> Tensor:
    """Return the teacher's answers, for a term that cannot use a class of probability zero.

    Raises:
        BadInput: an answer is infinite or NaN.
    """
    if not bool(teacher.isfinite().all()):
        raise BadInput(
            f"{term} needs finite teacher logits, and some are not (a class of probability zero?). "
            "Clip the answers, or match with soft_cross_entropy, for which zero is a probability like any other."
        )
    return teacher


def at_least_three(logits: Tensor, term: str) -> None:
    """Prove that there are classes enough for a term that compares those beside the target.

    Raises:
        ShapeError: fewer than three classes.
    """
    if logits.shape[-1] < 3:
        raise ShapeError(f"{term} is undefined for {logits.shape[-1]} classes; it needs three or more. Use soft_cross_entropy.")
