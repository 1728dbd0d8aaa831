"""The parts of an evaluation, as frozen records: figures with their intervals, reliability, cost, the answers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.core.answer_kinds import Task
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval

CAVEAT = "95 % intervals are over test rows: they say nothing of another seed, another teacher or other training rows."


@dataclass(frozen=True)
class Estimate:
    """One figure, its 95 % interval over test rows, and how that was made.

    Attributes:
        value: the figure on these rows.
        interval: None where the rows are too few to say.
        method: "Wilson" (a share of rows), "t" (a mean over rows) or "bootstrap" (anything else; that of a worst class
            is never narrower than Wilson's of the rows of that class).
        of: the class that the figure is about, for the worst class.
    """

    value: float
    interval: Interval | None
    method: str
    of: Any = None

    def __str__(self) -> str:
        span = "" if self.interval is None else f" ({self.interval.low:.4g} to {self.interval.high:.4g})"
        return f"{self.value:.4g}{span}"


@dataclass(frozen=True)
class ReliabilityCurve:
    """How confident the student is and how often that is borne out, in the bins that hold rows.

    Attributes:
        low, high: the edges of each bin of confidence.
        rows: how many decisions fall in it.
        confidence: mean probability of the student's top class.
        outcome: the share of them that are right, or the mean probability that the teacher gives the same class.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: tuple[int, ...]
    confidence: tuple[float, ...]
    outcome: tuple[float, ...]


@dataclass(frozen=True)
class Latency:
    """Microseconds a row: median with its 95 % interval (None below six calls) and 99th percentile over `calls` calls."""

    p50_us: float
    p99_us: float
    ci95_us: tuple[float, float] | None
    calls: int
    batch_rows: int


@dataclass(frozen=True)
class StudentCost:
    """What the student costs to keep and to ask, on this machine.

    Attributes:
        size_bytes: None where it cannot be told.
        size_of: what was weighed: "file" or "pickle".
        parts: how many `unit`s it is made of ("weights", "leaves"); None for a kind of model that is not known.
        alone: one row a call. batch: many rows a call. Both None if no time was to be spent.
    """

    size_bytes: int | None
    size_of: str
    parts: int | None = None
    unit: str = ""
    alone: Latency | None = None
    batch: Latency | None = None


@dataclass(frozen=True, eq=False)
class AlignedAnswers:
    """Student, teacher and truth on the same rows, their columns in the same order.

    Attributes:
        task: what is decided.
        classes: the label of each column; empty for regression.
        student: (rows, classes) probabilities; (rows, labels) for multilabel; (rows, outputs) values for regression.
        teacher: the same of the teacher, if there is one.
        truth: the same of the truth, if it is known: one-hot, 0 or 1 a label, or values.
        rows_fingerprint: of the content of the rows, in order.
    """

    task: Task
    classes: tuple[Any, ...]
    student: Floats
    teacher: Floats | None
    truth: Floats | None
    rows_fingerprint: str = ""

    def named(self, against: str) -> Floats:
        """The teacher's or the true answers.

        Raises:
            BadInput: there are none.
        """
        found = {"truth": self.truth, "teacher": self.teacher}.get(against)
        if found is None:
            raise BadInput(f"there are no answers of {against!r} here; evaluate with {'y' if against == 'truth' else 'a teacher'}.")
        return found
