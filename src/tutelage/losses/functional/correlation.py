"""Matching what does not change with scale or shift: correlations (DIST) and standardised logits."""

from __future__ import annotations

from torch import Tensor

from tutelage.losses.functional.classification import kl_divergence
from tutelage.losses.functional.numerics import at_least_three, fitting, softmax, squared, unit, wide

ROUNDING = 1e-6  # of a vector's length: one that varies by less is constant, and what is left of it is rounding


def dist(
    student_logits: Tensor,
    target_probs: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    inter_weight: float = 1.0,
    intra_weight: float = 1.0,
) -> Tensor:
    """t^2 (inter_weight (1 - r(q_i, p_i)) + intra_weight mean_c (1 - r(q_.c, p_.c))), r Pearson's correlation.

    The first part compares the classes of a row, the second the rows of a class; a student may be less sure than
    the teacher as long as it orders them alike. The second part looks at the whole batch and is the same for each of its rows.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        target_probs: the same shape, or without the axis of copies: the teacher's probabilities at this temperature.
        temperature: a number, or (copies, 1, 1).
        inter_weight: of the first part (beta in the paper).
        intra_weight: of the second (gamma in the paper).

    Returns:
        (..., batch). A constant row, a constant class and a batch of one row have no correlation: r is 0, without gradient.

    Raises:
        ShapeError: shapes differ; two classes, between which every correlation is 1 or -1.

    Source:
        Huang et al. 2022 (DIST), arXiv 2205.10536.
    """
    fitting(student_logits, target_probs, "targets")
    at_least_three(student_logits, "dist")
    q, p = softmax(student_logits, temperature), wide(target_probs)
    inter = 1 - _pearson(q, p, -1)
    intra = (1 - _pearson(q, p, -2)).mean(dim=-1, keepdim=True)
    return (inter_weight * inter + intra_weight * intra) * squared(temperature)


def _pearson(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return (_centred(a, dim) * _centred(b, dim)).sum(dim=dim)


def _centred(values: Tensor, dim: int) -> Tensor:
    rounding = ROUNDING * values.detach().norm(dim=dim, keepdim=True)
    return unit(values - values.mean(dim=dim, keepdim=True), dim, rounding)


def standardise(logits: Tensor) -> Tensor:
    """Each row with mean 0 and standard deviation 1: (z - mean) / (sd + 1e-7); a constant row becomes zeros.

    Args:
        logits: (..., classes), unnormalised, finite, three classes or more.

    Returns:
        the same shape, at least float32.

    Raises:
        ShapeError: two classes, which standardise to the same two numbers whatever they say.

    Source:
        Sun et al. 2024 (logit standardisation), arXiv 2403.01427; sd with classes - 1, as in the authors' code.
    """
    at_least_three(logits, "standardise")
    centred: Tensor = wide(logits) - wide(logits).mean(dim=-1, keepdim=True)
    sd = (centred.square().sum(dim=-1, keepdim=True) / (logits.shape[-1] - 1)).clamp_min(1e-30).sqrt()  # sqrt has no slope at 0
    return centred / (sd + 1e-7)


def standardised_divergence(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 2.0) -> Tensor:
    """`kl_divergence` between standardised logits: the student need not match how large the teacher's logits are.

    Args:
        student_logits: (..., batch, classes), unnormalised, three classes or more.
        target_probs: softmax(standardise(v) / t): the same shape, or without the axis of copies.
        temperature: a number, or (copies, 1, 1): the base temperature of the paper.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ; two classes.

    Source:
        Sun et al. 2024 (logit standardisation), arXiv 2403.01427.
    """
    return kl_divergence(standardise(student_logits), target_probs, temperature=temperature)
