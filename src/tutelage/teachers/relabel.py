"""Map a teacher's answers to other class labels, explicitly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tutelage.core.answer_values.class_names import ClassNames, key_of, list_classes, plain
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, label_array, labels_of, of_classes
from tutelage.core.arguments import choice, mapping
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch
from tutelage.core.identity.fingerprints import joint_fingerprint
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.schema import Schema
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.decisions import decided_by
from tutelage.teachers.inputs import row_count


@dataclass(frozen=True, eq=False)
class RelabelledTeacher:
    """A Teacher with its columns reordered, renamed, dropped or filled up. `relabelled` builds it.

    Attributes:
        teacher: the teacher that is queried.
        form: kind, task and classes in the new label space.
        columns: for each new class its column in the teacher's answers, or None for a class that the teacher does not have.

    Example:
        >>> import tutelage as tl
        >>> teacher = tl.as_teacher(lambda rows: [[0.2, 0.3, 0.5]] * len(rows), kind="probabilities", classes=["a", "b", "c"])
        >>> moved = tl.relabelled(teacher, ["c", "a", "b", "d"], missing="zero")
        >>> moved.columns
        (2, 0, 1, None)
        >>> moved.answer(["any row"])
        array([[0.5, 0.2, 0.3, 0. ]])
    """

    teacher: Teacher
    form: AnswerForm
    columns: tuple[int | None, ...]

    @property
    def schema(self) -> Schema | None:
        """The columns that the teacher learnt; None if it does not store them."""
        return getattr(self.teacher, "schema", None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the teacher's fingerprint and the mapping."""
        return joint_fingerprint("relabelled", (self.form.classes, self.columns), [self.teacher.fingerprint])

    def answer(self, inputs: Any) -> Answers:
        """(rows, classes) in the new label space. Where classes were dropped, the others are scaled up to sum to one.

        Raises:
            LabelMismatch: a row whose whole probability was on dropped classes.
        """
        answers = self.teacher.answer(inputs)
        if isinstance(answers, PositionAnswers):
            return answers.with_values(self._of_values(answers.values))
        return self._of_values(answers if isinstance(answers, TopAnswers) else self.teacher.form.check(answers, len(answers)))

    def decide(self, inputs: Any) -> Any:
        """What the teacher decides by a rule of its own, in the new label space; None if it has none, or where its classes were dropped."""
        form = self.teacher.form
        new_columns = {column: place for place, column in enumerate(self.columns) if column is not None}
        decided = decided_by(self.teacher, "decide", inputs, row_count(inputs), form) if len(new_columns) == len(form.classes) else None
        if decided is None:
            return None
        if form.task == "multilabel":
            return decided[:, sorted(new_columns, key=new_columns.__getitem__)]
        return label_array(self.form.classes)[[new_columns[column] for column in decided.tolist()]]

    def _of_values(self, original: Floats | TopAnswers) -> Floats | TopAnswers:
        if not isinstance(original, TopAnswers):
            return self._of_matrix(original)
        if len(self.columns) != original.columns or None in self.columns:  # the rest changes
            return self._of_matrix(original.as_kind(self.form.kind))
        new_columns = np.argsort(np.array(self.columns)).astype(original.ids.dtype)
        return replace(original, ids=new_columns[original.ids])

    def _of_matrix(self, original: Floats) -> Floats:
        kind = self.form.kind
        known = [column for column in self.columns if column is not None]
        answers = np.full((len(original), len(self.columns)), -np.inf if kind == "logits" else 0.0, dtype=original.dtype)
        answers[:, [column is not None for column in self.columns]] = original[:, known]
        if self.form.task != "multilabel":
            lost = (answers.max(axis=1) == -np.inf) if kind == "logits" else (answers.sum(axis=1) == 0)
            if lost.any():
                row = int(np.flatnonzero(lost)[0])
                raise LabelMismatch(
                    f"{int(lost.sum())} of {len(original)} rows have their whole probability on dropped classes (first: row "
                    f"{row}). Do not drop them."
                )
            if kind == "probabilities" and len(known) < original.shape[1]:
                answers /= answers.sum(axis=1, keepdims=True)
        return self.form.of_each_position.check(answers, len(original))


