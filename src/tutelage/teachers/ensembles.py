"""Several teachers who answer as one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm, shown
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.teachers.adapt import as_teacher

Mean = Literal["arithmetic", "geometric"]


@dataclass(frozen=True, eq=False)
class EnsembleTeacher:
    """A weighted mean of teachers' answers.

    Attributes:
        teachers: the members.
        how: mean of probabilities ("arithmetic") or of log-probabilities ("geometric"); of values always arithmetic.
        weights: one for each, adding up to one.
        form: probabilities in the class order of the first, or values.
    """

    teachers: tuple[Teacher, ...]
    how: Mean
    weights: tuple[float, ...]
    form: AnswerForm

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the members' fingerprints, their weights and the mean."""
        told = repr((self.how, self.weights, [teacher.fingerprint for teacher in self.teachers]))
        return f"ensemble:{hashlib.sha256(told.encode()).hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            LabelMismatch: the geometric mean of members who together rule out every class of a row. ShapeError: members
                with different numbers of values.
        """
        total: Floats | None = None
        for teacher, weight in zip(self.teachers, self.weights, strict=True):
            part = self._heard(teacher, inputs)
            if total is not None and total.shape != part.shape:
                raise ShapeError(f"one teacher answers {total.shape[1]} values a row, another {part.shape[1]}; they have no mean.")
            with np.errstate(invalid="ignore"):  # certainly on and certainly off: refused below
                # A new array each time: a member's own answers are never changed.
                total = weight * part if total is None else total + weight * part
        mean = np.asarray(total)
        if self.how == "geometric":
            mean = self._from_logarithms(mean)
        return self.form.check(mean, len(mean), "the ensemble's answers")

    def _heard(self, teacher: Teacher, inputs: Any) -> Floats:
        """A member's answers in the order of the ensemble's classes: values, probabilities or logarithms."""
        said, form = teacher.answer(inputs), teacher.form
        if self.form.kind == "values":
            return said
        order = [form.classes.index(label) for label in self.form.classes]
        if self.how == "arithmetic":
            return np.asarray(form.probabilities(said)[:, order])
        # Logits are log-probabilities up to a constant a row, which the softmax over their mean takes out again.
        return np.asarray(form.logits(said).astype(np.float64)[:, order])

    def _from_logarithms(self, mean: Floats) -> Floats:
        undecided = np.isnan(mean).any(axis=1) | (np.isneginf(mean).all(axis=1) & (self.form.task != "multilabel"))
        if undecided.any():
            raise LabelMismatch(
                f"the teachers together rule out every class of {int(undecided.sum())} of {len(mean)} rows (first: row "
                f"{int(np.flatnonzero(undecided)[0])}), so these have no geometric mean; pass how='arithmetic'."
            )
        return self.form.as_kind("logits").probabilities(mean)


def ensemble(teachers: Sequence[Any], *, how: Mean = "arithmetic", weights: Sequence[float] | None = None) -> EnsembleTeacher:
    """Let several teachers answer as one.

    The arithmetic mean of probabilities is the target that minimises the mean cross-entropy to the members; the
    geometric mean (of log-probabilities, that is, of logits) lets any member veto a class.

    Args:
        teachers: anything `as_teacher` takes. Their classes must be the same; their order need not be, answers are
            put in the order of the first.
        how: "arithmetic" or "geometric". Both answer probabilities.
        weights: one for each teacher, above 0; all alike if not given.

    Raises:
        LabelMismatch: they do not know the same classes, or not the same task. BadInput: no teachers, or weights that
            do not fit.

    Source:
        Hinton, Vinyals, Dean 2015, section 3, arXiv 1503.02531 (both means).
    """
    if not isinstance(teachers, Sequence) or isinstance(teachers, str | bytes):
        raise BadInput(f"an ensemble is made of a list of teachers; got one {type(teachers).__name__}.")
    members = tuple(as_teacher(teacher) for teacher in teachers)
    if not members:
        raise BadInput("an ensemble of no teachers cannot answer; pass at least one.")
    if how not in ("arithmetic", "geometric"):
        raise BadInput(f"how is {how!r}; expected 'arithmetic' or 'geometric'.")
    first = members[0].form
    for index, member in enumerate(members[1:], start=2):
        _check_alike(first, member.form, index)
    if first.task == "regression" and how == "geometric":
        raise BadInput("values have no geometric mean here; leave how= out.")
    form = first if first.task == "regression" else first.as_kind("probabilities")
    return EnsembleTeacher(members, how, _shares(weights, len(members)), form)


def _check_alike(first: AnswerForm, other: AnswerForm, index: int) -> None:
    if other.task != first.task or set(other.classes) != set(first.classes):
        raise LabelMismatch(
            f"teacher 1 is {first.task} with classes {shown(first.classes)}, teacher {index} is {other.task} "
            f"with {shown(other.classes)}; an ensemble needs the same: see relabelled()."
        )


def _shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    try:
        given = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
        fits = given.shape == (count,) and bool((np.isfinite(given) & (given > 0)).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise BadInput(f"weights are {weights} for {count} teachers; expected one number above 0 for each.")
    return tuple((given / given.sum()).tolist())
