"""A finished run as frozen records: the contents of the report and of results.json.

`SCHEMA` is the schema number in results.json; it is increased when a reader of the old schema would misread the new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tutelage.core.records import Comparison, Cost, Interval, Parity
from tutelage.core.stored.checksums import with_checksum

SCHEMA = 3


@dataclass(frozen=True)
class Arm:
    """One row of the results table: a model, trained once per seed and measured on the test rows."""

    name: str
    meaning: str
    parameters: int
    """Mean over seeds of the number of weights (networks, linear models) or nodes (trees)."""
    unit: str
    """Unit of `parameters`: "weights" or "nodes"."""
    seeds: tuple[int, ...]
    scores: Mapping[str, tuple[float, ...]]
    """For each metric (test_accuracy, test_errors, test_r2, test_mse, fidelity), one value per seed."""
    interval: Interval | None
    """Interval of the mean of the recipe's headline metric."""
    published: Mapping[str, float] | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """The settings chosen on validation rows, such as {"temperature": 2.0}."""
    cost: Cost | None = None
    parity: Parity | None = None

    def mean(self, metric: str) -> float:
        """The mean over seeds of one metric."""
        values = self.scores[metric]
        return math.fsum(values) / len(values)


@dataclass(frozen=True)
class Matrix:
    """A matrix shown as a heat map: a confusion matrix, or the mean soft label per true class."""

    title: str
    caption: str
    rows_are: str
    columns_are: str
    labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Region:
    """One panel: the model's probability of class 1 on a grid; `values[j][i]` is at (x[i], y[j])."""

    title: str
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Regions:
    """Decision regions of multiple models over the same plane, with the training points drawn on top."""

    title: str
    caption: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    panels: tuple[Region, ...]
    points: tuple[tuple[float, float, int], ...]
    """(x, y, class) of each training point."""


@dataclass(frozen=True)
class Scatter:
    """Predictions against ground truth, one panel per model: `panels[name]` holds (truth, prediction) pairs."""

    title: str
    caption: str
    panels: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class Figures:
    """The plots and matrices of a report, in addition to its tables."""

    matrices: tuple[Matrix, ...] = ()
    regions: tuple[Regions, ...] = ()
    scatters: tuple[Scatter, ...] = ()


@dataclass(frozen=True)
class PublishedRow:
    """Test errors of one model: as published, with the same protocol here (per seed), and with the corrected protocol (per seed)."""

    model: str
    published: int
    as_published: tuple[int, ...]
    done_right: tuple[int, ...]


@dataclass(frozen=True)
class PublishedTable:
    """The original demo's published table next to the results here, and a paragraph that explains the difference."""

    rows: tuple[PublishedRow, ...]
    explanation: str


@dataclass(frozen=True)
class LabelRow:
    """A number of labels, and the name of the arm that learned from them alone."""

    labels: int
    alone: str


@dataclass(frozen=True)
class LabelTable:
    """Students that learned from few labels alone, compared with arms that learned from the teacher's answers."""

    taught: tuple[str, ...]
    """Names of the arms on the teacher's answers; the run compares each with each arm of the rows."""
    rows: tuple[LabelRow, ...]
    explanation: str


@dataclass(frozen=True)
class RunRecord:
    """One finished run, as written to results.json."""

    recipe: str
    title: str
    summary: str
    headline: str
    """The metric of the table and the intervals: test_accuracy or test_r2."""
    options: Mapping[str, Any]
    protocol: tuple[str, ...]
    """The steps of the run in order, one sentence each."""
    data: Mapping[str, Any]
    environment: Mapping[str, str]
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    seconds: Mapping[str, float]
    published: PublishedTable | None = None
    by_labels: LabelTable | None = None

    def arm(self, name: str) -> Arm:
        """The arm of this name (KeyError if there is none)."""
        return {arm.name: arm for arm in self.arms}[name]

    def comparison(self, a: str, b: str) -> Comparison:
        """The comparison of these two arms (KeyError if there is none)."""
        return {(comparison.a, comparison.b): comparison for comparison in self.comparisons}[a, b]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; an arm's scores are on the same level as its name, as the schema specifies."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["arms"] = [_arm_json(arm) for arm in self.arms]
        plain["comparisons"] = [asdict(comparison) for comparison in self.comparisons]
        for name in ("published", "by_labels"):
            plain[name] = asdict(plain[name]) if plain[name] else None
        return with_checksum({"schema": SCHEMA, **plain})


def _arm_json(arm: Arm) -> dict[str, Any]:
    plain = asdict(arm)
    scores = plain.pop("scores")
    return {"name": plain.pop("name"), "parameters": plain.pop("parameters"), "seeds": plain.pop("seeds"), **scores, **plain}
