"""The result of evaluating one student: a frozen record of its figures on the test rows, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from tutelage.core.answer_kinds import Positions, Task
from tutelage.core.arguments import choice, mapping
from tutelage.core.errors import BadInput, DamagedFile, shown
from tutelage.core.records import Cost, Interval, Latency, dumps
from tutelage.core.stored.checksums import intact, with_checksum
from tutelage.evaluation.metrics.agreement import FLOOR
from tutelage.evaluation.metrics.calibration import ReliabilityCurve
from tutelage.evaluation.records import CAVEAT, AlignedAnswers, Estimate, RowScores
from tutelage.evaluation.scoring.row_scores import TARGETS, Settings, Target, row_scores
from tutelage.evaluation.table import EvaluationTable

if TYPE_CHECKING:
    from rich.table import Table

EVALUATION_SCHEMA = 5


@dataclass(frozen=True)
class Evaluation:
    """The figures of one student, measured against the ground truth and against its teacher.

    `evaluate` returns this record. Print it for a table; in a notebook it is displayed as one.

    Attributes:
        student: the name of the student. teacher: the fingerprint of the teacher, or None without a teacher.
        task, classes, rows: the task, its classes, and the number of test rows.
        positions: "tokens" or "pixels" if there is an answer for each; None for one answer per row.
        answers_count: number of answers that count: that of the rows, or of their positions.
        against_truth: figures of the student against the true classes or values; empty without them.
        against_teacher: the same figures against the teacher's answers (fidelity).
        teacher_against_truth: the teacher's own figures against the truth on these rows.
        iou: for pixels, the intersection over union of each class that occurs, in the groups "against_truth", "against_teacher" and
            "teacher_against_truth"; `of` is the class.
        reliability: one curve for each of "truth" and "teacher"; empty for regression.
        decisions: number of rows (or positions) by the teacher's decision (first index) and the student's decision (second index); None
            for multilabel and regression tasks, and for more than 100 classes.
        cost: size and latency of the student.
        settings: seed, resamples, bins, binning and floor, on which the figures depend.
        rows_fingerprint: fingerprint of the test rows; only evaluations on the same rows can be compared.
        notes: sentences that a reader of the figures has to know: decisions by the student's own rule, weights, classes
            without an AUC.
        answers: the row-by-row answers, used by displays and comparisons; not part of the JSON.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = RandomForestClassifier(20, random_state=0).fit(X[::2], y[::2])
        >>> student = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(X[::2], teacher.predict(X[::2]))
        >>> evaluation = tl.evaluate(student, teacher, X[1::2], y[1::2], budget_seconds=None)
        >>> print(evaluation.against_truth["accuracy"], "over", evaluation.rows, "rows")
        0.96 (0.8889 to 0.9863) over 75 rows
        >>> print(tl.Evaluation.from_json(evaluation.to_json()).against_teacher["agreement"])
        0.9733 (0.9079 to 0.9927)
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
    cost: Cost
    settings: Mapping[str, Any]
    rows_fingerprint: str
    notes: tuple[str, ...] = ()
    positions: Positions | None = None
    answers_count: int | None = None
    iou: Mapping[str, tuple[Estimate, ...]] = field(default_factory=dict)
    answers: AlignedAnswers | None = field(default=None, repr=False, compare=False)

    def row_answers(self) -> AlignedAnswers:
        """The row-by-row answers from which the figures were computed.

        Raises:
            BadInput: this evaluation was read from JSON, which does not contain them.
        """
        if self.answers is None:
            raise BadInput("this evaluation has no row-by-row answers (its JSON does not contain them); call evaluate again.")
        return self.answers

    def row_scores(self, metric: str | None = None, *, against: Literal["truth", "teacher"] | None = None) -> RowScores:
        """One score for each row, and its weight, of a figure that is a mean over rows, or over the positions of rows.

        With several seeds of two recipes, such scores are what `paired_difference` compares.

        Args:
            metric: as for `compare`.
            against: "truth" (the default if it is known) or "teacher".

        Returns:
            `values`, (rows,), and `weights`, (rows,) or None: for positions, the number of them that each row has.

        Raises:
            BadInput: an unknown metric, or an evaluation that was read from JSON.
        """
        answers = self.row_answers()
        target: Target = choice("against", against, TARGETS) if against is not None else "teacher" if answers.truth is None else "truth"
        found = row_scores(answers, target, Settings(floor=self.settings.get("floor", FLOOR)))
        name = next(iter(found)) if metric is None else metric
        if not isinstance(name, str) or name not in found:
            raise BadInput(f"metric is {shown(name)}; against the {target} expected one of {', '.join(found)}.")
        return found[name]

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values, without the row-by-row answers."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "answers"}
        return with_checksum({"schema": EVALUATION_SCHEMA, **plain, "intervals": CAVEAT})

    def dumps(self) -> str:
        """The record as JSON text."""
        return dumps(self.to_json())

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Evaluation:
        """Rebuild the record from the output of `to_json`, without the row-by-row answers.

        Raises:
            BadInput: the schema is a different one, or the values are not those of an evaluation. DamagedFile: a value was changed.
        """
        plain = mapping("plain", plain)
        if plain.get("schema") != EVALUATION_SCHEMA:
            raise BadInput(
                f"this evaluation has schema {plain.get('schema')!r} and this version reads {EVALUATION_SCHEMA}; "
                "evaluate again, or use the version that wrote it."
            )
        if not intact(plain):
            raise DamagedFile("this evaluation is damaged: its values do not match its checksum; restore its file, or evaluate again.")
        try:
            return cls(**{f.name: _READERS.get(f.name, _unchanged)(plain[f.name]) for f in fields(cls) if f.name != "answers"})
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"this is not an evaluation record written by tutelage ({type(error).__name__}: {error}); evaluate again."
            ) from error

    @property
    def table(self) -> EvaluationTable:
        """The figures as a table, for the terminal and for notebooks."""
        return EvaluationTable.of(
            f"{self.student} on {self.rows:,} test rows{self._of_positions} ({self.task})",
            against_truth=self.against_truth,
            against_teacher=self.against_teacher,
            teacher_against_truth=self.teacher_against_truth,
            cost=self.cost,
            iou=self.iou,
            notes=self.notes,
        )

    @property
    def _of_positions(self) -> str:
        return "" if self.positions is None else f", {self.answers_count:,} {self.positions}"

    def __rich__(self) -> Table:
        return self.table.rich()

    def __str__(self) -> str:
        return self.table.text()

    def _repr_html_(self) -> str:
        return self.table.html()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple) and value and isinstance(value[0], Estimate):
        return [asdict(entry) for entry in value]
    return asdict(value) if isinstance(value, Estimate | ReliabilityCurve | Cost) else value


