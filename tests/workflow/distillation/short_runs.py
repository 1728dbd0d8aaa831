"""A small distillation, and what makes one short: what takes its time is left out where it is not what a test is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.checks.findings import Preflight
from tutelage.data.rows import as_rows
from tutelage.exporters.bench import repeats
from tutelage.exporters.proof import edge_cases
from tutelage.workflow.distillation import run
from tutelage.workflow.distillation.evidence import finals
from tutelage.workflow.distillation.reporting import teacher_cost
from tutelage.workflow.distillation.searching import search
from tutelage.workflow.distillation.searching.judge import Judge

LATENCY = Judge.latency


def latency_if_limited(self, file, **options):
    """The latency of a file where it is limited: every other measurement starts a process."""
    return LATENCY(self, file, **options) if self.limits.latency is not None else None


def no_findings(teacher, rows, *given, seed, **options):
    """The result of a preflight that looks at nothing."""
    count = as_rows(rows).count
    return Preflight((), teacher.fingerprint, count, count, seed)


@contextmanager
def shortened() -> Iterator[None]:
    """Measure latencies only where they are limited, and for a moment; compare files on few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "latency", latency_if_limited)
        for module, name in ((teacher_cost, "SECONDS"), (finals, "SECONDS"), (search, "SECONDS_OF_A_TRIAL")):
            patch.setattr(module, name, 0.02)
        patch.setattr(edge_cases, "ROWS", 300)  # besides edge cases
        patch.setattr(repeats, "MOST_PROCESSES", repeats.AGREEING)  # on a busy machine too
        yield


@contextmanager
def unchecked_teachers() -> Iterator[None]:
    """Check no teacher: the plain models of preflight take longer than the rest of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "preflight", no_findings)
        yield


@dataclass(frozen=True)
class Moons:
    """A teacher, rows that it was not trained on, and the settings of a small run."""

    X: Any
    y: Any
    teacher: Any
    settings: dict[str, Any] = field(default_factory=lambda: {"students": ["tree"], "trials": 1, "seeds": 2, "export": "py"})

    def distill(self, into, **changed):
        given = {"teacher": self.teacher, "X": self.X, "y": self.y, "into": into, **self.settings, **changed}
        return tl.distill(**given)


def small_distillation() -> Moons:
    X, y = make_moons(300, noise=0.3, random_state=0)
    return Moons(X[100:], y[100:], RandomForestClassifier(5, max_depth=5, random_state=0).fit(X[:100], y[:100]))
