"""A teacher's answers in another label space, mapped explicitly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, plain, shown
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.teachers.adapt import as_teacher


@dataclass(frozen=True, eq=False)
class RelabelledTeacher:
    """A teacher whose columns are put in another order, renamed, dropped or filled up.

    Attributes:
        teacher: who is asked.
        form: in the new label space.
        columns: for each new class the old column, or None for a class that the teacher does not know.
    """

    teacher: Teacher
    form: AnswerForm
    columns: tuple[int | None, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the teacher's fingerprint and the mapping."""
        told = repr((self.teacher.fingerprint, self.form.classes, self.columns))
        return f"relabelled:{hashlib.sha256(told.encode()).hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) in the new label space; what is left after dropping classes is scaled up to one.

        Raises:
            LabelMismatch: a row whose whole mass lay on dropped classes.
        """
        said, kind = self.teacher.answer(inputs), self.form.kind
        known = [column for column in self.columns if column is not None]
        answers = np.full((len(said), len(self.columns)), -np.inf if kind == "logits" else 0.0, dtype=said.dtype)
        answers[:, [column is not None for column in self.columns]] = said[:, known]
        if self.form.task != "multilabel":
            lost = (answers.max(axis=1) == -np.inf) if kind == "logits" else (answers.sum(axis=1) == 0)
            if lost.any():
                row = int(np.flatnonzero(lost)[0])
                raise LabelMismatch(
                    f"{int(lost.sum())} of {len(said)} rows are wholly of classes that were dropped (first: row {row}). Keep them."
                )
            if kind == "probabilities" and len(known) < said.shape[1]:
                answers /= answers.sum(axis=1, keepdims=True)
        return self.form.check(answers, len(said))


def relabelled(
    teacher: Any,
    classes: Sequence[Any],
    *,
    rename: Mapping[Any, Any] | None = None,
    missing: Literal["error", "zero"] = "error",
    extra: Literal["error", "drop"] = "error",
) -> RelabelledTeacher:
    """Let a teacher answer in another label space. Nothing is mapped by position, and nothing is cut off unasked.

    Args:
        teacher: anything `as_teacher` takes.
        classes: the new label of each column, in order.
        rename: the teacher's label -> the new one, where they differ (3 is not "3").
        missing: what to do with a new class that the teacher does not know: "error", or "zero" probability (not for
            multilabel).
        extra: what to do with a class of the teacher's that is not among the new ones: "error", or "drop" it and
            scale the others up to one.

    Raises:
        LabelMismatch: a label without a partner, two with the same, or values, which have no labels. BadInput: another word for
            `missing` or `extra`.
    """
    if missing not in ("error", "zero") or extra not in ("error", "drop"):
        raise BadInput(f"missing is {missing!r} and extra is {extra!r}; expected 'error' or 'zero', and 'error' or 'drop'.")
    asked = as_teacher(teacher)
    form = asked.form
    if form.task == "regression":
        raise LabelMismatch("a regression teacher has no classes to relabel.")
    renamed = _renamed(form, rename or {})
    wanted = tuple(plain(label) for label in classes)
    places = tuple(_place(label, renamed) for label in wanted)
    _check_missing(form, renamed, wanted, places, allowed=missing == "zero" and form.task != "multilabel")
    unasked = tuple(label for label in renamed if not _among(label, wanted))
    if unasked and extra == "error":
        raise LabelMismatch(f"the teacher also knows {shown(unasked)}, not among {shown(wanted)}. Rename, or pass extra='drop'.")
    task_form = AnswerForm(form.kind, "multilabel", wanted) if form.task == "multilabel" else of_classes(form.kind, wanted)
    return RelabelledTeacher(asked, task_form, places)


def _renamed(form: AnswerForm, rename: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The teacher's classes under their new names."""
    names = {plain(old): plain(new) for old, new in rename.items()}
    strange = tuple(old for old in names if not _among(old, form.classes))
    if strange:
        raise LabelMismatch(f"rename speaks of {shown(strange)}, but the teacher knows {shown(form.classes)}.")
    return tuple(names.get(label, label) for label in form.classes)


def _check_missing(
    form: AnswerForm, renamed: tuple[Any, ...], wanted: tuple[Any, ...], places: tuple[int | None, ...], *, allowed: bool
) -> None:
    """Prove that the teacher knows every new class, or some of them where that is allowed."""
    lacking = tuple(label for label, place in zip(wanted, places, strict=True) if place is None)
    if lacking and not allowed:
        way_out = "Rename." if form.task == "multilabel" else "Rename, or pass missing='zero'."
        raise LabelMismatch(f"the teacher does not know {shown(lacking)}; it knows {shown(renamed)}. {way_out}")
    if len(lacking) == len(wanted):
        raise LabelMismatch(f"the teacher knows none of {shown(wanted)}; it knows {shown(renamed)}.")


def _place(label: Any, among: Sequence[Any]) -> int | None:
    found = [index for index, other in enumerate(among) if _same(label, other)]
    if len(found) > 1:
        raise LabelMismatch(f"{len(found)} of the teacher's classes would be called {label!r}; each needs a label of its own.")
    return found[0] if found else None


def _among(label: Any, labels: Sequence[Any]) -> bool:
    return any(_same(label, other) for other in labels)


def _same(first: Any, second: Any) -> bool:
    """Equal, and both texts or both numbers."""
    return isinstance(first, str) == isinstance(second, str) and bool(first == second)
