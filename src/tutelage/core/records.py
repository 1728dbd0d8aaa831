"""What was measured: frozen records that every later stage reads, and their JSON.

The report reads these and never a model. `SCHEMA` is the number in results.json; it grows when a reader of the
old form would misread the new one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

SCHEMA = 1

Verdict = Literal["beats", "no difference", "worse"]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval and what it allows for: "seeds", "test rows" or "seeds and test rows"."""

    low: float
    high: float
    over: str


@dataclass(frozen=True)
class Cost:
    """What a model costs as the exported ONNX file, on one thread of this machine."""

    size_bytes: int
    latency_us: float
    """Median microseconds for one row, asked alone."""
    batch_latency_us: float
    """Median microseconds a row, asked in a batch of `batch_rows`."""
    batch_rows: int


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from its student, over ordinary rows and edge rows."""

    rows: int
    edge_rows: int
    worst_difference: float
    tolerance: float
    decisions_changed: int
    """Rows whose top class (classification) the file changes; 0 for regression."""


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
class Comparison:
    """The paired difference a - b of one metric, and what may be said of it."""

    a: str
    b: str
    metric: str
    difference: float
    ci95: tuple[float, float]
    verdict: Verdict
    question: str
    """What this comparison answers, for a reader."""
    over: str
    """What the interval allows for, as in `Interval`."""


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


def dumps(plain: Mapping[str, Any]) -> str:
    """Strict JSON (NaN is refused, not written), in a form that diffs well."""
    return json.dumps(plain, indent=1, allow_nan=False, default=_plain) + "\n"


def _arm_json(arm: Arm) -> dict[str, Any]:
    plain = asdict(arm)
    scores = plain.pop("scores")
    return {"name": plain.pop("name"), "parameters": plain.pop("parameters"), "seeds": plain.pop("seeds"), **scores, **plain}


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, and read-only mappings, as plain values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
