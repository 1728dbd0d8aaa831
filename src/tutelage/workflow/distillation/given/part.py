"""Rows with what is known of them: the answers of the teacher, and the ground truth in the same form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.data.structures.row_parts import taken
from tutelage.data.transfer import stacked
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.row_scores import Settings, row_scores
from tutelage.losses.class_weights import row_weights, weighted_answers
from tutelage.students.teaching import spread_of
from tutelage.workflow.distillation.given.problem import RowSet

Against = Literal["truth", "teacher"]


@dataclass(frozen=True, eq=False)
class Part:
    """Rows, and what is known of them.

    Attributes:
        rows: as the student takes them.
        answers: (rows, columns) the teacher's, in the form that it declares.
        truth: (rows, columns) in that form; None if it is not known.
        weights: (rows,); None if all rows weigh the same.
        units: (outputs,) of several values, the size in which errors of each are measured; None to measure them as they are.
    """

    rows: Any
    answers: Floats
    truth: Floats | None = None
    weights: Floats | None = None
    units: Floats | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.answers)

    def take(self, places: Any) -> Part:
        """Some of the rows."""
        truth, weights = (None if column is None else column[places] for column in (self.truth, self.weights))
        return Part(taken(self.rows, places), self.answers[places], truth, weights, self.units)


def part_of(given: RowSet, answers: Floats, form: AnswerForm, *, truth: Floats | None = None, class_weights: Floats | None = None) -> Part:
    """The rows of a set with the teacher's answers to all of them.

    Args:
        given: the rows.
        answers: (rows, columns) the teacher's.
        form: of the answers.
        truth: (rows, columns) in that form, from `Problem.truths`; None if it is not known.
        class_weights: (classes,) multiply the weights of the rows, by the true class or where it is not known by the teacher's
            probabilities, and the teacher's probabilities.
    """
    probabilities = truth if truth is not None or class_weights is None else form.probabilities(answers)
    return Part(given.rows, weighted_answers(answers, form, class_weights), truth, row_weights(given.weights, class_weights, probabilities))


def units_of(part: Part, form: AnswerForm) -> Floats | None:
    """The standard deviation of each of several values, true ones or else the teacher's, so that none decides by its unit.

    Args:
        part: the rows that students are trained and chosen on.
        form: of the answers.

    Returns:
        (outputs,); 1 for a value that does not vary. None for a single value, and for classes.
    """
    if form.task != "regression" or part.answers.shape[1] < 2:
        return None
    return spread_of(part.answers if part.truth is None else part.truth, part.weights)


def joined(rows: Sequence[Any]) -> Any:
    """Rows of the same kind, one set after the other."""
    first, *others = rows
    for other in others:
        first = stacked(first, other)
    return first


def scores_of(answers: Floats, part: Part, form: AnswerForm, against: Against) -> dict[str, Floats]:
    """(rows,) of each figure that is a mean over rows, for answers at temperature 1 to the rows of a part.

    Args:
        answers: (rows, columns) probabilities, or values, of which several are measured in the units of the part.
        part: the rows.
        form: that of the teacher.
        against: what the answers are measured against.
    """
    teacher = part.answers if form.task == "regression" else form.probabilities(part.answers)
    truth = part.truth
    if part.units is not None:
        answers, teacher, truth = answers / part.units, teacher / part.units, None if truth is None else truth / part.units
    aligned = AlignedAnswers(form.task, form.classes, answers, teacher, truth)
    return {name: np.asarray(scores.values, dtype=np.float64) for name, scores in row_scores(aligned, against, Settings()).items()}
