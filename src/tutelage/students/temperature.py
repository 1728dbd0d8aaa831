"""The temperature of targets, and its reversal: whatever temperature a student learns at, it answers at temperature 1.

A student that averages targets (the leaf of a tree, the neighbours of a point) averages them at the temperature of training, and
the mean of softened distributions is not the softened mean: the inverse of `temper` would be far too confident. So the answers
are brought to temperature 1 by what they should be there: trees take the means of the targets at temperature 1 into their leaves,
and the answers of any other student are tempered to match those targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.losses.targets import check_temperature, matching_temperature
from tutelage.students.soft_classifier import SoftClassifier
from tutelage.students.teaching import blended, fit_student, rows_for


@dataclass(frozen=True, eq=False)
class Targets:
    """What a student learns.

    Attributes:
        tempered: (rows, columns) targets at the temperature of training; values for regression.
        at_one: the same at temperature 1; the same array if the temperature changes nothing, as for hard labels and values.
    """

    tempered: Floats
    at_one: Floats

    @classmethod
    def of(
        cls, answers: Floats, form: AnswerForm, *, truth: Floats | None = None, soft_weight: float = 1.0, temperature: float = 1.0
    ) -> Targets:
        """The targets of a student; the arguments are those of `blended`."""
        at_one = blended(answers, form, truth=truth, soft_weight=soft_weight)
        if form.kind == "values" or check_temperature(temperature) == 1:
            return cls(at_one, at_one)
        tempered = blended(answers, form, truth=truth, soft_weight=soft_weight, temperature=temperature)
        return cls(at_one, at_one) if np.array_equal(tempered, at_one) else cls(tempered, at_one)

    def followed_by(self, others: Targets) -> Targets:
        """The targets of these rows and of others."""
        at_one = np.concatenate([self.at_one, others.at_one])
        if self.tempered is self.at_one and others.tempered is others.at_one:
            return Targets(at_one, at_one)
        return Targets(np.concatenate([self.tempered, others.tempered]), at_one)


@dataclass(frozen=True, eq=False)
class Taught:
    """A fitted student, and how its answers are brought to temperature 1.

    Attributes:
        student: the fitted student.
        answer_temperature: the temperature to apply to the student's probabilities; 1 leaves them as they are.
    """

    student: Any
    answer_temperature: float


def fit_at_temperature(student: Any, form: AnswerForm, X: Any, targets: Targets, *, sample_weight: Floats | None = None) -> Taught:
    """Fit a clone of the student as `fit_student` does, and bring its answers to temperature 1.

    The leaves of `SoftTree`, `SoftForest` and `SoftDecisionTree` are filled with the targets at temperature 1. For any other student, the
    temperature of its answers is fitted on the training rows, by the cross-entropy against the targets at temperature 1.

    Raises:
        BadInput: as `fit_student`.
    """
    fitted = fit_student(student, form, X, targets.tempered, sample_weight=sample_weight)
    if targets.tempered is targets.at_one or _refilled(fitted, X, targets.at_one, sample_weight):
        return Taught(fitted, 1.0)
    at_one, weights = targets.at_one, sample_weight
    probabilities: Floats = np.asarray(fitted.predict_proba(rows_for(fitted, X)), dtype=np.float64)
    if form.task == "multilabel":
        probabilities, at_one = _on_and_off(probabilities), _on_and_off(at_one)
        weights = None if weights is None else np.repeat(weights, len(form.classes))
    return Taught(fitted, matching_temperature(probabilities, at_one, weights))


def _refilled(student: Any, X: Any, targets: Floats, weights: Floats | None) -> bool:
    """Whether the student, or the last step of a Pipeline, could take the targets as its answers."""
    while hasattr(student, "steps"):
        X = student[:-1].transform(rows_for(student, X)) if len(student.steps) > 1 else X
        student = student[-1]
    return isinstance(student, SoftClassifier) and student.answer_with(X, targets, weights)


def _on_and_off(on: Floats) -> Floats:
    """(rows, labels) probabilities -> (rows * labels, 2) distributions."""
    column = on.reshape(-1)
    return np.column_stack([1 - column, column])
