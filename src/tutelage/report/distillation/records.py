"""A finished distillation as frozen records: the contents of results.json and of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tutelage.core.records import Comparison, Export, Interval, Latency, record_from
from tutelage.core.stored.checksums import with_checksum
from tutelage.search.advice import Advice, CurvePoint

SCHEMA = 1

ArmKind = Literal["distilled", "baseline", "control", "teacher"]
"""Students of the teacher; students of the ground truth; students that only answer a question, such as untuned ones; the teacher."""

LABELS, DECISIONS, ANSWERS, MORE_ROWS = "labels", "decisions", "answers", "answers, more rows"
UNTUNED, PLAIN, TEACHER = "untuned", "plain model", "teacher"
"""The names of the arms."""
KINDS: Mapping[str, ArmKind] = {LABELS: "baseline", PLAIN: "baseline", UNTUNED: "control", TEACHER: "teacher"}
"""Of the arms whose students are not distilled."""


@dataclass(frozen=True)
class ArmResult:
    """One arm, measured once on the test rows.

    Attributes:
        name, meaning: what its students learn.
        kind: its part in the table.
        student: the family that validation chose; "" for the teacher.
        settings: the settings that validation chose.
        seeds: one training each.
        trials: number of trials of its search.
        validation, test: for each figure, one mean over rows for each seed.
        interval: of the mean of the metric on the test rows.
        size_bytes: of the exported file of the first seed; of the teacher's pickle, if it has one.
        latency: of one row in that file; None if not measured.
        excess: for each limit, how far the first seed exceeds it, as a share; 0 or less meets it.
        drop: how much worse than the teacher the first seed is on validation rows, in the unit of `Limits.drop`; negative if it is better,
            None if it is not known.
    """

    name: str
    meaning: str
    kind: ArmKind
    student: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    trials: int
    validation: Mapping[str, tuple[float, ...]]
    test: Mapping[str, tuple[float, ...]]
    interval: Interval | None
    size_bytes: int | None = None
    latency: Latency | None = None
    excess: Mapping[str, float] = field(default_factory=dict)
    drop: float | None = None

    def mean(self, figure: str, of: Literal["validation", "test"] = "test") -> float:
        """The mean over seeds of one figure."""
        values = (self.test if of == "test" else self.validation)[figure]
        return sum(values) / len(values)


@dataclass(frozen=True)
class Look:
    """One reading of the verdicts; a run with more seeds than before reads them again.

    Attributes:
        seeds: of each arm.
        read: when, in UTC.
        share: of the 5 % of false verdicts that all looks together may give.
    """

    seeds: int
    read: str
    share: float


@dataclass(frozen=True)
class Rate:
    """A share of the test rows, and its 95 % interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class CascadePoint:
    """Student and teacher together at one threshold, on the test rows.

    Attributes:
        threshold: the student answers rows of at least this confidence; None if it may answer none.
        coverage: the share of the rows that it answers.
        agreement: the share of all answers, of student and teacher, that are the teacher's.
        own_agreement: the same of the student's own answers; None if there are none.
        latency_us: of one row, on average, as predicted; None if it is not known.
        target: the agreement that calibration guarantees at this threshold; None for a threshold that was not calibrated.
    """

    threshold: float | None
    coverage: float
    agreement: float
    own_agreement: float | None
    latency_us: float | None
    target: float | None = None


@dataclass(frozen=True)
class CascadeResult:
    """The chosen student, of the first seed, that leaves the rows it is unsure of to its teacher.

    Attributes:
        guarantee: the fields of a `Guarantee`: what calibration proved; its threshold is None if the student may answer none.
        coverage: the share of the test rows that the student answers.
        agreement: the share of all answers that are the teacher's.
        accuracy: the share that is right of the "cascade", the "student" and the "teacher"; empty if the truth is not known.
        student_us, teacher_us, blended_us: median latency of one row of each alone, and the mean of both together, predicted from these
            medians and the coverage; None if not known.
        targets: the same student at other rates; each is guaranteed for itself, not all at once.
        curve: at every share of the rows that the student may answer, from few to all.
        over_groups: whether the guaranteed rate is one over groups, each of which had one calibration row; the other rates are over rows.
    """

    guarantee: Mapping[str, Any]
    coverage: Rate
    agreement: Rate
    accuracy: Mapping[str, Rate]
    student_us: float | None
    teacher_us: float | None
    blended_us: float | None
    targets: tuple[CascadePoint, ...]
    curve: tuple[CascadePoint, ...]
    over_groups: bool = False

    @property
    def attained(self) -> bool:
        """Whether the student may answer any row."""
        return self.guarantee["threshold"] is not None


@dataclass(frozen=True)
class OutputResult:
    """How well one of several values is predicted on the test rows, as R2 of the first seed.

    Attributes:
        name: of the value.
        student: of the chosen student, against what the figures are measured against; None if the value does not vary there.
        teacher: of the teacher against the truth; None if that is not known.
    """

    name: str
    student: float | None
    teacher: float | None


@dataclass(frozen=True)
class DistillationRecord:
    """A finished distillation, as written to results.json.

    Attributes:
        title: what was distilled.
        answer: the result in a sentence or two: which student to ship, and why; or why not to distil.
        task: of the teacher.
        classes: class names in order.
        metric: the figure that decided, a mean over rows.
        against: what it is measured against: "truth", or "teacher" where the truth is not known.
        chosen: the name of the arm whose student is shipped.
        reason: why it was chosen, in a sentence.
        arms: all arms, the teacher last.
        comparisons: paired differences on the test rows; their verdicts are corrected for the number of questions and of looks.
        looks: the readings of the verdicts, this one the last.
        front: trials that no other of their arm beats in loss and size, and in latency where both were timed.
        limits: those that were set.
        rows: number of rows of each part, and of those removed.
        findings: of preflight, as plain values.
        exports: the files written, with their proofs.
        options: settings of the run.
        seconds: of each stage, and in total, over all calls of a run that was stopped or looked at again.
        environment: the versions that ran.
        provenance: the teacher and the rows, by name and content.
        notes: what was left out and why, a sentence each.
        curve: the metric on validation rows by number of rows without ground truth; empty if there are none.
        advice: what would make the student better, and what would not.
        cascade: the student with its teacher behind it; None if that was not asked for.
        outputs: for several values, R2 of each; their squared errors are measured in units of the variance of each.
    """

    title: str
    answer: str
    task: str
    classes: tuple[Any, ...]
    metric: str
    against: str
    chosen: str
    reason: str
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    front: tuple[Mapping[str, Any], ...]
    limits: Mapping[str, float | None]
    rows: Mapping[str, Any]
    findings: Mapping[str, Any]
    exports: tuple[Export, ...]
    options: Mapping[str, Any]
    seconds: Mapping[str, float]
    environment: Mapping[str, str]
    looks: tuple[Look, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    advice: tuple[Advice, ...] = ()
    cascade: CascadeResult | None = None
    outputs: tuple[OutputResult, ...] = ()

    def arm(self, name: str) -> ArmResult:
        """The arm of this name (KeyError if there is none)."""
        return {arm.name: arm for arm in self.arms}[name]

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DistillationRecord:
        """The record from what `to_json` returned, once its checksum was checked."""
        return record_from(cls, plain)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with a checksum."""
        return with_checksum({"schema": SCHEMA, "kind": "distillation", **asdict(self)})
