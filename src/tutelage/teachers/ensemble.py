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
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.teachers.adapt import as_teacher

Mean = Literal["arithmetic", "geometric"]


@dataclass(frozen=True, eq=False)
class EnsembleTeacher:
    """A weighted mean of teachers' answers.

    Attributes:
        teachers: the members.
        how: mean of probabilities ("arithmetic") or of log-probabilities ("geometric"); of values always arithmetic.
        weights: one for each, adding up to one.
        form: in the class order of the first.
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
        """(rows, classes) probabilities (arithmetic) or logits (geometric), or (rows, outputs) values."""
        total: Floats | None = None
        for teacher, weight in zip(self.teachers, self.weights, strict=True):
            part = weight * self._heard(teacher, inputs)  # a new array: a member's own answers are never changed
            total = part if total is None else total + part
        answers = np.asarray(total)
        return self.form.check(answers, len(answers), "the ensemble's answers")

    def _heard(self, teacher: Teacher, inputs: Any) -> Floats:
        said, form = teacher.answer(inputs), teacher.form
        if self.form.kind == "values":
            return said
        order = [form.classes.index(label) for label in self.form.classes]
        p = form.probabilities(said)
        if self.how == "arithmetic":
            return np.asarray(p[:, order])
        # Logits as they are differ in scale from log-probabilities by a constant a row, which weights would mix up.
        return np.asarray(form.as_kind("probabilities").logits(p)[:, order])


def ensemble(teachers: Sequence[Any], *, how: Mean = "arithmetic", weights: Sequence[float] | None = None) -> EnsembleTeacher:
    """Let several teachers answer as one.

    The arithmetic mean of probabilities is the target that minimises the mean cross-entropy to the members; the
    geometric mean (of log-probabilities, that is, of logits) lets any member veto a class.

    Args:
        teachers: anything `as_teacher` takes. Their classes must be the same; their order need not be, answers are
            put in the order of the first.
        how: "arithmetic" or "geometric".
        weights: one for each teacher, above 0; all alike if not given.

    Raises:
        LabelMismatch: they do not know the same classes, or not the same task. BadInput: no teachers, or weights that
            do not fit.

    Source:
        Hinton, Vinyals, Dean 2015, section 3, arXiv 1503.02531 (both means).
    """
    members = tuple(as_teacher(teacher) for teacher in teachers)
    if not members:
        raise BadInput("an ensemble of no teachers cannot answer; pass at least one.")
    if how not in ("arithmetic", "geometric"):
        raise BadInput(f"how is {how!r}; expected 'arithmetic' or 'geometric'.")
    first = members[0].form
    for index, member in enumerate(members[1:], start=2):
        form = member.form
        if form.task != first.task or set(form.classes) != set(first.classes):
            raise LabelMismatch(
                f"teacher 1 is {first.task} with classes {shown(first.classes)}, teacher {index} is {form.task} "
                f"with {shown(form.classes)}; an ensemble needs the same: see relabelled()."
            )
    if first.task == "regression":
        if how == "geometric":
            raise BadInput("values have no geometric mean here; leave how= out.")
        return EnsembleTeacher(members, how, _shares(weights, len(members)), first)
    return EnsembleTeacher(
        members, how, _shares(weights, len(members)), first.as_kind("probabilities" if how == "arithmetic" else "logits")
    )


def _shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    given = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (count,) or not (np.isfinite(given) & (given > 0)).all():
        raise BadInput(f"weights are {weights} for {count} teachers; expected one number above 0 for each.")
    return tuple((given / given.sum()).tolist())
