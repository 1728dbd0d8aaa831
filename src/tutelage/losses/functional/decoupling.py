"""Decoupled knowledge distillation: separate weights for the target class and for the distribution over the other classes."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.numerics import at_least_three, check_shapes, divergence, squared, upcast


def decoupled(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    target_weight: float = 1.0,
    other_weight: float = 8.0,
) -> Tensor:
    """Decoupled divergence (DKD): t^2 (target_weight KL(b_p || b_q) + other_weight KL(p' || q')).

    b = (p_y, 1 - p_y) is the confidence in the target class y, p' the distribution over the other classes. In the
    Kullback-Leibler divergence, p' has the weight 1 - p_y, so that a confident teacher transfers little of it; here its
    weight is a parameter.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        teacher_logits: the same shape, or without the copies axis; -inf marks an impossible class. If every class other than
            the target is impossible, p' is undefined and the second part is 0.
        labels: (batch,) ground truth y, integers.
        temperature: a number, or (copies, 1, 1).
        target_weight: weight of the first part (alpha in the paper).
        other_weight: weight of the second part (beta in the paper).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ, or two classes, for which p' has a single class and carries no information.

    Source:
        Zhao et al. 2022 (DKD), arXiv 2203.08679.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[4.0, 2.0, 0.0]])
        >>> print(tl.losses.functional.decoupled(student, teacher, torch.tensor([0]), temperature=4.0).round(decimals=2))
        tensor([4.3200])
    """
    check_shapes(student_logits, teacher_logits, "teacher logits")
    at_least_three(student_logits, "decoupled")
    log_b_q, log_others_q, _ = _parts(upcast(student_logits) / temperature, labels)
    log_b_p, log_others_p, undefined = _parts(upcast(teacher_logits) / temperature, labels)
    target_part, other_part = divergence(log_b_p, log_b_q), divergence(log_others_p, log_others_q).masked_fill(undefined, 0.0)
    return (target_weight * target_part + other_weight * other_part) * squared(temperature)


def _parts(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log of b (..., batch, 2), log of p' (..., batch, classes - 1), and a mask of the rows without p' (..., batch)."""
    classes = logits.shape[-1]
    target = labels.expand(logits.shape[:-1])[..., None]
    other_classes = (target + torch.arange(1, classes, device=logits.device)) % classes  # in cyclic order after the target
    others = logits.gather(-1, other_classes)
    undefined = others.isneginf().all(dim=-1)
    pair = torch.cat([logits.gather(-1, target), others.logsumexp(dim=-1, keepdim=True)], dim=-1)
    return pair.log_softmax(dim=-1), others.masked_fill(undefined[..., None], 0.0).log_softmax(dim=-1), undefined
