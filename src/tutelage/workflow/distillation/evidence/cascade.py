"""The cascade: which student answers beside its teacher, from which confidence on, and what the test rows say of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.quantities import percent
from tutelage.core.records import Interval, Latency
from tutelage.evaluation.deployed.risk_control import coverage_curve, learn_then_test
from tutelage.evaluation.intervals import proportion_interval
from tutelage.evaluation.metrics.agreement import as_distributions, decisions
from tutelage.report.distillation.records import KINDS, TEACHER, CascadePoint, CascadeResult, Rate
from tutelage.report.words import microseconds
from tutelage.students.cascade import Guarantee
from tutelage.workflow.distillation.evidence.conclusion import Tested
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.given.answered import Answered
from tutelage.workflow.distillation.given.calibration import DELTA
from tutelage.workflow.distillation.given.part import Part

TARGETS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Rates at which the report says what the student would answer, besides the one that was asked for."""


@dataclass(frozen=True, eq=False)
class Beside:
    """A teacher that answers what a student leaves to it.

    Attributes:
        form: of its answers.
        target: the rate of answers that are to be the teacher's.
        fingerprint: of the teacher.
        latency: of one row; None if it is not known.
        over_groups: whether each calibration row stands for its group.
    """

    form: AnswerForm
    target: float
    fingerprint: str
    latency: Latency | None
    over_groups: bool = False

    def calibrated(self, answers: Floats, part: Part, target: float | None = None) -> Guarantee:
        """The threshold from which on a student may answer, by rows that it neither learnt from nor was chosen by.

        Args:
            answers: (rows, columns) the student's, at temperature 1.
            part: the rows, with the teacher's answers.
            target: another rate.
        """
        target = self.target if target is None else target
        confidence, wrong = confidence_of(answers, self.form.task), self.differs(answers, part)
        found = learn_then_test(confidence, wrong, None, target=target, delta=DELTA, over="all")
        assert found is not None  # noqa: S101 - the teacher alone is always right
        return Guarantee.from_chosen(
            found,
            target=target,
            delta=DELTA,
            against="teacher",
            over="all",
            teacher=self.fingerprint,
            own_decisions=False,
            over_groups=self.over_groups,
        )

    def coverage(self, answers: Floats, part: Part) -> float:
        """The largest share of rows that a student may answer so that at least `target` of all answers are the teacher's, on these rows.

        It is what students are chosen by, and no proof.
        """
        confidence, wrong = confidence_of(answers, self.form.task), self.differs(answers, part)
        order = np.argsort(-confidence, kind="stable")
        allowed = (1 - self.target) * len(wrong) + 1e-9  # 10 % of ten rows are one
        kept = int((np.cumsum(wrong[order]) <= allowed).sum())
        return 1.0 if kept == len(wrong) else float(np.mean(confidence > confidence[order[kept]]))

    def differs(self, answers: Floats, part: Part) -> NDArray[np.bool_]:
        """(rows,) whether a student decides otherwise than the teacher; for several labels, about any."""
        return ~self._same_decisions(answers, self.form.probabilities(part.answers))

    def right(self, answers: Floats, part: Part) -> NDArray[np.bool_] | None:
        """(rows,) whether answers decide for the truth; None if it is not known."""
        return None if part.truth is None else self._same_decisions(answers, part.truth)

    def _same_decisions(self, ours: Floats, theirs: Floats) -> NDArray[np.bool_]:
        one, other = (decisions(as_distributions(answers, self.form.task)) for answers in (ours, theirs))
        same = np.equal(one, other)
        return np.asarray(same.all(axis=1) if same.ndim == 2 else same)

    def blended_us(self, latency: Latency | None, coverage: float) -> float | None:
        """The mean latency of a row that a student answers first, and the teacher where the student is unsure."""
        if latency is None or self.latency is None:
            return None
        return latency.p50_us + (1 - coverage) * self.latency.p50_us


