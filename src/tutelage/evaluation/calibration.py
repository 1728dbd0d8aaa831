"""Whether probabilities are borne out: Brier score, expected calibration error, the reliability curve.

The outcome is the truth (one-hot) or the teacher (its probabilities): a student that says 0.8 is calibrated against
the truth if it is right 8 times in 10, and against the teacher if the teacher gives the same class 0.8 on average.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.evaluation.agreement import decisions
from tutelage.evaluation.records import ReliabilityCurve

Binning = Literal["equal-width", "equal-mass"]

BINS = 15


def brier(target: Floats, student_probs: Floats) -> Floats:
    """Squared distance of the probabilities, summed over classes: from 0 to 2.

    This is Brier's own form; scikit-learn's binary score, which counts the second class alone, is half of it.

    Args:
        target: (rows, ..., classes), one-hot truth or the teacher's probabilities.
        student_probs: the same shape.

    Returns:
        (rows, ...).

    Source:
        Brier 1950.
    """
    return np.asarray(((np.asarray(target, dtype=np.float64) - student_probs) ** 2).sum(axis=-1))


def top_label(target: Floats, student_probs: Floats) -> tuple[Floats, Floats]:
    """Of each decision, the student's confidence in its top class, and what the target gives that class: (rows, ...) each."""
    top = decisions(student_probs)[..., None]
    confidence = np.take_along_axis(np.asarray(student_probs, dtype=np.float64), top, axis=-1)[..., 0]
    return confidence, np.take_along_axis(np.asarray(target, dtype=np.float64), top, axis=-1)[..., 0]


def bin_edges(confidence: Floats, *, bins: int = BINS, binning: Binning = "equal-width") -> Floats:
    """Edges of the bins of confidence, from 0 to 1.

    Args:
        confidence: any shape; decides the edges of bins of equal mass (quantiles, each once).
        bins: at least one.
        binning: "equal-width" or "equal-mass".

    Raises:
        BadInput: no bins, or another binning.
    """
    if bins < 1:
        raise BadInput(f"bins is {bins}; expected at least 1 (15 is usual).")
    if binning == "equal-width":
        return np.linspace(0.0, 1.0, bins + 1)
    if binning != "equal-mass":
        raise BadInput(f"binning is {binning!r}; expected 'equal-width' or 'equal-mass'.")
    inner = np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    return np.unique(np.concatenate([[0.0], np.clip(inner, 0.0, 1.0), [1.0]]))


def bin_of(confidence: Floats, edges: Floats) -> NDArray[np.intp]:
    """The bin of each confidence, its upper edge included: (...) integers."""
    return np.asarray(np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2))


def expected_calibration_error(confidence: Floats, outcome: Floats, *, bins: int = BINS, binning: Binning = "equal-width") -> float:
    """Mean over rows of the gap between confidence and outcome, each averaged in its bin: from 0 to 1.

    Args:
        confidence: (rows,) as `top_label` gives them.
        outcome: (rows,) in [0, 1].
        bins: how many.
        binning: of equal width, or of equal mass (as many rows in each).

    Source:
        Guo, Pleiss, Sun, Weinberger 2017, section 2, arXiv 1706.04599.
    """
    place = bin_of(confidence, bin_edges(confidence, bins=bins, binning=binning))
    return float(np.abs(np.bincount(place, weights=confidence - outcome)).sum() / len(confidence))


def reliability_curve(
    confidence: NDArray[Any], outcome: NDArray[Any], *, bins: int = BINS, binning: Binning = "equal-width"
) -> ReliabilityCurve:
    """Mean confidence and outcome in each bin that holds decisions.

    Args:
        confidence: any shape, as `top_label` gives them; labels of a multilabel answer count as decisions of their own.
        outcome: the same shape.
        bins: how many.
        binning: of equal width or equal mass.
    """
    flat, borne_out = confidence.ravel(), outcome.ravel()
    edges = bin_edges(flat, bins=bins, binning=binning)
    place = bin_of(flat, edges)
    rows = np.bincount(place, minlength=len(edges) - 1)
    held = np.flatnonzero(rows)
    said, was = (np.bincount(place, weights=values, minlength=len(rows))[held] / rows[held] for values in (flat, borne_out))
    return ReliabilityCurve(
        low=tuple(edges[held].tolist()),
        high=tuple(edges[held + 1].tolist()),
        rows=tuple(rows[held].tolist()),
        confidence=tuple(said.tolist()),
        outcome=tuple(was.tolist()),
    )
