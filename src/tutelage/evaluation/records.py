"""The parts of an evaluation as frozen records: figures with intervals, reliability curves, cost, and aligned answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tutelage.core.answer_kinds import Positions, Task
from tutelage.core.answer_values.class_names import key_of
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arrays import Floats, read_only
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval
from tutelage.evaluation.intervals import effective_rows
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions
from tutelage.evaluation.metrics.top import decided

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
class RowScores:
    """One score for each test row, and how much the row counts.

    Attributes:
        values: (rows,) booleans, or numbers: for answers with positions the mean over the positions of the row.
        weights: (rows,) the weight of each row in a mean: its own, times the number of its positions; None if all weigh the same.
    """

    values: NDArray[Any]
    weights: Floats | None = None

    @property
    def mean(self) -> float:
        """The mean over rows; for answers with positions, that over all positions."""
        return float(np.average(self.values, weights=self.weights))


@dataclass(frozen=True, eq=False)
class AlignedAnswers:
    """Answers of student and teacher and the truth for the same rows, with columns in the same order, in read-only arrays.

    If they have positions, the answers are those of the positions that count, one row after the other, and the rows are those that
    have such a position. "Answers" below are rows, or positions.

    Attributes:
        task: "binary", "multiclass", "multilabel" or "regression".
        classes: the class (or label name) of each column; empty for regression.
        student: (answers, classes) probabilities; (answers, labels) for multilabel; (answers, outputs) values for regression; or
            `TopAnswers`.
        teacher: the teacher's answers in the same form; None without a teacher.
        truth: the truth in the same form (one-hot, 0 or 1 per label, or values); None if unknown. With positions, with `TopAnswers`
            or with more than 2 000 classes, `TopAnswers` of the one true class.
        rows_fingerprint: fingerprint of the content of the rows, in order.
        student_decisions: (rows,) columns, or (rows, labels) of 0 and 1: the decisions of the student's own `predict`, if they
            are not everywhere those of its most probable classes; None if they are.
        teacher_decisions: the same for the teacher.
        weights: (rows,) weights of the rows; None if all weigh the same.
        positions: "tokens" or "pixels" if there is an answer for each; None for one answer per row.
        row_of: (answers,) the row of each position, ascending, from 0 and without gaps; None for one answer per row.
        ignored: the number of positions that do not count, and of rows without any that does.
    """

    task: Task
    classes: tuple[Any, ...]
    student: Any
    teacher: Any
    truth: Any
    rows_fingerprint: str = ""
    student_decisions: Decisions | None = None
    teacher_decisions: Decisions | None = None
    weights: Floats | None = None
    positions: Positions | None = None
    row_of: NDArray[np.intp] | None = None
    ignored: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name in ("student", "teacher", "truth", "student_decisions", "teacher_decisions", "weights", "row_of"):
            array = getattr(self, name)
            if array is not None and not isinstance(array, TopAnswers):
                object.__setattr__(self, name, read_only(array))

    def in_order_of(self, classes: tuple[Any, ...]) -> AlignedAnswers:
        """The same answers with their columns in another order of the classes; as they are if the classes are others."""
        places = {key_of(label): place for place, label in enumerate(self.classes)}
        if self.classes == classes or places.keys() != set(map(key_of, classes)):
            return self
        order = np.array([places[key_of(label)] for label in classes])
        codes = np.argsort(order)  # the new place of each column

        def ordered(answers: Any) -> Any:
            if isinstance(answers, TopAnswers):
                return replace(answers, ids=codes[answers.ids.astype(np.intp)].astype(answers.ids.dtype))
            return None if answers is None else answers[:, order]

        def decisions_in_order(own: Decisions | None) -> Decisions | None:
            return own if own is None else own[:, order] if self.task == "multilabel" else codes[own]

        return replace(
            self,
            classes=classes,
            student=ordered(self.student),
            teacher=ordered(self.teacher),
            truth=ordered(self.truth),
            student_decisions=decisions_in_order(self.student_decisions),
            teacher_decisions=decisions_in_order(self.teacher_decisions),
        )

    def decided(self, of: Literal["student", "teacher", "truth"]) -> Decisions:
        """The decisions of student, teacher or truth: (answers,) columns, or (answers, labels) of 0 and 1."""
        if of not in self._decided:
            self._decided[of] = read_only(self._decide(of))
        return self._decided[of]

    @cached_property
    def _decided(self) -> dict[str, Decisions]:
        return {}

    def _decide(self, of: Literal["student", "teacher", "truth"]) -> Decisions:
        answers = self.side(of)
        if isinstance(answers, TopAnswers):
            return decided(answers)
        own = {"student": self.student_decisions, "teacher": self.teacher_decisions}.get(of)
        return decisions(as_distributions(answers, self.task)) if own is None else own

    @property
    def rows(self) -> int:
        """The number of rows that count."""
        return len(self.student) if self.row_of is None else int(self.row_of[-1]) + 1

    @cached_property
    def answer_weights(self) -> Floats | None:
        """(answers,) the weight of each answer, which is that of its row; None if all weigh the same."""
        return self.weights if self.weights is None or self.row_of is None else self.weights[self.row_of]

    def by_row(self, values: NDArray[Any], included: NDArray[np.bool_] | None = None) -> RowScores:
        """One score for each row from one for each answer.

        A mean over positions is a ratio of sums over rows, that is, a mean of the rows' means, weighted by the number of their positions.

        Args:
            values: (answers,) booleans or numbers.
            included: (answers,) which answers count; None if all do.
        """
        weights = self.answer_weights
        if included is not None:
            values, weights = values[included], None if weights is None else weights[included]
        if self.row_of is None:
            return RowScores(values, weights)
        row_of = self.row_of if included is None else self.row_of[included]
        mass = np.bincount(row_of, weights=weights, minlength=self.rows).astype(np.float64)
        times = values.astype(np.float64) if weights is None else values * weights
        counted = np.bincount(row_of, minlength=self.rows) > 0
        sums = np.bincount(row_of, weights=times, minlength=self.rows)[counted]
        mass = mass[counted]
        return RowScores(np.divide(sums, mass, out=np.zeros_like(sums), where=mass > 0), mass)

    def of_whole_rows(self, right: NDArray[np.bool_]) -> RowScores:
        """Whether all answers of each row are right.

        Args:
            right: (answers, ...) booleans.
        """
        each = np.asarray(right.reshape(len(right), -1).all(axis=1))
        if self.row_of is None:
            return RowScores(each, self.weights)
        wrong = np.bincount(self.row_of, weights=~each, minlength=self.rows)
        return RowScores(np.equal(wrong, 0), self.weights)

    def effective_rows_of(self, answers: NDArray[Any]) -> float:
        """The effective number of rows that some answers belong to, each weighted by its number of them; 0 if none has a weight.

        Args:
            answers: (answers,) booleans, or the places of the answers.
        """
        places = np.flatnonzero(answers) if answers.dtype == np.bool_ else answers
        if self.row_of is None:
            weights = np.ones(len(places)) if self.weights is None else self.weights[places]
        else:
            weights = np.bincount(self.row_of[places], weights=None if self.answer_weights is None else self.answer_weights[places])
        return effective_rows(weights.astype(np.float64)) if weights.any() else 0.0

    def summed(self, features: sparse.csr_array) -> sparse.csr_array:
        """(rows, sums) from what each answer adds to some sums, (answers, sums), times the weight of its row."""
        weights = self.answer_weights
        if self.row_of is None:
            return features if weights is None else sparse.csr_array(sparse.diags_array(weights) @ features)
        mass = np.ones(len(self.row_of)) if weights is None else weights
        of_rows = sparse.csr_array((mass, (self.row_of, np.arange(len(self.row_of)))), shape=(self.rows, len(self.row_of)))
        return sparse.csr_array(of_rows @ features)

    def side(self, of: Literal["student", "teacher", "truth"]) -> Any:
        """The answers of student or teacher, or the truth."""
        return self.student if of == "student" else self.named(of)

    def named(self, against: str) -> Any:
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
