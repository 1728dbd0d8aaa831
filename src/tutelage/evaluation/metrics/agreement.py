"""Agreement between two models: their decisions, and the distance between their probabilities.

Accuracy is agreement with the truth and fidelity is agreement with the teacher: the same functions compute both, given
the one-hot truth or the teacher's probabilities. All take probabilities of shape (rows, ..., classes) with the classes
last, and return one value per decision: (rows,) for one class per row, (rows, labels) for multilabel answers made by `on_off`,
(positions,) for `PositionAnswers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import number
from tutelage.core.arrays import Floats, real_numbers
from tutelage.core.errors import NotProbabilities, ShapeError
from tutelage.core.position_answers import PositionAnswers

FLOOR = 1e-7
"""Smallest student probability before a logarithm is taken; with log 0 a single row would outweigh all others."""

ROUNDING = 1e-3
"""How far below zero or above one a probability may be, by the rounding of half precision."""

Decisions = NDArray[np.intp]


def probability_pair(target: Any, student: Any, *, names: tuple[str, str] = ("target", "student_probs")) -> tuple[Floats, Floats]:
    """Two arrays of the same shape that hold probabilities; numbers below zero by no more than rounding are raised to zero.

    Args:
        target: any shape with at least one number.
        student: the same shape.
        names: what the two are, for the message.

    Raises:
        ShapeError: no numbers, or different shapes. NotProbabilities: NaN, or numbers outside 0 to 1.
    """
    first, second = (_numbers(values, name) for values, name in zip((target, student), names, strict=True))
    if first.shape != second.shape or not first.size or not first.ndim:
        raise ShapeError(f"{names[0]} has shape {first.shape} and {names[1]} {second.shape}; expected the same shape, (rows, ...).")
    for name, values in zip(names, (first, second), strict=True):
        low, high = values.min(), values.max()
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # in this form, NaN fails the comparison too
            raise NotProbabilities(f"{name} holds numbers from {low:.3g} to {high:.3g}; expected probabilities, from 0 to 1.")
    return (first, second) if min(first.min(), second.min()) >= 0 else (np.maximum(first, 0), np.maximum(second, 0))


def distribution_pair(target: Any, student: Any, *, names: tuple[str, str] = ("target", "student_probs")) -> tuple[Floats, Floats]:
    """`probability_pair`, where either may be a single distribution, (classes,), that holds for every row, such as class shares.

    Raises:
        ShapeError, NotProbabilities: as `probability_pair`.
    """
    if isinstance(target, PositionAnswers) and isinstance(student, PositionAnswers) and not np.array_equal(target.shapes, student.shapes):
        raise ShapeError(f"{names[0]} and {names[1]} are of different positions; expected the same tokens or pixels of the same rows.")
    first, second = (_numbers(values, name) for values, name in zip((target, student), names, strict=True))
    if 1 in (first.ndim, second.ndim) and first.shape[-1:] == second.shape[-1:]:
        first, second = np.broadcast_arrays(first, second)
    if first.shape == second.shape and first.ndim > 1 and not len(first) and first.shape[-1]:
        return first, second  # no rows, and no figures
    return probability_pair(first, second, names=names)


def _numbers(values: Any, name: str) -> Floats:
    """Values as numbers; of answers with positions those of all positions, (positions, classes)."""
    if isinstance(values, PositionAnswers):
        values = values.values
    if isinstance(values, TopAnswers):
        raise ShapeError(f"{name} holds the most probable classes of each answer; this function takes the probability of every class.")
    return real_numbers(values, name)


def on_off(probs: Floats) -> Floats:
    """(rows, labels) probabilities that each label is on, as (rows, labels, 2) probabilities of off and on."""
    return np.asarray(np.stack([1 - probs, probs], axis=-1))


def as_distributions(answers: Floats, task: str) -> Floats:
    """Answers as distributions over the last axis: for multilabel, the probabilities of off and on for each label."""
    return on_off(answers) if task == "multilabel" else answers


def decisions(probs: Floats) -> Decisions:
    """Index of the most probable class of each decision, the first one in a tie: (rows, ...) integers."""
    return np.asarray(probs.argmax(axis=-1))


def agrees(target: Floats, student_probs: Floats) -> NDArray[np.bool_]:
    """Whether both decide for the same class: (rows, ...)."""
    return np.asarray(decisions(target) == decisions(student_probs))


def floored(probs: Floats, floor: float = FLOOR) -> NDArray[np.float64]:
    """Raise probabilities to about `floor` at least and normalise them to sum to one over the last axis."""
    raised = np.maximum(np.asarray(probs, dtype=np.float64), floor)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def cross_entropy(target: Floats, student_probs: Floats, *, floor: float = FLOOR) -> Floats:
    """Cross-entropy -sum target log student, in nats; the negative log-likelihood if the target is the one-hot truth.

    Args:
        target: (rows, ..., classes) probabilities.
        student_probs: (rows, ..., classes) probabilities, or (classes,) for every row; smaller ones are raised to `floor`.
        floor: smallest student probability, in (0, 1 / classes).

    Returns:
        (rows, ...), in nats, never negative.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> truth = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> tl.metrics.cross_entropy(truth, np.array([[0.5, 0.5], [0.2, 0.8]])).round(3)
        array([0.693, 0.223])
    """
    p, q = distribution_pair(target, student_probs)
    return np.asarray(-(p * np.log(floored(q, number("floor", floor, above=0, below=1 / q.shape[-1])))).sum(axis=-1))


def kl_nats(teacher_probs: Floats, student_probs: Floats, *, floor: float = FLOOR) -> Floats:
    """Kullback-Leibler divergence KL(teacher || student) in nats.

    Args:
        teacher_probs: (rows, ..., classes) probabilities; a zero contributes nothing.
        student_probs: (rows, ..., classes) probabilities, or (classes,) for every row; smaller ones are raised to `floor`.
        floor: smallest student probability, in (0, 1 / classes).

    Returns:
        (rows, ...), in nats, never negative.

    Source:
        Kullback, Leibler 1951.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> teacher, student = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.25, 0.75], [0.9, 0.1]])
        >>> tl.metrics.kl_nats(teacher, student).round(3)
        array([0.144, 0.   ])
    """
    p, _ = distribution_pair(teacher_probs, student_probs, names=("teacher_probs", "student_probs"))
    p = np.asarray(p, dtype=np.float64)
    p = p / p.sum(axis=-1, keepdims=True)  # half-precision rows sum to one only within 1e-3, which could make KL negative
    negative_entropy = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(axis=-1)
    return np.asarray(np.maximum(negative_entropy + cross_entropy(p, student_probs, floor=floor), 0.0))


def decision_counts(target: Decisions, student: Decisions, classes: int) -> NDArray[np.intp]:
    """(classes, classes) counts of the target's decision (first index) and the student's decision (second index)."""
    pairs = np.bincount(target * classes + student, minlength=classes * classes)
    return np.asarray(pairs.reshape(classes, classes))


def shares(counts: NDArray[Any]) -> Floats:
    """Each row of counts divided by its sum; a row of zeros stays zero."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
