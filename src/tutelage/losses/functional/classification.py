"""Losses in torch: pure functions from logits and targets to one value per example."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.numerics import fitting, log_softmax, squared, wide


def soft_cross_entropy(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Cross-entropy of the student at a temperature against soft targets: -t^2 sum_c p_c log softmax(z / t)_c.

    The factor t^2 keeps the size of the gradient when the temperature changes, so that a weight beside another
    term keeps its meaning. With one-hot targets at temperature 1 this is the ordinary cross-entropy.

    Args:
        student_logits: (..., batch, classes), unnormalised, any float dtype.
        target_probs: the same shape, or without the axis of copies; rows sum to one: the teacher's probabilities *at this
            temperature*, not logits.
        temperature: a number, or a tensor that broadcasts against (..., batch, classes), such as (copies, 1, 1).

    Returns:
        (..., batch), in nats. Not averaged; the training loop decides how to reduce.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.
    """
    return to_scaled_targets(student_logits, target_probs * -(temperature**2), temperature=temperature)


def to_scaled_targets(student_logits: Tensor, scaled_targets: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """`soft_cross_entropy` with -t^2 already in the targets, where it costs a training step nothing.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        scaled_targets: -t^2 p, the same shape, or without the axis of copies.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.
    """
    fitting(student_logits, scaled_targets, "targets")
    return (scaled_targets * log_softmax(student_logits, temperature)).sum(dim=-1)


def kl_divergence(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Divergence of the student from soft targets: t^2 sum_c p_c (log p_c - log softmax(z / t)_c).

    `soft_cross_entropy` less the entropy of the targets: the same gradient, and zero where the student is right.

    Args, Returns, Raises:
        as `soft_cross_entropy`; a class with p = 0 counts nothing.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.
    """
    entropy: Tensor = torch.special.entr(wide(target_probs)).sum(dim=-1)
    return soft_cross_entropy(student_logits, target_probs, temperature=temperature) - entropy * squared(temperature)


def hard_cross_entropy(student_logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the student at temperature 1 against labels: -log softmax(z)_y, if wanted with smoothed labels.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        labels: (batch,) or (..., batch) integers in [0, classes).
        smoothing: s in [0, 1]: the label becomes (1 - s) one-hot + s / classes.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: not one label a row.

    Source:
        Smoothing: Szegedy et al. 2016, section 7, arXiv 1512.00567.
    """
    if labels.shape not in (student_logits.shape[:-1], student_logits.shape[-2:-1]):
        raise ShapeError(f"labels {tuple(labels.shape)} for student logits {tuple(student_logits.shape)}; expected one integer a row.")
    cross_entropy = torch.nn.functional.cross_entropy
    if student_logits.ndim == 2:
        per_example: Tensor = cross_entropy(wide(student_logits), labels, reduction="none", label_smoothing=smoothing)
        return per_example
    rows = student_logits.shape[:-1]
    flat: Tensor = cross_entropy(
        wide(student_logits).flatten(0, -2), labels.expand(rows).flatten(), reduction="none", label_smoothing=smoothing
    )
    return flat.view(rows)


def logit_matching(student_logits: Tensor, teacher_logits: Tensor, *, centred: bool = False) -> Tensor:
    """Half the squared distance of the logits: 1/2 sum_c (z_c - v_c)^2.

    Centred, each row's mean difference is taken away first. Divided by the number of classes, that is the limit of
    `kl_divergence` at high temperatures.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_logits: the same shape, or without the axis of copies; finite.
        centred: compare logits up to one constant a row, for teachers whose probabilities are all that is known.

    Returns:
        (..., batch).

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Ba, Caruana 2014, section 2.2, arXiv 1312.6184; the limit: Hinton, Vinyals, Dean 2015, section 2.1, arXiv 1503.02531.
    """
    fitting(student_logits, teacher_logits, "teacher logits")
    gap = wide(student_logits) - wide(teacher_logits)
    if centred:
        gap = gap - gap.mean(dim=-1, keepdim=True)
    return gap.square().sum(dim=-1) / 2
