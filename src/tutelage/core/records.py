"""What was measured: frozen records that every later stage reads, and their JSON.

The report reads these and never a model. `SCHEMA` is the number in results.json; it grows when a reader of the
old form would misread the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


def dumps(plain: Mapping[str, Any]) -> str:
    """Strict JSON (NaN is refused, not written), in a form that diffs well."""
    return json.dumps(plain, indent=1, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, and read-only mappings, as plain values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
