"""What one student lost: a frozen record of its figures on test rows, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval, dumps
from tutelage.evaluation.records import CAVEAT, AlignedAnswers, Estimate, Latency, ReliabilityCurve, StudentCost
from tutelage.evaluation.table import EvaluationTable

if TYPE_CHECKING:
    from rich.table import Table

EVALUATION_SCHEMA = 2


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

    def row_answers(self) -> AlignedAnswers:
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

    @property
    def table(self) -> EvaluationTable:
        """As a reader wants it; printed in a terminal, shown in a notebook."""
        return EvaluationTable.of(
            f"{self.student} on {self.rows:,} test rows ({self.task})",
            against_truth=self.against_truth,
            against_teacher=self.against_teacher,
            teacher_against_truth=self.teacher_against_truth,
            cost=self.cost,
        )

    def __rich__(self) -> Table:
        return self.table.rich()

    def __str__(self) -> str:
        return self.table.text()

    def _repr_html_(self) -> str:
        return self.table.html()


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
