"""Losses of values: squared, Huber, Gaussian with the teacher's variance, bounded by the teacher's error."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional.numerics import fitting, wide


def squared_error(student_values: Tensor, target_values: Tensor) -> Tensor:
    """sum_o (s_o - y_o)^2.

    Args:
        student_values: (..., batch, outputs).
        target_values: (batch, outputs), or (batch,) for one output: the teacher's, or the truth.

    Returns:
        (..., batch): a sum over outputs.

    Raises:
        ShapeError: the two shapes differ.
    """
    return _gap(student_values, target_values).square().sum(dim=-1)


def huber(student_values: Tensor, target_values: Tensor, *, delta: float = 1.0) -> Tensor:
    """sum_o of (s - y)^2 / 2 where |s - y| <= delta, and delta (|s - y| - delta / 2) beyond.

    Args:
        student_values: (..., batch, outputs).
        target_values: (batch, outputs), or (batch,) for one output.
        delta: where the square becomes a line, in the units of the values.

    Returns:
        (..., batch): a sum over outputs.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Huber 1964, Annals of Mathematical Statistics 35(1), 73-101.
    """
    gap = _gap(student_values, target_values)
    each: Tensor = torch.nn.functional.huber_loss(gap, gap.new_zeros(()).expand_as(gap), reduction="none", delta=delta)
    return each.sum(dim=-1)


def gaussian(student_values: Tensor, teacher_moments: Tensor) -> Tensor:
    """Negative log-likelihood under the teacher's Gaussian: sum_o ((s - m)^2 / v + log(2 pi v)) / 2.

    Where the teacher is unsure (an ensemble disagrees, a Gaussian process is far from its data), the student is free.

    Args:
        student_values: (..., batch, outputs).
        teacher_moments: (batch, 2 outputs): the means m, then the variances v, above zero.

    Returns:
        (..., batch), in nats; below zero where the density is above one.

    Raises:
        ShapeError: not two columns for each output.

    Source:
        Nix, Weigend 1994, "Estimating the mean and variance of the target probability distribution".
    """
    outputs = student_values.shape[-1]
    if teacher_moments.shape[-1] != 2 * outputs:
        raise ShapeError(
            f"the teacher gives {teacher_moments.shape[-1]} columns for {outputs} outputs of the student; expected {2 * outputs}: "
            "the means, then the variances."
        )
    mean, variance = wide(teacher_moments)[..., :outputs], wide(teacher_moments)[..., outputs:]
    return (_gap(student_values, mean).square() / variance + (2 * math.pi * variance).log()).sum(dim=-1) / 2


def teacher_bounded(student_values: Tensor, teacher_values: Tensor, target_values: Tensor, *, margin: float = 0.0) -> Tensor:
    """|s - y|^2 where |s - y|^2 + margin > |t - y|^2, else 0: a push towards the truth until the student beats the teacher.

    Args:
        student_values: (..., batch, outputs).
        teacher_values: (batch, outputs), or (batch,) for one output.
        target_values: the truth, as `teacher_values`.
        margin: by how much the student must be better, in squared units of the values.

    Returns:
        (..., batch).

    Raises:
        ShapeError: shapes differ.

    Source:
        Chen et al. 2017, "Learning efficient object detection models with knowledge distillation", NeurIPS.
    """
    of_student = squared_error(student_values, target_values)
    of_teacher = _gap(_columns(teacher_values), target_values).square().sum(dim=-1)
    return of_student.masked_fill(of_student + margin <= of_teacher, 0.0)


def positive_variances(teacher_moments: Tensor) -> Tensor:
    """Return (rows, 2 outputs) moments after proving that the second half can be variances.

    Raises:
        BadInput: a variance that is not finite and above zero.
    """
    variances = teacher_moments[..., teacher_moments.shape[-1] // 2 :]
    if not bool(((variances > 0) & variances.isfinite()).all()):
        raise BadInput("a variance of the teacher is not above zero; gaussian() takes its means, then its variances, as columns.")
    return teacher_moments


def _gap(student_values: Tensor, target_values: Tensor) -> Tensor:
    target = _columns(target_values)
    fitting(student_values, target, "target values")
    return wide(student_values) - wide(target)


def _columns(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim == 1 else values
