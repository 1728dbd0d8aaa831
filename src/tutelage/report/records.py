"""A finished run as frozen records, which the report draws and results.json holds.

`SCHEMA` is the number in results.json; it grows when a reader of the old form would misread the new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tutelage.core.records import Comparison, Cost, Interval, Parity

SCHEMA = 1


@dataclass(frozen=True)
class Arm:
    """One line of the table: a model, trained once a seed, measured on the test rows."""

    name: str
    meaning: str
    parameters: int
    """Mean over seeds: weights of a network or linear model, nodes of a tree."""
    unit: str
    """What `parameters` counts: "weights" or "nodes"."""
    seeds: tuple[int, ...]
    scores: Mapping[str, tuple[float, ...]]
    """Per metric (test_accuracy, test_errors, test_r2, test_mse, fidelity) one figure a seed."""
    interval: Interval | None
    """Of the mean of the recipe's headline metric."""
    published: Mapping[str, float] | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """What validation chose, such as {"temperature": 2.0}."""
    cost: Cost | None = None
    parity: Parity | None = None

    def mean(self, metric: str) -> float:
        """The mean over seeds of one metric."""
        values = self.scores[metric]
        return math.fsum(values) / len(values)


@dataclass(frozen=True)
class Matrix:
    """A picture of numbers: a confusion matrix, or mean soft label per true class."""

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
    """Decision regions side by side over the same plane, with the training points drawn on top."""

    title: str
    caption: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    panels: tuple[Region, ...]
    points: tuple[tuple[float, float, int], ...]
    """(x, y, class) of each training point."""


@dataclass(frozen=True)
class Scatter:
    """Prediction against truth, one panel a model: `panels[name]` holds (truth, prediction) pairs."""

    title: str
    caption: str
    panels: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class Figures:
    """Everything a report draws beside the table."""

    matrices: tuple[Matrix, ...] = ()
    regions: tuple[Regions, ...] = ()
    scatters: tuple[Scatter, ...] = ()


@dataclass(frozen=True)
class PublishedRow:
    """Published figure, the same protocol here (per seed), and done right (per seed): test errors."""

    model: str
    published: int
    as_published: tuple[int, ...]
    done_right: tuple[int, ...]


@dataclass(frozen=True)
class PublishedTable:
    """The origin's table beside ours, and the paragraph that explains the difference."""

    rows: tuple[PublishedRow, ...]
    explanation: str


@dataclass(frozen=True)
class RunRecord:
    """One finished run, as results.json holds it."""

    recipe: str
    title: str
    summary: str
    headline: str
    """The metric that the table and the intervals speak of: test_accuracy or test_r2."""
    options: Mapping[str, Any]
    protocol: tuple[str, ...]
    """What was done, one sentence each, in order."""
    data: Mapping[str, Any]
    environment: Mapping[str, str]
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    seconds: Mapping[str, float]
    published: PublishedTable | None = None

    def arm(self, name: str) -> Arm:
        """The arm of this name (KeyError if there is none)."""
        return {arm.name: arm for arm in self.arms}[name]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; an arm's scores stand beside its name, as the schema promises."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["arms"] = [_arm_json(arm) for arm in self.arms]
        plain["comparisons"] = [asdict(comparison) for comparison in self.comparisons]
        plain["published"] = asdict(self.published) if self.published else None
        return {"schema": SCHEMA, **plain}


def _arm_json(arm: Arm) -> dict[str, Any]:
    plain = asdict(arm)
    scores = plain.pop("scores")
    return {"name": plain.pop("name"), "parameters": plain.pop("parameters"), "seeds": plain.pop("seeds"), **scores, **plain}
