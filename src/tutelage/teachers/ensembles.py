"""An ensemble: the mean of several teachers' answers, itself a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answer_values.class_names import ClassNames, key_of, list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import choice
from tutelage.core.arrays import Floats, is_frame, real_numbers
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, shown
from tutelage.core.identity.fingerprints import joint_fingerprint
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.schema import Schema, table_of
from tutelage.teachers.adapt import as_teacher

Mean = Literal["arithmetic", "geometric"]


@dataclass(frozen=True, eq=False)
class EnsembleTeacher:
    """A Teacher that answers with the weighted mean of its members' answers. `ensemble` builds it and checks its members.

    Attributes:
        teachers: the members.
        how: mean of probabilities ("arithmetic") or of log-probabilities ("geometric"); of values always arithmetic.
        weights: one for each member; they sum to one.
        form: probabilities in the class order of the first member, or values.

    Example:
        >>> import tutelage as tl
        >>> optimist = tl.as_teacher(lambda rows: [[0.2, 0.8]] * len(rows), kind="probabilities", classes=["no", "yes"])
        >>> pessimist = tl.as_teacher(lambda rows: [[0.6, 0.4]] * len(rows), kind="probabilities", classes=["no", "yes"])
        >>> both = tl.ensemble([optimist, pessimist], weights=[3, 1])
        >>> both.weights
        (0.75, 0.25)
        >>> both.answer(["any row"]).round(3)
        array([[0.3, 0.7]])
    """

    teachers: tuple[Teacher, ...]
    how: Mean
    weights: tuple[float, ...]
    form: AnswerForm

    @property
    def schema(self) -> Schema | None:
        """The columns that the members learnt; None if one does not store them, or they differ."""
        first, *others = (getattr(teacher, "schema", None) for teacher in self.teachers)
        return first if all(other == first for other in others) else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the members' fingerprints, their weights and the kind of mean."""
        return joint_fingerprint("ensemble", (self.how, self.weights), [teacher.fingerprint for teacher in self.teachers])

    def answer(self, inputs: Any) -> Answers:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            LabelMismatch: geometric mean only: in some row the members together give every class the probability 0.
            ShapeError: regression members return different numbers of values.
            BadInput: rows without column names, for members that learnt the same columns in different orders.
        """
        self._check_order(inputs)
        total: Floats | None = None
        first: PositionAnswers | None = None
        for teacher, weight in zip(self.teachers, self.weights, strict=True):
            answers = teacher.answer(inputs)
            if isinstance(answers, PositionAnswers):
                first = self._same_positions(first, answers)
                answers = answers.values
            form = teacher.form.of_each_position
            part = self._in_order(form, form.check(answers, len(answers)))
            if total is not None and total.shape != part.shape:
                raise ShapeError(
                    f"one teacher answers {total.shape[1]} values a row, another {part.shape[1]}; an ensemble needs members with "
                    "the same outputs."
                )
            with np.errstate(invalid="ignore"):  # inf - inf, a label that is certainly on and certainly off: refused below
                # A new array each time, so that the members' own arrays are never modified.
                total = weight * part if total is None else total + weight * part
        mean = np.asarray(total)
        if self.how == "geometric":
            mean = self._normalised(mean)
        checked = self.form.of_each_position.check(mean, len(mean), "the ensemble's answers")
        return checked if first is None else first.with_values(checked)

    @staticmethod
    def _same_positions(first: PositionAnswers | None, answers: PositionAnswers) -> PositionAnswers:
        if first is not None and not np.array_equal(first.shapes, answers.shapes):
            raise ShapeError(
                "the teachers of the ensemble answer different numbers of positions; expected the same tokens or pixels of all."
            )
        return answers

    def _check_order(self, inputs: Any) -> None:
        schemas = [schema for schema in (getattr(teacher, "schema", None) for teacher in self.teachers) if schema is not None]
        orders = {tuple(name.replace(" ", "_") for name in schema.names) for schema in schemas if schema.names is not None}
        if len(orders) > 1 and not is_frame(table_of(inputs)):
            raise BadInput(
                "the members of this ensemble learnt their columns in different orders, and the rows have no column names; pass a frame."
            )

    def _in_order(self, form: AnswerForm, answers: Floats) -> Floats:
        """A member's answers in the class order of the ensemble: values, probabilities or log-probabilities."""
        if self.form.kind == "values":
            return answers
        places = ClassNames(form.classes).places
        order = [places[key_of(label)] for label in self.form.classes]
        if self.how == "arithmetic":
            return np.asarray(form.probabilities(answers)[:, order])
        # Logits equal log-probabilities up to a constant per row, which the softmax over their mean removes again.
        return np.asarray(form.logits(answers).astype(np.float64)[:, order])

    def _normalised(self, mean: Floats) -> Floats:
        """Probabilities from the mean log-probabilities."""
        undecided = np.isnan(mean).any(axis=1) | (np.isneginf(mean).all(axis=1) & (self.form.task != "multilabel"))
        if undecided.any():
            raise LabelMismatch(
                f"the teachers together rule out every class of {int(undecided.sum())} of {len(mean)} rows (first: row "
                f"{int(np.flatnonzero(undecided)[0])}), so these have no geometric mean; pass how='arithmetic'."
            )
        return self.form.as_kind("logits").probabilities(mean)


