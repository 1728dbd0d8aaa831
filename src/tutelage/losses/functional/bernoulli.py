"""Losses for multilabel students: independent labels, each on or off."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.numerics import check_shapes, squared, upcast


def soft_bernoulli(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Binary cross-entropy of the student against the teacher's probabilities, at a temperature, summed over labels.

    t^2 sum_l -(p_l log q_l + (1 - p_l) log(1 - q_l)), p = sigmoid(v / t), q = sigmoid(z / t).

    Args:
        student_logits: (..., batch, labels), log odds z.
        teacher_logits: the same shape, or without the copies axis; log odds v, where an infinite value means certainty.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats: a sum over labels, because they are independent.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531, applied to each label.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[2.0, -1.0], [0.0, 0.0]]), torch.tensor([[3.0, -2.0], [1.0, -4.0]])
        >>> print(tl.losses.functional.soft_bernoulli(student, teacher, temperature=2.0).round(decimals=3))
        tensor([4.4170, 5.5450])
    """
    check_shapes(student_logits, teacher_logits, "teacher logits")
    p = (upcast(teacher_logits) / temperature).sigmoid()
    return _bernoulli(upcast(student_logits) / temperature, p) * squared(temperature)


def hard_bernoulli(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of the student against the ground truth, summed over labels.

    sum_l -(y_l log q_l + (1 - y_l) log(1 - q_l)), q = sigmoid(z).

    Args:
        student_logits: (..., batch, labels), log odds z.
        labels: (batch, labels) ground truth y, each in [0, 1].

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, y = torch.tensor([[2.0, -1.0], [0.0, 0.0]]), torch.tensor([[1, 0], [1, 1]])
        >>> print(tl.losses.functional.hard_bernoulli(student, y).round(decimals=3))
        tensor([0.4400, 1.3860])
    """
    check_shapes(student_logits, labels, "labels")
    return _bernoulli(upcast(student_logits), labels)


def _bernoulli(log_odds: Tensor, probs: Tensor) -> Tensor:
    each: Tensor = torch.nn.functional.binary_cross_entropy_with_logits(
        log_odds, probs.to(log_odds.dtype).expand_as(log_odds), reduction="none"
    )
    return each.sum(dim=-1)
