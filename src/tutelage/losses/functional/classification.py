"""Losses for classifiers: cross-entropies, Kullback-Leibler divergence and logit matching."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.numerics import check_shapes, check_tensors, log_softmax, upcast


def soft_cross_entropy(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Cross-entropy of the student at a temperature against soft targets: -t^2 sum_c p_c log softmax(z / t)_c.

    The factor t^2 preserves the magnitude of the gradient when the temperature changes, so that a weight relative to
    another term keeps its meaning. With one-hot targets at temperature 1 this is the ordinary cross-entropy.

    Args:
        student_logits: (..., batch, classes), unnormalised, any float dtype.
        target_probs: the same shape, or without the copies axis; rows sum to one. The teacher's probabilities *at this
            temperature*, not logits.
        temperature: a number, or a tensor that broadcasts against (..., batch, classes), such as (copies, 1, 1).

    Returns:
        (..., batch), in nats. Not averaged; the training loop decides how to reduce.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([[2.0, 0.0, -2.0], [0.0, 4.0, 0.0]])
        >>> targets = torch.softmax(teacher / 4, dim=1)
        >>> print(tl.losses.functional.soft_cross_entropy(student, targets, temperature=4.0).round(decimals=2))
        tensor([17.0000, 16.1000])
    """
    check_tensors(target_probs=target_probs)
    return to_scaled_targets(student_logits, upcast(target_probs) * -(temperature**2), temperature=temperature)


def to_scaled_targets(student_logits: Tensor, scaled_targets: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """`soft_cross_entropy` with the factor -t^2 already in the targets, where it adds no work to a training step.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        scaled_targets: -t^2 p, the same shape, or without the copies axis.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.
    """
    check_shapes(student_logits, scaled_targets, "targets")
    return (scaled_targets * log_softmax(student_logits, temperature)).sum(dim=-1)


def hard_cross_entropy(student_logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the student at temperature 1 against the ground truth: -log softmax(z)_y, with optional label smoothing.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        labels: (batch,) or (..., batch) ground truth y, integers in [0, classes).
        smoothing: s in [0, 1]: the target becomes (1 - s) one-hot + s / classes.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: not one label per row.

    Source:
        Label smoothing: Szegedy et al. 2016, section 7, arXiv 1512.00567.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, y = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 1])
        >>> print(tl.losses.functional.hard_cross_entropy(student, y, smoothing=0.1).round(decimals=2))
        tensor([0.6200, 0.3700])
    """
    check_tensors(student_logits=student_logits, labels=labels)
    if labels.shape not in (student_logits.shape[:-1], student_logits.shape[-2:-1]):
        raise ShapeError(f"labels {tuple(labels.shape)} for student logits {tuple(student_logits.shape)}; expected one integer per row.")
    cross_entropy = torch.nn.functional.cross_entropy
    if student_logits.ndim == 2:
        per_example: Tensor = cross_entropy(upcast(student_logits), labels, reduction="none", label_smoothing=smoothing)
        return per_example
    rows = student_logits.shape[:-1]
    flat: Tensor = cross_entropy(
        upcast(student_logits).flatten(0, -2), labels.expand(rows).flatten(), reduction="none", label_smoothing=smoothing
    )
    return flat.view(rows)


def logit_matching(student_logits: Tensor, teacher_logits: Tensor, *, centred: bool = False) -> Tensor:
    """Half the squared distance between the logits: 1/2 sum_c (z_c - v_c)^2.

    If centred, each row's mean difference is subtracted first. Divided by the number of classes, this is the limit of
    `kl_divergence` at high temperatures.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_logits: the same shape, or without the copies axis; finite.
        centred: compare logits up to one constant per row, for a teacher of which only the probabilities are known.

    Returns:
        (..., batch).

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Ba, Caruana 2014, section 2.2, arXiv 1312.6184; the limit: Hinton, Vinyals, Dean 2015, section 2.1, arXiv 1503.02531.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[6.0, 4.0, 4.0]])
        >>> print(tl.losses.functional.logit_matching(student, teacher))
        tensor([28.5000])
        >>> print(tl.losses.functional.logit_matching(student, teacher, centred=True).round(decimals=2))
        tensor([0.3300])
    """
    check_shapes(student_logits, teacher_logits, "teacher logits")
    difference = upcast(student_logits) - upcast(teacher_logits)
    if centred:
        difference = difference - difference.mean(dim=-1, keepdim=True)
    return difference.square().sum(dim=-1) / 2
