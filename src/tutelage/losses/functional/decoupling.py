"""Decoupled distillation: how sure of the label, and how the rest is shared, each with its own weight."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.numerics import at_least_three, divergence, fitting, squared, wide


def decoupled(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 4.0,
    target_weight: float = 1.0,
    other_weight: float = 8.0,
) -> Tensor:
    """t^2 (target_weight KL(b_p || b_q) + other_weight KL(p' || q')).

    b = (p_y, 1 - p_y) says how sure of the label, p' = softmax over the other classes how the rest is shared. In the
    plain divergence p' weighs 1 - p_y, so that sure teachers hardly teach it; here its weight is chosen.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        teacher_logits: the same shape, or without the axis of copies; -inf is a class that cannot be. A row that rules
            out every other class has no p', and that part is 0.
        labels: (batch,) integers.
        temperature: a number, or (copies, 1, 1).
        target_weight: of the first part (alpha in the paper).
        other_weight: of the second (beta in the paper).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ; two classes, for which there is only one other and p' says nothing.

    Source:
        Zhao et al. 2022 (DKD), arXiv 2203.08679.
    """
    fitting(student_logits, teacher_logits, "teacher logits")
    at_least_three(student_logits, "decoupled")
    sure_q, log_q, _ = _parts(wide(student_logits) / temperature, labels)
    sure_p, log_p, silent = _parts(wide(teacher_logits) / temperature, labels)
    of_target, of_others = divergence(sure_p, sure_q), divergence(log_p, log_q).masked_fill(silent, 0.0)
    return (target_weight * of_target + other_weight * of_others) * squared(temperature)


def _parts(cooled: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log of b (..., batch, 2), log of p' (..., batch, classes - 1), and where there is no p' (..., batch)."""
    classes = cooled.shape[-1]
    target = labels.expand(cooled.shape[:-1])[..., None]
    beside = (target + torch.arange(1, classes, device=cooled.device)) % classes  # the others, from the label on
    others = cooled.gather(-1, beside)
    silent = others.isneginf().all(dim=-1)
    pair = torch.cat([cooled.gather(-1, target), others.logsumexp(dim=-1, keepdim=True)], dim=-1)
    return pair.log_softmax(dim=-1), others.masked_fill(silent[..., None], 0.0).log_softmax(dim=-1), silent
