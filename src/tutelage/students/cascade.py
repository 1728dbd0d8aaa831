"""A student that answers the rows it is sure of, and leaves the others to its teacher, at a rate of right answers that is guaranteed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arguments import choice, number
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash
from tutelage.data.rows import as_rows
from tutelage.evaluation.alignment import align, in_order_of
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.risk_control import Over, learn_then_test, lower_bound
from tutelage.students.checked import check_fitted
from tutelage.teachers.adapt import as_teacher

Against = Literal["teacher", "truth"]


@dataclass(frozen=True)
class Guarantee:
    """What calibration proved of a cascade.

    Attributes:
        threshold: the student answers rows of at least this confidence; None if it may answer none.
        target: the rate of right answers that holds with probability 1 - delta.
        delta: the probability, over draws of the calibration rows, that the rate is lower.
        against: what is right: the teacher's decision, or the truth.
        over: the answers of which the rate is meant: "all" of the cascade, or those of the "student".
        rows: number of calibration rows.
        answered: number of those that the student answers.
        wrong: number of wrong answers, of the `of` of which the rate is meant.
        teacher: fingerprint of the teacher.
    """

    threshold: float | None
    target: float
    delta: float
    against: Against
    over: Over
    rows: int
    answered: int
    wrong: int
    of: int
    teacher: str

    @property
    def coverage(self) -> float:
        """The share of the calibration rows that the student answers."""
        return self.answered / self.rows

    @property
    def at_least(self) -> float:
        """The rate that holds with probability 1 - delta at this threshold alone, from the counts."""
        return lower_bound(self.of - self.wrong, self.of, self.delta)


@dataclass(frozen=True, eq=False)
class CascadeAnswers:
    """Answers of a cascade.

    Attributes:
        answers: (rows, classes) probabilities, of the student or of the teacher.
        by_student: (rows,) whether the student gave the answer.
        confidence: (rows,) of the student.
    """

    answers: Floats
    by_student: NDArray[np.bool_]
    confidence: Floats


class Cascade(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A student that answers where it is sure enough, and its teacher elsewhere.

    `fit` takes calibration rows that trained and chose nothing, and finds the lowest confidence at which the student may answer: with
    probability 1 - `delta` over such rows, at least `target` of the answers are right on rows like them. Rows that come from elsewhere
    are not covered.

    Args:
        student: a fitted classifier, or anything else that `as_teacher` accepts.
        teacher: a fitted classifier, or anything else that `as_teacher` accepts. It is asked the rows that the student leaves.
        target: the rate of right answers, in (0, 1).
        delta: the probability that the rate may be lower, in (0, 1).
        against: what is right: "teacher", its decision, or "truth".
        over: of which answers: "all" of the cascade, or those that the "student" gives itself, which is stricter.
    """

    student_: Teacher
    teacher_: Teacher
    guarantee_: Guarantee

    def __init__(
        self, student: Any, teacher: Any, *, target: float = 0.99, delta: float = 0.05, against: Against = "teacher", over: Over = "all"
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.target = target
        self.delta = delta
        self.against = against
        self.over = over

    def fit(self, X: Any, y: Any = None, *, labels: Any = None) -> Self:
        """Choose the confidence at which the student answers, on calibration rows.

        Args:
            X: rows that neither trained nor chose the student, drawn as those to come.
            y: (rows,) the truth; needed for against="truth".
            labels: the teacher's recorded answers to these rows, so that it is not asked again.

        Raises:
            BadInput: the truth is missing, a setting is out of range, or a model of values. LabelMismatch: other classes, or answers of
                another teacher.
        """
        target, delta = number("target", self.target, above=0, below=1), number("delta", self.delta, above=0, below=1)
        choice("against", self.against, ("teacher", "truth"))
        choice("over", self.over, ("all", "student"))
        if self.against == "truth" and y is None:
            raise BadInput("against is 'truth' and y is None; pass y, the truth of the calibration rows.")
        self.student_, self.teacher_ = as_teacher(self.student), as_teacher(self.teacher)
        aligned = align(self.student_, self.teacher_ if labels is None else labels, X, y)
        wrong = _differ(aligned, "student", self.against)
        of_teacher = _differ(aligned, "teacher", self.against)
        found = learn_then_test(confidence_of(aligned.student, aligned.task), wrong, of_teacher, target=target, delta=delta, over=self.over)
        threshold = found.threshold if np.isfinite(found.threshold) else None
        counts = (found.rows, found.answered, found.wrong, found.of)
        self.guarantee_ = Guarantee(threshold, target, delta, self.against, self.over, *counts, self.teacher_.fingerprint)
        return self

    @property
    def classes_(self) -> NDArray[Any]:
        """(classes,) the class names, in the order of the teacher."""
        check_fitted(self)
        return label_array(self.teacher_.form.classes)

    @property
    def form(self) -> AnswerForm:
        """Probabilities, in the order of the teacher's classes."""
        check_fitted(self)
        return AnswerForm("probabilities", self.teacher_.form.task, self.teacher_.form.classes)

    @property
    def fingerprint(self) -> str:
        """Hash of student, teacher and threshold."""
        check_fitted(self)
        return f"cascade:{content_hash((self.student_.fingerprint, self.guarantee_))}"

    def decide_who(self, X: Any) -> CascadeAnswers:
        """The answers, and who gave each."""
        check_fitted(self)
        rows = as_rows(X)
        inputs = rows.part(0, rows.count)
        form = self.student_.form
        answers = in_order_of(form.probabilities(form.check(self.student_.answer(inputs), rows.count)), form, self.teacher_.form)
        confidence = confidence_of(answers, self.teacher_.form.task)
        threshold = self.guarantee_.threshold
        by_student = np.zeros(rows.count, dtype=bool) if threshold is None else confidence >= threshold
        left = np.flatnonzero(~by_student)
        if len(left):
            taught = self.teacher_.form
            of_teacher = taught.check(self.teacher_.answer(rows.take(left).part(0, len(left))), len(left))
            answers = answers.copy()
            answers[left] = taught.probabilities(of_teacher)
        return CascadeAnswers(answers, by_student, confidence)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, of the student where it is sure enough."""
        return self.decide_who(inputs).answers

    def predict_proba(self, X: Any) -> Floats:
        """(rows, classes) probabilities, of the student where it is sure enough."""
        return self.answer(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) class names; (rows, labels) of 0 and 1 for multilabel."""
        answers = self.answer(X)
        if self.teacher_.form.task == "multilabel":
            return np.asarray(answers > 0.5, dtype=np.intp)
        return np.asarray(self.classes_[answers.argmax(axis=1)])


def _differ(aligned: AlignedAnswers, of: Literal["student", "teacher"], against: Against) -> NDArray[np.bool_]:
    """(rows,) whether the decisions of one differ from what is right, for several labels in any."""
    different: NDArray[np.bool_] = np.not_equal(aligned.decided(of), aligned.decided(against))
    return np.asarray(different.any(axis=1)) if different.ndim == 2 else different
