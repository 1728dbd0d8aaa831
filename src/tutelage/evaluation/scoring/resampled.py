"""Figures that are not means over rows, as functions of sums over rows for the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tutelage.core.arrays import Floats
from tutelage.evaluation.metrics.agreement import Decisions
from tutelage.evaluation.metrics.calibration import BINS, Binning, bin_edges, bin_of
from tutelage.evaluation.scoring.bootstrap import OfSums


def lowest_rate(group: NDArray[Any], right: NDArray[np.bool_], *, groups: int) -> OfSums:
    """The lowest share of `right` among groups of decisions.

    Args:
        group: (rows, ...) the group of each decision; -1 excludes a decision.
        right: (rows, ...) whether each decision is right.
        groups: number of groups.
    """
    included = group.reshape(len(group), -1) >= 0
    rows, columns = np.nonzero(included)
    place = group.reshape(len(group), -1)[rows, columns]
    hit = right.reshape(len(group), -1)[rows, columns].astype(np.float64)
    values, at = np.concatenate([hit, np.ones(len(hit))]), np.concatenate([place, place + groups])
    features = sparse.csr_array((values, (np.tile(rows, 2), at)), shape=(len(group), 2 * groups))

    def figure(sums: Floats) -> Floats:
        hits, counts = sums[:, :groups], sums[:, groups:]
        lowest = np.where(counts > 0, hits / np.maximum(counts, 1), np.inf).min(axis=1)
        return np.where(np.isfinite(lowest), lowest, np.nan)

    return OfSums(features, figure)


def calibration_of(confidence: Floats, outcome: Floats, *, bins: int = BINS, binning: Binning = "equal-width") -> OfSums:
    """Expected calibration error of the top class, in bins fixed by the original rows; the mean over labels for multilabel.

    Args:
        confidence: (rows,) or (rows, labels) probabilities of the top class.
        outcome: the same shape; the probability that the target gives to that class.
        bins: number of bins.
        binning: "equal-width" or "equal-mass".
    """
    edges = bin_edges(confidence, bins=bins, binning=binning)
    filled, rows = len(edges) - 1, len(confidence)
    place, gap = bin_of(confidence, edges).reshape(rows, -1), (confidence - outcome).reshape(rows, -1)
    labels = place.shape[1]
    columns = place + filled * np.arange(labels)
    at = (np.repeat(np.arange(rows), labels), columns.ravel())
    last = filled * labels  # counts the rows
    values, columns_of = np.concatenate([gap.ravel(), np.ones(rows)]), np.concatenate([at[1], np.full(rows, last)])
    features = sparse.csr_array((values, (np.concatenate([at[0], np.arange(rows)]), columns_of)), shape=(rows, last + 1))
    return OfSums(features, lambda sums: np.asarray(np.abs(sums[:, :-1]).sum(axis=1) / (sums[:, -1] * labels)))


def r_squared(target: Floats, predicted: Floats) -> OfSums:
    """1 - squared error / variance, the mean over outputs; the target must vary in each."""
    centred = np.asarray(target, dtype=np.float64) - target.mean(axis=0, dtype=np.float64)  # avoids cancellation in the variance
    error = (np.asarray(target, dtype=np.float64) - predicted) ** 2
    outputs = centred.shape[1]

    def figure(sums: Floats) -> Floats:
        first, second, errors, rows = np.split(sums, [outputs, 2 * outputs, 3 * outputs], axis=1)
        varied = second - first**2 / rows
        possible = (varied > 0).all(axis=1)
        found = (1 - errors / np.where(varied > 0, varied, 1.0)).mean(axis=1)
        return np.where(possible, found, np.nan)

    ones = np.ones((len(centred), 1))
    return OfSums(sparse.csr_array(np.hstack([centred, centred**2, error, ones])), figure, low=-np.inf, high=1.0)


def overlaps(target: Decisions, decided: Decisions, classes: int) -> sparse.csr_array:
    """(rows, 2 classes): for each class whether both decide for it, and how many of the two do.

    Args:
        target: (rows,) classes, or (rows, labels) of 0 and 1.
        decided: the model's decisions, in the same shape.
        classes: number of classes, or of labels.
    """
    if target.ndim == 2:
        expected, found = target == 1, decided == 1
        return sparse.csr_array(np.hstack([expected & found, expected.astype(float) + found]))
    rows = np.arange(len(target))
    both = np.flatnonzero(target == decided)
    at = (np.concatenate([rows[both], rows, rows]), np.concatenate([target[both], classes + target, classes + decided]))
    return sparse.csr_array((np.ones(len(at[0])), at), shape=(len(target), 2 * classes))


def f1_of(features: sparse.csr_array, *, only_second: bool = False) -> OfSums:
    """F1, the harmonic mean of precision and recall, as a mean over the classes that occur among targets or decisions.

    For each class it is Dice's coefficient of the two sets of rows.

    Args:
        features: as `overlaps` returns them, of rows or of their sums.
        only_second: F1 of the second class alone, as is usual for two classes.
    """
    classes = features.shape[1] // 2
    first = 1 if only_second else 0

    def figure(sums: Floats) -> Floats:
        return _mean_of_occurring(2 * sums[:, first:classes], sums[:, classes + first :])

    return OfSums(features, figure)


def mean_iou(features: sparse.csr_array) -> OfSums:
    """Intersection over union (Jaccard's index), as a mean over the classes that occur; arguments as for `f1_of`."""
    classes = features.shape[1] // 2
    return OfSums(features, lambda sums: _mean_of_occurring(sums[:, :classes], sums[:, classes:] - sums[:, :classes]))


def class_iou(features: sparse.csr_array, column: int) -> OfSums:
    """Intersection over union of one class; NaN where it does not occur.

    Args:
        features: as for `f1_of`.
        column: of the class.
    """
    classes = features.shape[1] // 2
    own = sparse.csr_array(features[:, [column, classes + column]])

    def figure(sums: Floats) -> Floats:
        union = sums[:, 1] - sums[:, 0]
        return np.where(union > 0, sums[:, 0] / np.where(union > 0, union, 1.0), np.nan)

    return OfSums(own, figure)


def _mean_of_occurring(part: Floats, whole: Floats) -> Floats:
    """(resamples,) mean over classes of a share, where the class occurs at all; NaN where none does."""
    of_class = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)
    occur = (whole > 0).sum(axis=1)
    return np.where(occur > 0, of_class.sum(axis=1) / np.maximum(occur, 1), np.nan)
