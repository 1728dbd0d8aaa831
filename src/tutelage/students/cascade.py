"""A student that answers the rows it is sure of, and leaves the others to its teacher, at a rate of right answers that is guaranteed."""

from __future__ import annotations

import warnings
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
from tutelage.core.quantities import percent
from tutelage.data.rows import Rows, as_rows
from tutelage.evaluation.aligning.alignment import align, decisions_in_order, in_order_of
from tutelage.evaluation.cost import latency_of_requests
from tutelage.evaluation.deployed.risk_control import Chosen, Over, learn_then_test, lower_bound
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions
from tutelage.evaluation.records import AlignedAnswers
from tutelage.softlabels.labels import SoftLabels
from tutelage.students.cascades.bill import MOST_SECONDS, Bill, measure_bill
from tutelage.students.cascades.models import classifier_of, student_of
from tutelage.students.cascades.reasons import check_labels, of_student_alone, of_teacher_alone, warn_of_repeats
from tutelage.students.checked import check_fitted
from tutelage.teachers.decisions import decided_by
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher

Against = Literal["teacher", "truth"]


@dataclass(frozen=True)
class Guarantee:
    """What calibration proved of a cascade; print it for a sentence.

    Attributes:
        threshold: the student answers rows of at least this confidence; None if it may answer none.
        target: the rate of right answers that holds with probability 1 - delta.
        delta: the probability, over draws of the calibration rows, that the rate is lower.
        against: what is right: the teacher's decision, or the truth.
        over: the answers of which the rate is meant: "all" of the cascade, or those of the "student".
        rows: number of calibration rows.
        answered: number of those that the student answers.
        wrong: number of wrong answers, of the `of` that were tested.
        of: number of answers that were tested: all, or those of the student to all rows but a tenth, which says where tests begin.
        teacher: fingerprint of the teacher.
        own_decisions: whether the teacher's decisions are those of its own rule, such as a tuned threshold; else its most probable classes,
            as of recorded answers.
        over_groups: whether each calibration row stood for a group, so that the rate is one over groups.
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
    own_decisions: bool = False
    over_groups: bool = False

    @classmethod
    def from_chosen(
        cls,
        found: Chosen,
        *,
        target: float,
        delta: float,
        against: Against,
        over: Over,
        teacher: str,
        own_decisions: bool,
        over_groups: bool = False,
    ) -> Guarantee:
        """The guarantee of a threshold that was found, with the settings that it was found by."""
        threshold = found.threshold if np.isfinite(found.threshold) else None
        counts = (found.rows, found.answered, found.wrong, found.of)
        return cls(threshold, target, delta, against, over, *counts, teacher, own_decisions=own_decisions, over_groups=over_groups)

    @property
    def coverage(self) -> float:
        """The share of the calibration rows that the student answers."""
        return self.answered / self.rows

    @property
    def at_least(self) -> float:
        """The rate that holds with probability 1 - delta at this threshold alone, from the counts."""
        return lower_bound(self.of - self.wrong, self.of, self.delta)

    def __str__(self) -> str:
        """The guarantee in a sentence."""
        if self.threshold is None:
            return f"The student answers none of the {self.rows:,} calibration rows: every row is left to the teacher."
        right = "agree with the teacher" if self.against == "teacher" else "match the truth"
        of = "all answers" if self.over == "all" else "the student's own answers"
        which = f"rows of confidence {self.threshold:.4g} or more" if self.threshold else "every row"
        rows, like = ("rows, one of each group", "groups like theirs") if self.over_groups else ("rows", "rows like them")
        return (
            f"The student answers {which}, {percent(self.coverage)} of the {self.rows:,} calibration {rows}. On {like} at least "
            f"{self.target:.4g} of {of} {right}, with probability {1 - self.delta:.4g}; here {self.of - self.wrong:,} of {self.of:,} did."
        )


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
    probability 1 - `delta` over draws of such rows, at least `target` of the answers are right on rows like them. The guarantee is one of
    rows drawn independently from the same source. It does not cover rows from elsewhere, nor calibration rows that student or teacher were
    trained on, where both are surer and righter than on new ones; neither can be seen from here.

    The confidence is the student's largest probability; of several labels, the probability of the least certain decision. The decisions
    are those of `predict` of student and teacher, so that a tuned threshold counts, and else the most probable class.

    It is itself a classifier and a Teacher: `evaluate`, `compare` and `record` take it. `clone` gives a cascade of the same fitted models
    that is not calibrated.

    Args:
        student: a fitted classifier, or anything else that `as_teacher` accepts, such as an exported ONNX file.
        teacher: a fitted classifier, or anything else that `as_teacher` accepts. It is asked the rows that the student leaves.
        target: the rate of right answers, in (0, 1).
        delta: the probability that the rate may be lower, in (0, 1).
        against: what is right: "teacher", its decision, or "truth".
        over: of which answers: "all" of the cascade, or those that the "student" gives itself, which is stricter.

    Attributes:
        guarantee_: what calibration proved, as a frozen record; print it for a sentence.
        classes_: (classes,) the class names, in the order of the teacher.

    Source:
        Learn-then-Test: Angelopoulos et al. 2021, arXiv 2110.01052. See `learn_then_test` in evaluation/deployed/risk_control.py.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> teacher = RandomForestClassifier(100, random_state=0).fit(X[:600], y[:600])
        >>> student = tl.SoftLogistic().fit(X[:600], tl.as_teacher(teacher))
        >>> cascade = tl.Cascade(student, teacher, target=0.95).fit(X[600:1200])
        >>> answers = cascade.decide_who(X[1200:])
        >>> print(f"the student answers {answers.by_student.mean():.1f} of the rows")
        the student answers 0.9 of the rows
        >>> bool((cascade.predict(X[1200:]) == teacher.predict(X[1200:])).mean() >= 0.95)
        True
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

    def fit(self, X: Any, y: Any = None, *, labels: SoftLabels | None = None) -> Self:
        """Choose the confidence at which the student answers, on calibration rows, which cannot be weighted.

        Args:
            X: rows that neither trained nor chose student or teacher, drawn as those to come; of any kind that `as_rows` takes.
            y: (rows,) class names, or (rows, labels) of 0 and 1: the truth. Needed for against="truth", and else not looked at.
            labels: the teacher's recorded answers to these rows, so that it is not asked again. Its decisions are then the most probable
                classes, here and in `predict`.

        Raises:
            BadInput: a setting is out of range, a model is not fitted or answers with values, the truth is missing, or the teacher itself
                misses the target against the truth. LabelMismatch: other classes, or answers of another teacher or to other rows.
                ShapeError: another number of rows in y.

        Warns:
            UserWarning: the student may answer nothing, and why; or many calibration rows repeat others.
        """
        target, delta = number("target", self.target, above=0, below=1), number("delta", self.delta, above=0, below=1)
        choice("against", self.against, ("teacher", "truth"))
        choice("over", self.over, ("all", "student"))
        if self.against == "truth" and y is None:
            raise BadInput("against is 'truth' and y is None; pass y, the truth of the calibration rows.")
        teacher = classifier_of("teacher", self.teacher)
        student = student_of(self.student, teacher)
        if labels is not None:
            check_labels(labels, teacher)
        rows = as_rows(X)
        aligned = align(student, teacher if labels is None else labels, rows, y if self.against == "truth" else None)
        warn_of_repeats(rows)
        wrong = _differ(aligned, "student", self.against)
        of_teacher = None if self.against == "teacher" else _differ(aligned, "teacher", "truth")
        found = learn_then_test(confidence_of(aligned.student, aligned.task), wrong, of_teacher, target=target, delta=delta, over=self.over)
        if found is None:
            raise BadInput(of_teacher_alone(target, delta, 0 if of_teacher is None else int(of_teacher.sum()), rows.count))
        fingerprint = teacher.fingerprint if labels is None else labels.fingerprint
        guarantee = Guarantee.from_chosen(
            found, target=target, delta=delta, against=self.against, over=self.over, teacher=fingerprint, own_decisions=labels is None
        )
        if guarantee.threshold is None:
            warnings.warn(of_student_alone(found, target, delta, self.against, self.over, int(wrong.sum())), stacklevel=2)
        return self.calibrated(student, teacher, guarantee)

    def calibrated(self, student: Teacher, teacher: Teacher, guarantee: Guarantee) -> Self:
        """Take a guarantee as it was proved before, such as one read from a file.

        Args:
            student: this cascade's student, as a Teacher.
            teacher: the teacher.
            guarantee: of this student and this teacher.
        """
        self.student_, self.teacher_, self.guarantee_ = student, teacher, guarantee
        self._student_form, self._teacher_form = student.form, teacher.form  # computed anew at each call by a wrapped estimator
        return self

    def __sklearn_clone__(self) -> Self:
        """A cascade of the same fitted models that is not calibrated."""
        return type(self)(**self.get_params(deep=False))

    @property
    def classes_(self) -> NDArray[Any]:
        """(classes,) the class names, in the order of the teacher."""
        return label_array(self.form.classes)

    @property
    def form(self) -> AnswerForm:
        """Probabilities, in the order of the teacher's classes."""
        check_fitted(self)
        return self._teacher_form.as_kind("probabilities")

    @property
    def fingerprint(self) -> str:
        """Hash of student, teacher and threshold."""
        check_fitted(self)
        return f"cascade:{content_hash((self.student_.fingerprint, self.guarantee_))}"

    def decide_who(self, X: Any) -> CascadeAnswers:
        """The answers, and who gave each.

        Args:
            X: rows of any kind that student and teacher take.

        Raises:
            BadInput: rows that one of them refuses. NotFitted: the cascade is not calibrated.
        """
        rows = as_rows(X)
        answers, confidence, by_student = self._of_student(rows)
        left = np.flatnonzero(~by_student)
        if len(left):
            answers = np.array(answers, dtype=np.float64)
            answers[left] = self._of_teacher(_part(rows, left), len(left))
        return CascadeAnswers(answers, by_student, confidence)

    def defers(self, X: Any) -> NDArray[np.bool_]:
        """(rows,) whether the student leaves each row to the teacher, which is not asked."""
        return ~self._of_student(as_rows(X))[2]

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, of the student where it is sure enough."""
        return self.decide_who(inputs).answers

    def predict_proba(self, X: Any) -> Floats:
        """(rows, classes) probabilities, of the student where it is sure enough."""
        return self.answer(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) class names; (rows, labels) of 0 and 1 for multilabel: the decisions of which the guarantee is meant.

        They are those of `predict` of student and teacher, which need not be the most probable classes of `predict_proba`.
        """
        rows = as_rows(X)
        answers, _, by_student = self._of_student(rows)
        form = self._teacher_form
        decided = decisions(as_distributions(answers, form.task)).copy()
        answered, left = np.flatnonzero(by_student), np.flatnonzero(~by_student)
        if len(answered):
            own = decided_by(self.student_, "decide", _part(rows, answered), len(answered), self._student_form)
            if own is not None:
                decided[answered] = decisions_in_order(own, self._student_form, form)
        if len(left):
            decided[left] = self._teacher_decides(_part(rows, left), len(left))
        return decided if form.task == "multilabel" else np.asarray(self.classes_[decided])

    def decide(self, inputs: Any) -> NDArray[Any]:
        """As `predict`: the decisions of a Teacher, by which `evaluate` judges it."""
        return self.predict(inputs)

    def bill(self, X: Any, *, student_cost: float = 0.0, teacher_cost: float | None = None, seconds: float = 0.3) -> Bill:
        """What answers to rows like these cost: the share that the student answers, latency, and money.

        Args:
            X: rows as they come. The first is what latency is measured on, with calls of one row.
            student_cost: cost of 1 000 answers of the student, in any currency.
            teacher_cost: cost of 1 000 answers of the teacher; None if it is not known.
            seconds: approximate time for each of the two measurements, of three calls at least.

        Returns:
            A frozen record; print it for a table.

        Raises:
            BadInput: a cost below zero, or rows that student or teacher refuse. NotFitted: the cascade is not calibrated.

        Example:
            >>> import numpy as np
            >>> import tutelage as tl
            >>> X = np.linspace(0, 1, 1000)[:, None]
            >>> def steps(rows):
            ...     return np.column_stack([1 - rows[:, 0].round(), rows[:, 0].round()])
            >>> def ramp(rows):
            ...     return np.column_stack([1 - rows[:, 0], rows[:, 0]])
            >>> teacher = tl.as_teacher(steps, kind="probabilities", classes=["no", "yes"])
            >>> student = tl.as_teacher(ramp, kind="probabilities", classes=["no", "yes"])
            >>> bill = tl.Cascade(student, teacher, target=0.95, over="student").fit(X).bill(X, teacher_cost=12.0)
            >>> bill.coverage, bill.both_cost
            (1.0, 0.0)
        """
        student_cost = number("student_cost", student_cost, least=0)
        teacher_cost = None if teacher_cost is None else number("teacher_cost", teacher_cost, least=0)
        seconds = number("seconds", seconds, least=0, most=MOST_SECONDS)
        rows = as_rows(X)
        known = latency_of_requests(self.teacher) if isinstance(self.teacher, ChatTeacher) else None
        return measure_bill(
            lambda inputs: self._of_student(as_rows(inputs)),
            known or (lambda inputs: self._of_teacher(inputs, 1)),
            rows,
            int((~self.defers(rows)).sum()),
            costs=(student_cost, teacher_cost),
            seconds=seconds,
        )

    def _of_student(self, rows: Rows) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """The student's answers in the order of the teacher's classes, its confidence, and whether it is enough."""
        check_fitted(self)
        form, threshold = self._student_form, self.guarantee_.threshold
        outputs = form.check(self.student_.answer(rows.part(0, rows.count)), rows.count, "the student's answers")
        answers = in_order_of(form.probabilities(outputs), form, self._teacher_form)
        confidence = confidence_of(answers, form.task)
        return answers, confidence, np.zeros(rows.count, dtype=bool) if threshold is None else confidence >= threshold

    def _of_teacher(self, inputs: Any, count: int) -> Floats:
        """(rows, classes) probabilities of the teacher."""
        form = self._teacher_form
        return form.probabilities(form.check(self.teacher_.answer(inputs), count))

    def _teacher_decides(self, inputs: Any, count: int) -> Decisions:
        form = self._teacher_form
        own = decided_by(self.teacher_, "decide", inputs, count, form) if self.guarantee_.own_decisions else None
        return decisions(as_distributions(self._of_teacher(inputs, count), form.task)) if own is None else own


def _part(rows: Rows, places: NDArray[np.intp]) -> Any:
    """Some of the rows, as a model takes them."""
    return rows.part(0, rows.count) if len(places) == rows.count else rows.take(places).part(0, len(places))


def _differ(aligned: AlignedAnswers, of: Literal["student", "teacher"], against: Against) -> NDArray[np.bool_]:
    """(rows,) whether the decisions of one differ from what is right, for several labels in any."""
    different: NDArray[np.bool_] = np.not_equal(aligned.decided(of), aligned.decided(against))
    return np.asarray(different.any(axis=1)) if different.ndim == 2 else different
