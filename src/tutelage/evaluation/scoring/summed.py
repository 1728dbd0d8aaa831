"""Scores of many parts of rows, added up: means with their intervals, and figures of sums, without holding any row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.evaluation.intervals import interval_of_moments, proportion_interval
from tutelage.evaluation.records import Estimate, RowScores
from tutelage.evaluation.scoring.bootstrap import OfSums
from tutelage.evaluation.scoring.row_scores import Settings
from tutelage.evaluation.scoring.scores import Scores, bounded_interval, derived

LOWEST = ("worst_class_recall", "worst_class_agreement")


@dataclass
class RunningMean:
    """The mean of scores that are added part by part, and its interval: those of `mean_estimate`, up to rounding.

    Sums of numbers are of differences from the mean of the first part, so that little is lost where scores are large and close together.
    """

    shift: float = 0.0
    is_share: bool = False
    mass: float = 0.0
    squared_mass: float = 0.0
    sums: Floats = field(default_factory=lambda: np.zeros(3))
    low: float = math.inf
    high: float = -math.inf

    def add(self, scores: RowScores) -> None:
        """Add the scores of some rows."""
        values = scores.values.astype(np.float64)
        weights = np.ones(len(values)) if scores.weights is None else scores.weights
        if self.mass == 0:
            self.is_share = scores.values.dtype == np.bool_
            self.shift = 0.0 if self.is_share or not weights.any() else scores.mean
        beyond = values - self.shift
        self.mass, self.squared_mass = self.mass + float(weights.sum()), self.squared_mass + float((weights**2).sum())
        self.sums = self.sums + np.array([weights @ beyond, weights**2 @ beyond, weights**2 @ beyond**2])
        counted = values[weights > 0]
        self.low, self.high = min(self.low, counted.min(initial=math.inf)), max(self.high, counted.max(initial=-math.inf))

    def estimate(self, largest: float | None) -> Estimate:
        """The mean with its interval."""
        rows = self.mass**2 / self.squared_mass
        beyond = self.sums[0] / self.mass
        value = float(self.shift + beyond)
        if self.is_share:
            value = min(max(value, 0.0), 1.0)
            return Estimate(value, proportion_interval(value * rows, rows), "Wilson")
        if rows < 2:
            return Estimate(value, None, "t")
        spread = self.sums[2] - 2 * beyond * self.sums[1] + beyond**2 * self.squared_mass
        variance = max(spread, 0.0) / self.mass**2 * rows / (rows - 1)
        interval = interval_of_moments(
            value, variance, rows, furthest=max(self.high - value, value - self.low), scale=max(self.high, -self.low)
        )
        return Estimate(value, bounded_interval(interval, largest, rows), "t")


@dataclass
class RunningScores:
    """The scores of one model against one target, added part by part.

    Attributes:
        means: figures that are means over rows, by name.
        sums: figures that are functions of sums over rows: the sums, and the function.
        of_class: for each figure of a single class, the class; not that of the worst, which the sums tell.
        left_out: figures that some part does not have.
    """

    means: dict[str, RunningMean] = field(default_factory=dict)
    sums: dict[str, tuple[Floats, Callable[[Floats], Floats]]] = field(default_factory=dict)
    iou: dict[Any, tuple[Floats, Callable[[Floats], Floats]]] = field(default_factory=dict)
    of_class: dict[str, Any] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    _values: _RunningVariance | None = None
    _parts: int = 0

    def add(self, scores: Scores, target: Any, answers: Any) -> None:
        """Add the scores of some rows; of values also those and the target, (rows, outputs)."""
        nll = "nll_nats"
        if self._parts and (nll in self.means) != (nll in scores.of_rows):
            self.left_out.add(nll)
        for name, values in scores.of_rows.items():
            self.means.setdefault(name, RunningMean()).add(values)
        for name, figure in scores.of_sums.items():
            if name != "r2":
                self.sums[name] = _added(self.sums.get(name), figure)
        for label, figure in scores.iou.items():
            self.iou[label] = _added(self.iou.get(label), figure)
        self.of_class |= {name: label for name, label in scores.of_class.items() if name not in LOWEST}
        if "mse" in scores.of_rows:
            self._values = self._values or _RunningVariance(np.mean(target, axis=0, dtype=np.float64))
            self._values.add(np.asarray(target, dtype=np.float64), answers)
        self._parts += 1

    def estimates(self, settings: Settings, classes: tuple[Any, ...]) -> dict[str, Estimate]:
        """All figures; those of sums have no interval, which would take all rows at once."""
        found = {
            name: mean.estimate(settings.largest(name)) for name, mean in self.means.items() if mean.mass and name not in self.left_out
        }
        for name, (sums, figure) in self.sums.items():
            value = float(figure(sums[None])[0])
            if math.isfinite(value):
                of = classes[_lowest(sums)] if name in LOWEST else self.of_class.get(name)
                found[name] = Estimate(value, None, "sums", of=of)
        r2 = math.nan if self._values is None else self._values.r2()
        if math.isfinite(r2):
            found["r2"] = Estimate(r2, None, "sums")
        return derived(found)


def _added(before: tuple[Floats, Any] | None, figure: OfSums) -> tuple[Floats, Callable[[Floats], Floats]]:
    sums: NDArray[np.float64] = np.asarray(figure.features.sum(axis=0), dtype=np.float64).reshape(-1)
    return (sums if before is None else before[0] + sums), figure.figure


def _lowest(sums: Floats) -> int:
    """The group with the lowest rate; see `lowest_rate`."""
    hits, counts = np.split(sums, 2)
    return int(np.where(counts > 0, hits / np.maximum(counts, 1), np.inf).argmin())


@dataclass
class _RunningVariance:
    """What R2 is computed from: the variance of the target and the squared error, of each output."""

    shift: Floats
    rows: int = 0
    sums: Floats = field(default_factory=lambda: np.zeros((3, 1)))

    def add(self, target: Floats, answers: Any) -> None:
        beyond = target - self.shift
        self.sums = self.sums + np.stack([beyond.sum(axis=0), (beyond**2).sum(axis=0), ((target - answers) ** 2).sum(axis=0)])
        self.rows += len(target)

    def r2(self) -> float:
        first, second, errors = self.sums
        varied = second - first**2 / self.rows
        return float((1 - errors / varied).mean()) if (varied > 0).all() else math.nan