def ensemble(teachers: Sequence[Any], *, how: Mean = "arithmetic", weights: Sequence[float] | None = None) -> EnsembleTeacher:
    """Combine several teachers into one that answers with their weighted mean.

    The arithmetic mean of probabilities is the target that minimises the mean cross-entropy to the members; with the
    geometric mean (of log-probabilities, that is, of logits) any member can veto a class.

    Args:
        teachers: anything that `as_teacher` accepts. All must have the same classes; the order may differ, and answers
            are put in the class order of the first.
        how: "arithmetic" or "geometric". Both return probabilities.
        weights: one for each teacher, above 0; normalised to sum to one. Equal by default.

    Returns:
        A Teacher with (rows, classes) probabilities, or (rows, outputs) values if its members are regressors.

    Raises:
        LabelMismatch: the teachers differ in classes or task.
        BadInput: no teachers, or weights that do not fit.

    Source:
        Hinton, Vinyals, Dean 2015, section 3, arXiv 1503.02531 (both means).

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = load_iris(return_X_y=True)
        >>> members = [LogisticRegression(max_iter=1000).fit(X, y), GaussianNB().fit(X, y)]
        >>> teacher = tl.ensemble(members, how="geometric")
        >>> teacher.answer(X[[0, 75, 149]]).argmax(axis=1)
        array([0, 1, 2])
    """
    if not isinstance(teachers, Sequence) or isinstance(teachers, str | bytes):
        raise BadInput(f"an ensemble needs a list of teachers; got one {type(teachers).__name__}. Pass [teacher, ...].")
    members = tuple(as_teacher(teacher) for teacher in teachers)
    if not members:
        raise BadInput("an ensemble of no teachers cannot answer; pass at least one.")
    choice("how", how, ("arithmetic", "geometric"))
    first = members[0].form
    for index, member in enumerate(members[1:], start=2):
        _check_same_classes(first, member.form, index)
    if first.task == "regression" and how == "geometric":
        raise BadInput("how is 'geometric', but the teachers are regressors, whose values have no geometric mean; leave how= out.")
    form = first if first.task == "regression" else first.as_kind("probabilities")
    return EnsembleTeacher(members, how, _normalised_weights(weights, len(members)), form)


def _check_same_classes(first: AnswerForm, other: AnswerForm, index: int) -> None:
    if other.positions != first.positions:
        raise LabelMismatch(f"teacher {index} has positions {other.positions} and teacher 1 {first.positions}; expected the same of all.")
    if other.task != first.task or set(other.classes) != set(first.classes):
        raise LabelMismatch(
            f"teacher 1 is {first.task} with classes {list_classes(first.classes)}, teacher {index} is {other.task} "
            f"with {list_classes(other.classes)}; an ensemble needs the same task and classes: map them with relabelled()."
        )


def _normalised_weights(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    given = (
        np.ones(count)
        if weights is None
        else np.asarray(real_numbers(weights, "the weights, one number above 0 for each teacher,"), dtype=np.float64)
    )
    with np.errstate(over="ignore"):
        fits = given.shape == (count,) and bool((np.isfinite(given) & (given > 0)).all()) and np.isfinite(given.sum())
    if not fits:
        raise BadInput(f"weights are {shown(weights)} for {count} teachers; expected one number above 0 for each.")
    return tuple((given / given.sum()).tolist())
