"""Calibration of probabilities: Brier score, expected calibration error and reliability curve.

The target is the one-hot truth or the teacher's probabilities. A student with a confidence of 0.8 is calibrated against
the truth if it is right 8 times in 10, and against the teacher if the teacher gives the same class 0.8 on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import choice, whole
from tutelage.core.arrays import Floats, check_weights
from tutelage.evaluation.metrics.agreement import decisions, distribution_pair, probability_pair

Binning = Literal["equal-width", "equal-mass"]

BINNINGS = ("equal-width", "equal-mass")

BINS, MOST_BINS = 15, 1000
"""The usual number of confidence bins, and the largest: each bin is a column in every resample of a bootstrap."""


@dataclass(frozen=True)
class ReliabilityCurve:
    """The student's confidence and the observed outcome, in each bin that is not empty.

    Attributes:
        low, high: the edges of each confidence bin.
        rows: number of decisions in the bin.
        confidence: mean probability of the student's top class.
        outcome: the share of correct decisions, or the mean probability that the teacher gives to the same class.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: tuple[int, ...]
    confidence: tuple[float, ...]
    outcome: tuple[float, ...]


def brier(target: Floats, student_probs: Floats) -> Floats:
    """Brier score: squared distance between the probabilities, summed over classes, from 0 to 2.

    This is Brier's original form; scikit-learn's binary score counts the second class only and is half of it.

    Args:
        target: (rows, ..., classes), the one-hot truth or the teacher's probabilities.
        student_probs: (rows, ..., classes) probabilities, or (classes,) for every row.

    Returns:
        (rows, ...).

    Source:
        Brier 1950, "Verification of forecasts expressed in terms of probability".

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> truth = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> tl.metrics.brier(truth, np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])).round(2)
        array([0.14, 0.5 ])
    """
    of_target, of_student = distribution_pair(target, student_probs)
    return np.asarray(((np.asarray(of_target, dtype=np.float64) - of_student) ** 2).sum(axis=-1))


def top_label(target: Floats, student_probs: Floats) -> tuple[Floats, Floats]:
    """The student's confidence in its top class, and the probability that the target gives to that class: (rows, ...) each."""
    top = decisions(student_probs)[..., None]
    confidence = np.take_along_axis(np.asarray(student_probs, dtype=np.float64), top, axis=-1)[..., 0]
    return confidence, np.take_along_axis(np.asarray(target, dtype=np.float64), top, axis=-1)[..., 0]


def bin_edges(confidence: Floats, *, bins: int = BINS, binning: Binning = "equal-width") -> Floats:
    """Edges of the confidence bins, from 0 to 1.

    Args:
        confidence: any shape; its distinct quantiles are the edges of equal-mass bins.
        bins: number of bins, at least one.
        binning: "equal-width" or "equal-mass".

    Raises:
        BadInput: no number of bins from 1 to 1000, or an unknown binning.
    """
    bins = whole("bins", bins, 1, MOST_BINS)
    if choice("binning", binning, BINNINGS) == "equal-width":
        return np.linspace(0.0, 1.0, bins + 1)
    inner = np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    return np.unique(np.concatenate([[0.0], np.clip(inner, 0.0, 1.0), [1.0]]))


def bin_of(confidence: Floats, edges: Floats) -> NDArray[np.intp]:
    """Index of the bin of each confidence; a bin includes its upper edge: (...) integers."""
    return np.asarray(np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2))


def expected_calibration_error(confidence: Floats, outcome: Floats, *, bins: int = BINS, binning: Binning = "equal-width") -> float:
    """Expected calibration error (ECE): the gap between mean confidence and mean outcome in each bin, averaged over rows.

    Args:
        confidence: (rows,) probabilities of the student's top class.
        outcome: (rows,) 1 where that class is right and 0 where it is wrong, or the probability that the teacher gives it.
        bins: number of bins.
        binning: "equal-width", or "equal-mass" for the same number of rows in each bin.

    Returns:
        A number from 0 to 1.

    Raises:
        BadInput: no number of bins from 1 to 1000, or an unknown binning.

    Source:
        Guo, Pleiss, Sun, Weinberger 2017, section 2, arXiv 1706.04599.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> confidence, right = np.array([0.64, 0.66, 0.95, 0.95]), np.array([1.0, 0.0, 1.0, 1.0])
        >>> round(tl.metrics.expected_calibration_error(confidence, right, bins=10), 3)
        0.1
    """
    confidence, outcome = probability_pair(outcome, confidence, names=("outcome", "confidence"))[::-1]
    place = bin_of(confidence.ravel(), bin_edges(confidence, bins=bins, binning=binning))
    return float(np.abs(np.bincount(place, weights=(confidence - outcome).ravel())).sum() / confidence.size)


def reliability_curve(
    confidence: NDArray[Any], outcome: NDArray[Any], *, bins: int = BINS, binning: Binning = "equal-width", weights: Floats | None = None
) -> ReliabilityCurve:
    """Mean confidence and mean outcome in each bin that is not empty.

    Args:
        confidence: probabilities of the student's top class, any shape; each label of a multilabel answer is one decision.
        outcome: 1 where that class is right and 0 where it is wrong, or the probability that the teacher gives it; the same shape.
        bins: number of bins.
        binning: "equal-width", or "equal-mass" for the same number of decisions in each bin.
        weights: (rows,) weights of the rows, at least 0, for the means; None if all weigh the same.

    Returns:
        The edges, number of decisions, mean confidence and mean outcome of each non-empty bin.

    Raises:
        BadInput: no number of bins from 1 to 1000, or an unknown binning.

    Source:
        DeGroot, Fienberg 1983, "The comparison and evaluation of forecasters".

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> confidence, right = np.array([0.64, 0.66, 0.95, 0.95]), np.array([1.0, 0.0, 1.0, 1.0])
        >>> curve = tl.metrics.reliability_curve(confidence, right, bins=10)
        >>> curve.rows, curve.outcome
        ((2, 2), (0.5, 1.0))
    """
    outcome, confidence = probability_pair(outcome, confidence, names=("outcome", "confidence"))
    edges = bin_edges(confidence, bins=bins, binning=binning)
    return curve_of(edges, bin_sums(confidence, outcome, edges, weights))


def bin_sums(confidence: NDArray[Any], outcome: NDArray[Any], edges: Floats, weights: Floats | None = None) -> Floats:
    """(4, bins) of each bin: the number of decisions, and the sums of their weights, confidences and outcomes; see `reliability_curve`."""
    outcomes, confidences = (values.ravel() for values in probability_pair(outcome, confidence, names=("outcome", "confidence")))
    place = bin_of(confidences, edges)
    by_row = check_weights(weights, len(confidence))
    weight = np.ones(len(place)) if by_row is None else np.repeat(by_row, len(place) // len(by_row))
    each = (weight > 0, weight, weight * confidences, weight * outcomes)
    return np.stack([np.bincount(place, weights=values, minlength=len(edges) - 1) for values in each])


def curve_of(edges: Floats, sums: Floats) -> ReliabilityCurve:
    """The curve of these sums, which `bin_sums` returns; those of several parts of rows may be added."""
    rows, mass, confidences, outcomes = sums
    filled = np.flatnonzero(rows)
    return ReliabilityCurve(
        low=tuple(edges[filled].tolist()),
        high=tuple(edges[filled + 1].tolist()),
        rows=tuple(rows[filled].astype(int).tolist()),
        confidence=tuple((confidences[filled] / mass[filled]).tolist()),
        outcome=tuple((outcomes[filled] / mass[filled]).tolist()),
    )
