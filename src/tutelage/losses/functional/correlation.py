"""Losses that are invariant to scale and shift: correlations (DIST) and standardised logits."""

from __future__ import annotations

from torch import Tensor

from tutelage.losses.functional.divergences import kl_divergence
from tutelage.losses.functional.numerics import at_least_three, check_shapes, normalise, softmax, squared, upcast

ROUNDING = 1e-6
"""Relative to the length of a vector: one that varies by less is treated as constant, since the rest is rounding error."""


def dist(
    student_logits: Tensor,
    target_probs: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    inter_weight: float = 1.0,
    intra_weight: float = 1.0,
) -> Tensor:
    """Pearson correlation with the teacher, within rows and within classes (DIST).

    t^2 (inter_weight (1 - r(q_i, p_i)) + intra_weight mean_c (1 - r(q_.c, p_.c))), r Pearson's correlation, q = softmax(z / t).
    The first part compares the classes of a row, the second the rows of a class. A student may be less confident than the
    teacher if its probabilities are an increasing linear function of the teacher's. The second part depends on the whole batch and is the
    same for each of its rows.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        target_probs: the same shape, or without the copies axis: the teacher's probabilities at this temperature.
        temperature: a number, or (copies, 1, 1).
        inter_weight: weight of the first part (beta in the paper).
        intra_weight: weight of the second part (gamma in the paper).

    Returns:
        (..., batch). For a constant row, a constant class and a batch of one row, r is defined as 0, without gradient.

    Raises:
        ShapeError: shapes differ, or two classes, between which every correlation is 1 or -1.

    Source:
        Huang et al. 2022 (DIST), arXiv 2205.10536.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> targets = torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2]])
        >>> less_confident = (0.5 * targets + 0.5 / 3).log()
        >>> print(tl.losses.functional.dist(less_confident, targets).abs().round(decimals=4))
        tensor([0., 0.])
        >>> print(tl.losses.functional.dist(targets.flip(0).log(), targets).round(decimals=2))
        tensor([3.5300, 3.5300])
    """
    check_shapes(student_logits, target_probs, "targets")
    at_least_three(student_logits, "dist")
    q, p = softmax(student_logits, temperature), upcast(target_probs)
    inter = 1 - _pearson(q, p, -1)
    intra = (1 - _pearson(q, p, -2)).mean(dim=-1, keepdim=True)
    return (inter_weight * inter + intra_weight * intra) * squared(temperature)


def _pearson(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return (_centred(a, dim) * _centred(b, dim)).sum(dim=dim)


def _centred(values: Tensor, dim: int) -> Tensor:
    rounding = ROUNDING * values.detach().norm(dim=dim, keepdim=True)
    return normalise(values - values.mean(dim=dim, keepdim=True), dim, rounding)


def standardise(logits: Tensor) -> Tensor:
    """Standardise each row to mean 0 and standard deviation 1: (z - mean) / (sd + 1e-7). A constant row becomes zeros.

    Args:
        logits: (..., classes), unnormalised, finite, three classes or more.

    Returns:
        The same shape, at least float32.

    Raises:
        ShapeError: two classes, which standardise to the same two numbers for any logits.

    Source:
        Sun et al. 2024 (logit standardisation), arXiv 2403.01427; sd with divisor classes - 1, as in the authors' code.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> print(tl.losses.functional.standardise(torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])).round(decimals=2))
        tensor([[-1.,  0.,  1.],
                [ 0.,  0.,  0.]])
    """
    at_least_three(logits, "standardise")
    centred: Tensor = upcast(logits) - upcast(logits).mean(dim=-1, keepdim=True)
    sd = (centred.square().sum(dim=-1, keepdim=True) / (logits.shape[-1] - 1)).clamp_min(1e-30).sqrt()  # sqrt has no finite slope at 0
    return centred / (sd + 1e-7)


def standardised_divergence(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 2.0) -> Tensor:
    """`kl_divergence` between standardised logits: the student need not match the magnitude of the teacher's logits.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        target_probs: softmax(standardise(v) / t): the same shape, or without the copies axis.
        temperature: a number, or (copies, 1, 1): the base temperature of the paper.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ, or two classes.

    Source:
        Sun et al. 2024 (logit standardisation), arXiv 2403.01427.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[10.0, 20.0, 0.0], [5.0, 0.0, 0.0]])
        >>> targets = torch.softmax(tl.losses.functional.standardise(teacher) / 2, dim=1)
        >>> print(tl.losses.functional.standardised_divergence(teacher / 100, targets, temperature=2.0).abs().round(decimals=4))
        tensor([0., 0.])
    """
    return kl_divergence(standardise(student_logits), target_probs, temperature=temperature)
