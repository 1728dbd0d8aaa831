"""Scores of arms on the test rows, and paired comparisons between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.records import Comparison, Cost, Interval, Parity
from tutelage.evaluation.intervals import grand_mean_interval, mean_interval, proportion_interval
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.report.records import Arm


@dataclass(frozen=True)
class Measured:
    """One arm with its predictions on the test rows.

    Attributes:
        name, meaning: as in `Arm`.
        seeds: one seed per row of `predictions`.
        predictions: (seeds, rows) class indices or values.
        parameters: number of parameters, one per seed.
        The other attributes are as in `Arm`.
    """

    name: str
    meaning: str
    seeds: tuple[int, ...]
    predictions: NDArray[Any]
    parameters: tuple[int, ...]
    unit: str = "weights"
    published: Mapping[str, float] | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    parity: Parity | None = None


@dataclass(frozen=True)
class ClassificationTest:
    """Test rows of a classification run.

    Attributes:
        labels: (rows,) true classes if all seeds share the test rows, else (seeds, rows).
        teacher: the teacher's predictions for these rows, in the same shape, for fidelity.
    """

    labels: NDArray[Any]
    teacher: NDArray[Any]
    metric: str = "test_accuracy"

    def row_scores(self, arm: Measured) -> NDArray[Any]:
        """(seeds, rows) 1.0 where the prediction is right."""
        return np.asarray(arm.predictions == self.labels, dtype=np.float64)

    def scores(self, arm: Measured) -> dict[str, tuple[float, ...]]:
        """Accuracy, number of errors and fidelity (agreement with the teacher), one figure per seed."""
        right = self.row_scores(arm)
        return {
            "test_accuracy": tuple(right.mean(axis=1).tolist()),
            "test_errors": tuple((right.shape[1] - right.sum(axis=1)).astype(int).tolist()),
            "fidelity": tuple((arm.predictions == self.teacher).mean(axis=1).tolist()),
        }

    def interval(self, arm: Measured) -> Interval:
        """The interval of the mean accuracy, over seeds and test rows, or over test rows for a model trained once."""
        right = self.row_scores(arm)
        if len(right) == 1:
            return proportion_interval(int(right.sum()), right.size)
        interval = grand_mean_interval(right, shared_rows=self.labels.ndim == 1)
        return Interval(max(interval.low, 0.0), min(interval.high, 1.0), interval.over)

    def compare(self, a: Measured, b: Measured) -> tuple[float, Interval, bool]:
        """The difference in accuracy, its interval, and whether lower is better."""
        return *paired_difference(self.row_scores(a), self.row_scores(b), shared_rows=self.labels.ndim == 1), False


@dataclass(frozen=True)
class RegressionTest:
    """Test rows of a regression run, different for each seed.

    Attributes:
        values: (seeds, rows) measured values.
        teacher: (seeds, rows) predictions of the teacher, for fidelity.
    """

    values: NDArray[Any]
    teacher: NDArray[Any]
    metric: str = "test_mse"

    def row_scores(self, arm: Measured) -> NDArray[Any]:
        """(seeds, rows) squared errors."""
        return np.asarray((arm.predictions - self.values) ** 2)

    def scores(self, arm: Measured) -> dict[str, tuple[float, ...]]:
        """R2, mean squared error and fidelity (R2 against the teacher), one figure per seed."""
        mse = self.row_scores(arm).mean(axis=1)
        gap = ((arm.predictions - self.teacher) ** 2).mean(axis=1)
        return {
            "test_r2": tuple((1 - mse / self.values.var(axis=1)).tolist()),
            "test_mse": tuple(mse.tolist()),
            "fidelity": tuple((1 - gap / self.teacher.var(axis=1)).tolist()),
        }

    def interval(self, arm: Measured) -> Interval:
        """The interval of the mean R2, over seeds."""
        return mean_interval(self.scores(arm)["test_r2"])

    def compare(self, a: Measured, b: Measured) -> tuple[float, Interval, bool]:
        """The difference in mean squared error, its interval, and whether lower is better."""
        return *paired_difference(self.row_scores(a), self.row_scores(b), shared_rows=False), True


Test = ClassificationTest | RegressionTest


def arm_of(measured: Measured, test: Test) -> Arm:
    """The record of one arm."""
    return Arm(
        name=measured.name,
        meaning=measured.meaning,
        parameters=round(float(np.mean(measured.parameters))),
        unit=measured.unit,
        seeds=measured.seeds,
        scores=test.scores(measured),
        interval=test.interval(measured),
        published=measured.published,
        chosen=measured.chosen,
        cost=measured.cost,
        parity=measured.parity,
    )


def compare(a: Measured, b: Measured, test: Test, question: str) -> Comparison:
    """The record of one paired comparison."""
    difference, interval, lower_is_better = test.compare(a, b)
    return Comparison(
        a=a.name,
        b=b.name,
        metric=test.metric,
        difference=difference,
        ci95=(interval.low, interval.high),
        verdict=verdict(difference, interval, lower_is_better=lower_is_better),
        question=question,
        over=interval.over,
        caution=interval.caution,
    )
