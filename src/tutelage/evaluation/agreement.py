"""How far two answerers agree: decisions, and the distance between their probabilities.

Accuracy is agreement with the truth and fidelity is agreement with the teacher: the same functions, given one-hot
truth or the teacher's probabilities. All take (rows, ..., classes) probabilities with the classes last, and give one
value for each decision: (rows,) for one class a row, (rows, labels) for multilabel answers made by `on_off`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats

FLOOR = 1e-7
"""The least probability that a student is taken to give: log 0 would make one row outweigh all others."""

Decisions = NDArray[np.intp]


def on_off(probs: Floats) -> Floats:
    """(rows, labels) probabilities of labels that are on or off, as (rows, labels, 2): off, on."""
    return np.asarray(np.stack([1 - probs, probs], axis=-1))


def decisions(probs: Floats) -> Decisions:
    """The most probable class of each decision, the first of equals: (rows, ...) integers."""
    return np.asarray(probs.argmax(axis=-1))


def agrees(target: Floats, student_probs: Floats) -> NDArray[np.bool_]:
    """Where both name the same class: (rows, ...)."""
    return np.asarray(decisions(target) == decisions(student_probs))


def floored(probs: Floats, floor: float = FLOOR) -> NDArray[np.float64]:
    """Probabilities of at least about `floor`, still summing to one over the last axis."""
    raised = np.maximum(np.asarray(probs, dtype=np.float64), floor)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def cross_entropy(target: Floats, student_probs: Floats, *, floor: float = FLOOR) -> Floats:
    """-sum target log student, in nats: the negative log-likelihood where the target is one-hot truth.

    Args:
        target: (rows, ..., classes) probabilities.
        student_probs: the same shape; zeros are raised to `floor`.
        floor: in (0, 1 / classes).

    Returns:
        (rows, ...), never negative.
    """
    return np.asarray(-(target * np.log(floored(student_probs, floor))).sum(axis=-1))


def kl_nats(teacher_probs: Floats, student_probs: Floats, *, floor: float = FLOOR) -> Floats:
    """KL(teacher || student) in nats: what the teacher's answers cost extra when coded as the student expects.

    Args:
        teacher_probs: (rows, ..., classes) probabilities; a zero adds nothing.
        student_probs: the same shape; zeros are raised to `floor`.
        floor: in (0, 1 / classes).

    Returns:
        (rows, ...), never negative.

    Source:
        Kullback, Leibler 1951.
    """
    p = np.asarray(teacher_probs, dtype=np.float64)
    p = p / p.sum(axis=-1, keepdims=True)  # half-precision rows sum to one within 1e-3 only, which could make KL negative
    own = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(axis=-1)
    return np.asarray(np.maximum(own + cross_entropy(p, student_probs, floor=floor), 0.0))


def decision_counts(target: Decisions, student: Decisions, classes: int) -> NDArray[np.intp]:
    """(classes, classes): how often the target decides the first index and the student the second."""
    pairs = np.bincount(target * classes + student, minlength=classes * classes)
    return np.asarray(pairs.reshape(classes, classes))


def shares(counts: NDArray[Any]) -> Floats:
    """Each row of counts over its sum; a row of zeros stays zero."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