def choose_for_cascade(every: Sequence[Finalists], validation: Part, beside: Beside) -> tuple[Finalists, str] | None:
    """The students with the lowest latency beside the teacher, by the validation rows, and the reason in a phrase.

    Args:
        every: the arms to choose from; of those, the students of the teacher that meet the limits.
        validation: the validation rows of the first seed.
        beside: the teacher.

    Returns:
        None if no student may answer any row.
    """
    found: list[tuple[float, float, Finalists]] = []
    for one in every:
        if one.arm.name not in KINDS and one.meets_limits:
            coverage = beside.coverage(one.students[0].answer(validation.rows), validation)
            blended = beside.blended_us(one.latency, coverage)
            found.append((np.inf if blended is None else blended, -coverage, one))
    if not found:
        return None
    blended, uncovered, best = min(found, key=lambda each: each[:2])
    if not uncovered:
        return None
    share = f"it answers {percent(-uncovered)} of the validation rows itself at a rate of {percent(beside.target)}"
    if np.isinf(blended):
        return best, f"{share}, the most of all students of the teacher"
    return (
        best,
        f"{share}, so that a row takes about {microseconds(blended)} on average, predicted, the least of all students of the teacher",
    )


def measured_cascade(shipped: Finalists, answered: Answered, tested: Tested, beside: Beside) -> CascadeResult:
    """Calibrate the threshold of the first seed's student, and measure student and teacher together on the test rows.

    Args:
        shipped: the students that are shipped.
        answered: the rows, with the teacher's answers.
        tested: the answers to the test rows.
        beside: the teacher.
    """
    calibration, test = answered.calibration, answered.test
    assert calibration is not None  # noqa: S101 - the split holds rows back for a cascade
    calibrating = shipped.students[0].answer(calibration.rows)
    guarantee = beside.calibrated(calibrating, calibration)
    answers = tested.answers[shipped.arm.name]
    confidence, wrong = confidence_of(answers, beside.form.task), beside.differs(answers, test)

    def point(threshold: float | None, target: float | None = None) -> CascadePoint:
        by_student = np.zeros(len(wrong), dtype=bool) if threshold is None else confidence >= threshold
        own = float(np.mean(~wrong[by_student])) if by_student.any() else None
        coverage = float(by_student.mean())
        blended = beside.blended_us(shipped.latency, coverage)
        return CascadePoint(threshold, coverage, float(1 - np.mean(wrong & by_student)), own, blended, target)

    at = point(guarantee.threshold)
    targets = sorted({*TARGETS, beside.target})
    return CascadeResult(
        guarantee=asdict(guarantee),
        coverage=_rate(at.coverage, test.count),
        agreement=_rate(at.agreement, test.count),
        accuracy=_accuracy(answers, tested.answers[TEACHER], at.threshold, test, beside),
        student_us=None if shipped.latency is None else shipped.latency.p50_us,
        teacher_us=None if beside.latency is None else beside.latency.p50_us,
        blended_us=at.latency_us,
        targets=tuple(point(beside.calibrated(calibrating, calibration, target).threshold, target) for target in targets),
        curve=tuple(point(threshold) for threshold, _, _ in coverage_curve(confidence, wrong)),
        over_groups=beside.over_groups,
    )


def _accuracy(student: Floats, teacher: Floats, threshold: float | None, test: Part, beside: Beside) -> Mapping[str, Rate]:
    """How often cascade, student and teacher are right on the test rows; empty if the truth is not known."""
    right = {name: beside.right(answers, test) for name, answers in (("student", student), ("teacher", teacher))}
    if right["student"] is None or right["teacher"] is None:
        return {}
    sure = np.zeros(test.count, dtype=bool) if threshold is None else confidence_of(student, beside.form.task) >= threshold
    both = np.where(sure, right["student"], right["teacher"])
    return {name: _rate(float(np.mean(one)), test.count) for name, one in {"cascade": both, **right}.items() if one is not None}


def _rate(share: float, rows: int) -> Rate:
    """A share of rows with its interval."""
    found = proportion_interval(round(share * rows), rows)
    return Rate(share, Interval(found.low, found.high, found.over))
