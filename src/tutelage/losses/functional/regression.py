"""Losses for regression: squared, Huber, Gaussian with the teacher's variance, and bounded by the teacher's error."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.numerics import check_shapes, upcast


def squared_error(student_values: Tensor, target_values: Tensor) -> Tensor:
    """Squared error, summed over outputs: sum_o (s_o - y_o)^2.

    Args:
        student_values: (..., batch, outputs).
        target_values: (batch, outputs), or (batch,) for one output: the teacher's values or the ground truth.

    Returns:
        (..., batch).

    Raises:
        ShapeError: the two shapes differ.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> print(tl.losses.functional.squared_error(torch.tensor([[1.0], [2.0]]), torch.tensor([1.5, 0.0])))
        tensor([0.2500, 4.0000])
    """
    return _difference(student_values, target_values).square().sum(dim=-1)


def huber(student_values: Tensor, target_values: Tensor, *, delta: float = 1.0) -> Tensor:
    """Huber loss, summed over outputs: (s - y)^2 / 2 where |s - y| <= delta, and delta (|s - y| - delta / 2) beyond.

    Args:
        student_values: (..., batch, outputs).
        target_values: (batch, outputs), or (batch,) for one output: the teacher's values or the ground truth.
        delta: the error at which the loss changes from quadratic to linear, in the units of the values.

    Returns:
        (..., batch).

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Huber 1964, Annals of Mathematical Statistics 35(1), 73-101.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> print(tl.losses.functional.huber(torch.tensor([[1.0], [4.0]]), torch.tensor([1.5, 0.0]), delta=1.0))
        tensor([0.1250, 3.5000])
    """
    error = _difference(student_values, target_values)
    each: Tensor = torch.nn.functional.huber_loss(error, error.new_zeros(()).expand_as(error), reduction="none", delta=delta)
    return each.sum(dim=-1)


def gaussian(student_values: Tensor, teacher_moments: Tensor) -> Tensor:
    """Negative log-likelihood under the teacher's Gaussian: sum_o ((s - m)^2 / v + log(2 pi v)) / 2.

    Where the teacher is uncertain (an ensemble disagrees, a Gaussian process is far from its data), the student's error has
    little weight.

    Args:
        student_values: (..., batch, outputs).
        teacher_moments: (batch, 2 outputs): the means m, then the variances v, above zero.

    Returns:
        (..., batch), in nats; negative where the density is above one.

    Raises:
        ShapeError: not two columns for each output.

    Source:
        Nix, Weigend 1994, "Estimating the mean and variance of the target probability distribution".

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> moments = torch.tensor([[1.0, 0.01], [1.0, 100.0]])  # mean and variance: a certain and an uncertain answer
        >>> print(tl.losses.functional.gaussian(torch.tensor([[2.0], [2.0]]), moments).round(decimals=2))
        tensor([48.6200,  3.2300])
    """
    outputs = student_values.shape[-1]
    if teacher_moments.shape[-1] != 2 * outputs:
        raise ShapeError(
            f"the teacher has {teacher_moments.shape[-1]} columns for {outputs} outputs of the student; expected {2 * outputs}: "
            "the means, then the variances."
        )
    mean, variance = upcast(teacher_moments)[..., :outputs], upcast(teacher_moments)[..., outputs:]
    return (_difference(student_values, mean).square() / variance + (2 * math.pi * variance).log()).sum(dim=-1) / 2


def teacher_bounded(student_values: Tensor, teacher_values: Tensor, target_values: Tensor, *, margin: float = 0.0) -> Tensor:
    """Squared error |s - y|^2 where |s - y|^2 + margin > |t - y|^2, otherwise 0.

    The student is trained towards the ground truth until its error is below the teacher's by the margin.

    Args:
        student_values: (..., batch, outputs).
        teacher_values: (batch, outputs), or (batch,) for one output.
        target_values: the ground truth, in the same shape as `teacher_values`.
        margin: by how much the student's error must be smaller, in squared units of the values.

    Returns:
        (..., batch).

    Raises:
        ShapeError: shapes differ.

    Source:
        Chen et al. 2017, "Learning efficient object detection models with knowledge distillation", NeurIPS.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher, y = torch.tensor([[1.0], [3.0]]), torch.tensor([2.0, 2.0]), torch.tensor([0.0, 0.0])
        >>> print(tl.losses.functional.teacher_bounded(student, teacher, y))  # the first row is already better than the teacher
        tensor([0., 9.])
    """
    student_error = squared_error(student_values, target_values)
    teacher_error = _difference(_columns(teacher_values), target_values).square().sum(dim=-1)
    return student_error.masked_fill(student_error + margin <= teacher_error, 0.0)


def positive_variances(teacher_moments: Tensor) -> Tensor:
    """Return (rows, 2 outputs) moments after checking that the second half of the columns are valid variances.

    Raises:
        BadInput: a variance that is not finite and above zero.
    """
    variances = teacher_moments[..., teacher_moments.shape[-1] // 2 :]
    if not bool(((variances > 0) & variances.isfinite()).all()):
        raise BadInput(
            "a variance of the teacher is not above zero or not finite; gaussian() expects the means, then the variances, as columns."
        )
    return teacher_moments


def _difference(student_values: Tensor, target_values: Tensor) -> Tensor:
    target = _columns(target_values)
    check_shapes(student_values, target, "target values")
    return upcast(student_values) - upcast(target)


def _columns(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim == 1 else values
