"""Bootstrap intervals over test rows, for figures that are functions of sums over rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tutelage.core.arrays import Floats
from tutelage.core.records import Interval
from tutelage.evaluation.intervals import LEVEL, NORMAL, ROUNDING

DRAWN_AT_A_TIME = 1 << 21
"""Cells of the (resamples, rows) matrix drawn at a time; bounds memory to about 50 MB."""

BLOCK_ROWS = 4096
"""Rows that are left out one by one at a time."""


@dataclass(frozen=True)
class OfSums:
    """A figure that is a function of sums over rows, so that each resample is one weighted sum.

    Attributes:
        features: sparse (rows, sums), the contribution of each row to each sum.
        figure: (resamples, sums) -> (resamples,); NaN where the figure is undefined for a resample.
        low, high: the range of possible values.
        averaged: whether a row is itself an average, of its positions, and not right or wrong as a whole: then no row that was not seen
            is taken to move the figure further than the furthest that was.
    """

    features: sparse.csr_array
    figure: Callable[[Floats], Floats]
    low: float = 0.0
    high: float = 1.0
    averaged: bool = False

    @property
    def value(self) -> float:
        """The figure on the original rows."""
        return float(self.figure(np.asarray(self.features.sum(axis=0), dtype=np.float64).reshape(1, -1))[0])


def bootstrap_intervals(figures: Mapping[str, OfSums], *, seed: int, resamples: int = 1000) -> dict[str, Interval]:
    """A 95 % interval for each figure, all from the same resamples.

    Resampling increases a calibration error, because noise never cancels in it, and lowers the minimum of several rates,
    so plain percentiles of the resamples miss the true value. The interval therefore spans the percentiles and their
    bias-corrected reflection about the figure, and always contains the figure. In simulations (calibration errors of 0
    to 0.08 on 300 and 2000 rows, worst of five classes, R2) it covered the true value in 87 to 100 % of draws;
    percentiles alone did in 0 to 95 %.

    Args:
        figures: figures by name, all over the same rows.
        seed: seed of the draws.
        resamples: number of resamples.

    Source:
        Davison, Hinkley 1997, "Bootstrap Methods and their Application", section 5.2.
    """
    if not figures:
        return {}
    stacked = sparse.hstack([figure.features for figure in figures.values()], format="csr")
    sums = resampled_sums(stacked, seed=seed, resamples=resamples)
    intervals, start = {}, 0
    for name, figure in figures.items():
        stop = start + figure.features.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample without any weight has no figure
            intervals[name] = _spanning(figure, figure.figure(sums[:, start:stop]))
        start = stop
    return intervals


def resampled_sums(features: sparse.csr_array, *, seed: int, resamples: int) -> NDArray[np.float64]:
    """(resamples, sums): the sums over the same number of rows, drawn with replacement."""
    rows = features.shape[0]
    rng = np.random.default_rng(seed)
    by_sum = features.T.tocsr()
    at_a_time = max(1, DRAWN_AT_A_TIME // rows)
    parts = []
    for start in range(0, resamples, at_a_time):
        count = min(at_a_time, resamples - start)
        drawn = rng.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        parts.append((by_sum @ times.T.astype(np.float64)).T)
    return np.asarray(np.concatenate(parts))


def _spanning(figure: OfSums, resampled: Floats) -> Interval:
    value = figure.value
    possible = resampled[np.isfinite(resampled)]
    if not len(possible):
        return Interval(figure.low, figure.high, "test rows")
    tail = (1 - LEVEL) / 2
    below, above = np.quantile(possible, [tail, 1 - tail])
    # A resample carries the noise of the rows and that of the draw, sqrt(2) times the noise of the figure itself. If bias
    # is proportional to noise, the bias of the figure is 1 / (sqrt(2) - 1) = 1 + sqrt(2) times the bias that resampling
    # adds. Reflection removes it once; the remaining sqrt(2) times it is subtracted here.
    rest = np.sqrt(2) * (possible.mean() - value)
    least = NORMAL * np.sqrt(2) * _reach(figure) / (figure.features.shape[0] + 2)  # two more rows that differ: no interval of width zero
    low = min(below, 2 * value - above - rest, value - least)
    high = max(above, 2 * value - below - rest, value + least)
    return Interval(float(max(low, figure.low)), float(min(high, figure.high)), "test rows")


def _reach(figure: OfSums) -> float:
    """How far from the figure one more row may be: by 1, or for rows that are averages, as far as the row that moves it most."""
    rows = figure.features.shape[0]
    if not figure.averaged or rows < 2:
        return 1.0
    totals = np.asarray(figure.features.sum(axis=0), dtype=np.float64).reshape(1, -1)
    moved = [
        (rows - 1) * (figure.value - figure.figure(totals - figure.features[start : start + BLOCK_ROWS].toarray()))
        for start in range(0, rows, BLOCK_ROWS)
    ]
    furthest = float(np.nanmax(np.abs(np.concatenate(moved)), initial=0.0))
    return min(furthest, 1.0) if furthest > ROUNDING else 1.0
