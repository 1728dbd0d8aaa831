"""Losses of independent labels, each on or off."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.numerics import fitting, squared, wide


def soft_bernoulli(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """t^2 sum_l -(p_l log q_l + (1 - p_l) log(1 - q_l)), p = sigmoid(v / t), q = sigmoid(z / t).

    Args:
        student_logits: (..., batch, labels), log odds.
        teacher_logits: the same shape, or without the axis of copies; log odds, where infinite is certain.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats: a sum over labels, as they are independent.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531, label by label.
    """
    fitting(student_logits, teacher_logits, "teacher logits")
    p = (wide(teacher_logits) / temperature).sigmoid()
    return _bernoulli(wide(student_logits) / temperature, p) * squared(temperature)


def hard_bernoulli(student_logits: Tensor, labels: Tensor) -> Tensor:
    """sum_l -(y_l log q_l + (1 - y_l) log(1 - q_l)), q = sigmoid(z).

    Args:
        student_logits: (..., batch, labels), log odds.
        labels: (batch, labels), 0 or 1, or anything between.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.
    """
    fitting(student_logits, labels, "labels")
    return _bernoulli(wide(student_logits), labels)


def _bernoulli(log_odds: Tensor, probs: Tensor) -> Tensor:
    each: Tensor = torch.nn.functional.binary_cross_entropy_with_logits(
        log_odds, probs.to(log_odds.dtype).expand_as(log_odds), reduction="none"
    )
    return each.sum(dim=-1)
