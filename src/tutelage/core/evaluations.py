"""What one student lost: a frozen record of its figures on test rows, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tutelage.core.answers import Task
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval, dumps

if TYPE_CHECKING:
    from rich.table import Table

EVALUATION_SCHEMA = 2

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


@dataclass(frozen=True)
class Evaluation:
    """A student measured against the truth and against its teacher.

    Attributes:
        student: its name. teacher: the teacher's fingerprint, if there is one.
        task, classes, rows: what was decided, among which labels, on how many test rows.
        against_truth: figures of the student against the true labels or values; empty without them.
        against_teacher: the same against the teacher's answers: fidelity.
        teacher_against_truth: what the teacher itself reaches on these rows.
        reliability: "truth" and "teacher" to the curve against each; empty for regression.
        decisions: rows by the teacher's decision (first index) and the student's (second); None for multilabel and
            regression, and above 100 classes.
        cost: of keeping and asking the student.
        settings: seed, resamples, bins and floor: what the figures depend on.
        rows_fingerprint: of the test rows; only evaluations of the same rows can be compared.
        answers: the answers themselves, for pictures and comparisons; not part of the JSON.
    """

    student: str
    teacher: str | None
    task: Task
    classes: tuple[Any, ...]
    rows: int
    against_truth: Mapping[str, Estimate]
    against_teacher: Mapping[str, Estimate]
    teacher_against_truth: Mapping[str, Estimate]
    reliability: Mapping[str, ReliabilityCurve]
    decisions: tuple[tuple[int, ...], ...] | None
    cost: StudentCost
    settings: Mapping[str, Any]
    rows_fingerprint: str
    answers: AlignedAnswers | None = field(default=None, repr=False, compare=False)

    def kept_answers(self) -> AlignedAnswers:
        """The answers behind the figures.

        Raises:
            BadInput: this evaluation was read back from JSON, which does not hold them.
        """
        if self.answers is None:
            raise BadInput("this evaluation holds no answers row by row (its JSON does not keep them); call evaluate again.")
        return self.answers

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; without the answers."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "answers"}
        return {"schema": EVALUATION_SCHEMA, **plain, "intervals": CAVEAT}

    def dumps(self) -> str:
        """The record as JSON text."""
        return dumps(self.to_json())

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Evaluation:
        """The record that `to_json` gave, without the answers.

        Raises:
            BadInput: another schema, or no such record.
        """
        if plain.get("schema") != EVALUATION_SCHEMA:
            raise BadInput(
                f"this evaluation has schema {plain.get('schema')!r} and this version reads {EVALUATION_SCHEMA}; "
                "evaluate again, or use the version that wrote it."
            )
        try:
            return cls(**{f.name: _READERS.get(f.name, _same)(plain[f.name]) for f in fields(cls) if f.name != "answers"})
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"this is no evaluation as tutelage writes them ({type(error).__name__}: {error}); evaluate again.") from error

    def __rich__(self) -> Table:
        from tutelage.core.evaluation_table import rich_table

        return rich_table(self)

    def __str__(self) -> str:
        from tutelage.core.evaluation_table import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from tutelage.core.evaluation_table import as_html

        return as_html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return asdict(value) if isinstance(value, Estimate | ReliabilityCurve | StudentCost) else value


def _same(value: Any) -> Any:
    return value


def _estimates(plain: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**{**entry, "interval": entry["interval"] and Interval(**entry["interval"])}) for name, entry in plain.items()}


def _curves(plain: Mapping[str, Any]) -> dict[str, ReliabilityCurve]:
    return {against: ReliabilityCurve(**{name: tuple(values) for name, values in entry.items()}) for against, entry in plain.items()}


def _latency(plain: Mapping[str, Any] | None) -> Latency | None:
    return None if plain is None else Latency(**{**plain, "ci95_us": plain["ci95_us"] and tuple(plain["ci95_us"])})


def _cost(plain: Mapping[str, Any]) -> StudentCost:
    return StudentCost(**{**plain, "alone": _latency(plain["alone"]), "batch": _latency(plain["batch"])})


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "classes": tuple,
    "against_truth": _estimates,
    "against_teacher": _estimates,
    "teacher_against_truth": _estimates,
    "reliability": _curves,
    "decisions": lambda rows: rows and tuple(tuple(row) for row in rows),
    "cost": _cost,
}
"""How each field that is more than text and numbers is read back."""
