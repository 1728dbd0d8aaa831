"""The area under the ROC curve (AUC), with an interval over rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.records import Interval
from tutelage.evaluation.intervals import NORMAL, effective_rows, proportion_interval


@dataclass(frozen=True)
class Auc:
    """The mean AUC of some columns.

    Attributes:
        value: the mean, each column counted once.
        interval: its 95 % interval over test rows.
        left_out: columns that are on in every row or in none, which have no AUC.
    """

    value: float
    interval: Interval
    left_out: tuple[int, ...]


def mean_auc(on: NDArray[np.bool_], scores: Floats, weights: Floats | None = None, row_of: NDArray[np.intp] | None = None) -> Auc | None:
    """The AUC of each column, one against the rest, and their mean.

    The interval is that of DeLong's variance on the logit scale; all columns use the same rows, and their covariance counts.
    Where the variance is zero, as for a perfect ranking, it is Wilson's for the rarest of the compared groups.

    Args:
        on: (rows, columns) whether the row belongs to the class.
        scores: (rows, columns), higher for rows that are thought to belong.
        weights: (rows,) weights of the rows, at least 0.
        row_of: the row of each position, if `on` and `scores` are of positions, which are not independent within a row.

    Returns:
        The mean and its interval; None if every column is on in every row or in none.

    Source:
        DeLong, DeLong, Clarke-Pearson 1988, "Comparing the areas under two or more correlated ROC curves"; Obuchowski 1997,
        "Nonparametric analysis of clustered ROC curve data"; Hand, Till 2001 on means over classes.
    """
    weight = np.ones(len(on)) if weights is None else weights if row_of is None else weights[row_of]
    with_both = [column for column in range(on.shape[1]) if 0 < (on[:, column] * weight).sum() < weight.sum()]
    if not with_both:
        return None
    values, moved = [], np.zeros(len(on))
    for column in with_both:
        of_column, moved_column = _one_auc(on[:, column], scores[:, column], weight)
        values.append(of_column)
        moved += moved_column
    value = float(np.mean(values))
    spread = math.sqrt(_variance(moved / len(values), weight, row_of))
    left_out = tuple(sorted(set(range(on.shape[1])) - set(with_both)))
    groups = (group for column in with_both for group in (on[:, column], ~on[:, column]))
    rarest = min(effective_rows(weight[group] if row_of is None else _of_rows(weight[group], row_of[group])) for group in groups)
    return Auc(value, _logit_interval(value, spread, rarest), left_out)


def _variance(moved: Floats, weight: Floats, row_of: NDArray[np.intp] | None) -> float:
    """The variance of the AUC from how much each answer moves it; the answers of a row move it together."""
    if row_of is None:
        return float((moved**2).sum())
    rows = effective_rows(_of_rows(weight, row_of))
    return float((_of_rows(moved, row_of) ** 2).sum()) * (rows / (rows - 1) if rows > 1 else 1.0)


def _of_rows(values: Floats, row_of: NDArray[np.intp]) -> NDArray[np.float64]:
    """(rows,) sums of values of positions."""
    return np.asarray(np.bincount(row_of, weights=values), dtype=np.float64)


def _one_auc(on: NDArray[np.bool_], scores: Floats, weights: Floats) -> tuple[float, Floats]:
    """The AUC of one column, and how much each row moves it: (rows,)."""
    _, place = np.unique(scores, return_inverse=True)
    shares = {side: weights * (on == side) / weights[on == side].sum() for side in (True, False)}
    at = {side: np.bincount(place, weights=share) for side, share in shares.items()}
    below = {side: np.cumsum(each) - each / 2 for side, each in at.items()}  # half of the ties
    wins = np.where(on, below[False][place], 1 - below[True][place])
    value = round(float((shares[True] * wins).sum()), 12)  # so that a perfect ranking is exactly 1
    counts = {side: effective_rows(weights[on == side]) for side in (True, False)}
    unbiased = {side: math.sqrt(count / (count - 1)) if count > 1 else 1.0 for side, count in counts.items()}
    moved = np.where(on, shares[True] * unbiased[True], shares[False] * unbiased[False]) * (wins - value)
    return value, moved


def _logit_interval(value: float, spread: float, rarest: float) -> Interval:
    of_rarest = proportion_interval(min(max(value, 0.0), 1.0) * rarest, rarest)
    if spread < 1e-12 or value <= 0 or value >= 1 or rarest < 2:
        return of_rarest
    centre, half = math.log(value / (1 - value)), NORMAL * spread / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-min(max(centre + sign * half, -700.0), 700.0))) for sign in (-1, 1))
    return Interval(low, high, "test rows")