def relabelled(
    teacher: Any,
    classes: Sequence[Any],
    *,
    rename: Mapping[Any, Any] | None = None,
    missing: Literal["error", "zero"] = "error",
    extra: Literal["error", "drop"] = "error",
) -> RelabelledTeacher:
    """Map a teacher's answers to other class labels. Classes are matched by label, never by position, and none is dropped silently.

    Args:
        teacher: anything that `as_teacher` accepts.
        classes: the new class labels, in the order of the new columns.
        rename: maps the teacher's labels to the new ones, where they differ (the number 3 is not the text "3").
        missing: a new class that the teacher does not have is an "error", or gets "zero" probability (not for multilabel).
        extra: a class of the teacher that is not among the new ones is an "error", or is dropped ("drop") and the others
            are scaled up to sum to one.

    Returns:
        A Teacher with (rows, classes) answers of the same kind, in the order of `classes`.

    Raises:
        LabelMismatch: a label without a counterpart, two classes with the same label, or a regression teacher, which has
            no classes.
        BadInput: an unknown value of `missing` or `extra`.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = LogisticRegression(max_iter=1000).fit(X, y)
        >>> names = {0: "setosa", 1: "versicolor", 2: "virginica"}
        >>> named = tl.relabelled(teacher, ["virginica", "versicolor", "setosa"], rename=names)
        >>> named.form.classes
        ('virginica', 'versicolor', 'setosa')
        >>> named.answer(X[:1]).round(2)
        array([[0.  , 0.02, 0.98]])
    """
    choice("missing", missing, ("error", "zero"))
    choice("extra", extra, ("error", "drop"))
    source = as_teacher(teacher)
    form = source.form
    if form.task == "regression":
        raise LabelMismatch("the teacher is a regressor and has no classes to relabel; use it as it is.")
    renamed = _renamed(form, mapping("rename", rename))
    new_classes = tuple(plain(label) for label in labels_of(classes))
    columns = _columns_of(new_classes, renamed)
    _check_missing(form, renamed, new_classes, columns, allowed=missing == "zero" and form.task != "multilabel")
    new = set(map(key_of, new_classes))
    surplus = tuple(label for label in renamed if key_of(label) not in new)
    if surplus and extra == "error":
        raise LabelMismatch(
            f"the teacher also has the classes {list_classes(surplus)}, not among {list_classes(new_classes)}. "
            "Pass rename=, or extra='drop'."
        )
    new_form = AnswerForm(form.kind, "multilabel", new_classes) if form.task == "multilabel" else of_classes(form.kind, new_classes)
    return RelabelledTeacher(source, replace(new_form, positions=form.positions), columns)


def _renamed(form: AnswerForm, rename: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The teacher's classes under their new names."""
    names = {plain(old): plain(new) for old, new in rename.items()}
    known = ClassNames(form.classes).places
    unknown = tuple(old for old in names if key_of(old) not in known)
    if unknown:
        raise LabelMismatch(
            f"rename has the labels {list_classes(unknown)}, which the teacher does not have; its classes are {list_classes(form.classes)}."
        )
    return tuple(names.get(label, label) for label in form.classes)


def _check_missing(
    form: AnswerForm, renamed: tuple[Any, ...], new_classes: tuple[Any, ...], columns: tuple[int | None, ...], *, allowed: bool
) -> None:
    """Check that the teacher has every new class, or at least one of them if missing classes are allowed."""
    lacking = tuple(label for label, column in zip(new_classes, columns, strict=True) if column is None)
    if lacking and not allowed:
        remedy = "Pass rename=." if form.task == "multilabel" else "Pass rename=, or missing='zero'."
        raise LabelMismatch(f"the teacher does not have the classes {list_classes(lacking)}; it has {list_classes(renamed)}. {remedy}")
    if len(lacking) == len(new_classes):
        raise LabelMismatch(
            f"the teacher has none of the classes {list_classes(new_classes)}; it has {list_classes(renamed)}. Pass rename=."
        )


def _columns_of(new_classes: Sequence[Any], renamed: Sequence[Any]) -> tuple[int | None, ...]:
    """For each new class the column of the teacher's class of that name, or None."""
    places: dict[Any, int] = {}
    twice: dict[Any, int] = {}
    for place, label in enumerate(renamed):
        if places.setdefault(key_of(label), place) != place:
            twice[key_of(label)] = twice.get(key_of(label), 1) + 1
    for label in new_classes:
        if key_of(label) in twice:
            count = twice[key_of(label)]
            raise LabelMismatch(f"{count} of the teacher's classes would be called {label!r}; give each a different label.")
    return tuple(places.get(key_of(label)) for label in new_classes)
