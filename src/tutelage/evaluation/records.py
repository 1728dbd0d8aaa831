"""The parts of an evaluation as frozen records: figures with intervals, reliability curves, cost, and aligned answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tutelage.core.answer_kinds import Task
from tutelage.core.arrays import Floats, read_only
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions

CAVEAT = "95 % intervals are over test rows; they do not cover another seed, another teacher or other training rows."


@dataclass(frozen=True)
class Estimate:
    """One figure, its 95 % interval over test rows, and the method of the interval.

    Attributes:
        value: the figure on these rows.
        interval: None if there are too few rows. Its `caution` says if rare large losses may have been missed.
        method: "Wilson" (a share of rows), "t" (a mean over rows), "DeLong" (AUC) or "bootstrap" (any other figure; the
            interval of a worst class, and of a perfect F1, is never narrower than the Wilson interval over the rows of that
            class).
        of: for a figure of one class, such as F1 of two classes or that of the worst class, the class.
    """

    value: float
    interval: Interval | None
    method: str
    of: Any = None

    def __str__(self) -> str:
        span = "" if self.interval is None else f" ({self.interval.low:.4g} to {self.interval.high:.4g})"
        return f"{self.value:.4g}{span}"


@dataclass(frozen=True, eq=False)
class AlignedAnswers:
    """Answers of student and teacher and the truth for the same rows, with columns in the same order, in read-only arrays.

    Attributes:
        task: "binary", "multiclass", "multilabel" or "regression".
        classes: the class (or label name) of each column; empty for regression.
        student: (rows, classes) probabilities; (rows, labels) for multilabel; (rows, outputs) values for regression.
        teacher: the teacher's answers in the same form; None without a teacher.
        truth: the truth in the same form (one-hot, 0 or 1 per label, or values); None if unknown.
        rows_fingerprint: fingerprint of the content of the rows, in order.
        student_decisions: (rows,) columns, or (rows, labels) of 0 and 1: the decisions of the student's own `predict`, if they
            are not everywhere those of its most probable classes; None if they are.
        teacher_decisions: the same for the teacher.
        weights: (rows,) weights of the rows; None if all weigh the same.
    """

    task: Task
    classes: tuple[Any, ...]
    student: Floats
    teacher: Floats | None
    truth: Floats | None
    rows_fingerprint: str = ""
    student_decisions: Decisions | None = None
    teacher_decisions: Decisions | None = None
    weights: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("student", "teacher", "truth", "student_decisions", "teacher_decisions", "weights"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, read_only(array))

    def decided(self, of: Literal["student", "teacher", "truth"]) -> Decisions:
        """The decisions of student, teacher or truth: (rows,) columns, or (rows, labels) of 0 and 1."""
        own = {"student": self.student_decisions, "teacher": self.teacher_decisions}.get(of)
        answers = self.student if of == "student" else self.named(of)
        return decisions(as_distributions(answers, self.task)) if own is None else own

    def named(self, against: str) -> Floats:
        """The target of this name: "truth" or "teacher".

        Raises:
            BadInput: this target is not available.
        """
        found = {"truth": self.truth, "teacher": self.teacher}.get(against)
        if found is None:
            raise BadInput(
                f"this evaluation has no {against!r} to compare with; evaluate with {'y' if against == 'truth' else 'a teacher'}."
            )
        return found