def _unchanged(value: Any) -> Any:
    return value


def _estimate(plain: Mapping[str, Any]) -> Estimate:
    return Estimate(**{**plain, "interval": plain["interval"] and Interval(**plain["interval"])})


def _estimates(plain: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: _estimate(entry) for name, entry in plain.items()}


def _by_class(plain: Mapping[str, Any]) -> dict[str, tuple[Estimate, ...]]:
    return {group: tuple(map(_estimate, entries)) for group, entries in plain.items()}


def _curves(plain: Mapping[str, Any]) -> dict[str, ReliabilityCurve]:
    return {against: ReliabilityCurve(**{name: tuple(values) for name, values in entry.items()}) for against, entry in plain.items()}


def _latency(plain: Mapping[str, Any] | None) -> Latency | None:
    return None if plain is None else Latency(**{**plain, "ci95_us": plain["ci95_us"] and tuple(plain["ci95_us"])})


def _cost(plain: Mapping[str, Any]) -> Cost:
    return Cost(**{**plain, "alone": _latency(plain["alone"]), "batch": _latency(plain["batch"])})


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "classes": tuple,
    "against_truth": _estimates,
    "against_teacher": _estimates,
    "teacher_against_truth": _estimates,
    "reliability": _curves,
    "decisions": lambda rows: rows and tuple(tuple(row) for row in rows),
    "cost": _cost,
    "notes": tuple,
    "iou": _by_class,
}
"""How each field that is not plain text or a number is read from JSON."""
