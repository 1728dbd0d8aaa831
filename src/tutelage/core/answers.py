"""The meaning of a teacher's numbers: declared once, checked at every place where answers enter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.arrays import Floats, as_matrix, check_finite, check_probabilities, sigmoid, softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError

AnswerKind = Literal["logits", "probabilities", "values"]
Task = Literal["binary", "multiclass", "multilabel", "regression"]

KINDS: tuple[AnswerKind, ...] = ("logits", "probabilities", "values")
TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel", "regression")


@dataclass(frozen=True)
class AnswerForm:
    """The meaning of a teacher's answers: kind of number, task and classes.

    Attributes:
        kind: "logits" (unnormalised; -inf marks an impossible class), "probabilities", or "values" (regression).
        task: "binary" (one of two classes per row), "multiclass" (one of two or more classes per row), "multilabel" (each
            column is an independent label, on or off) or "regression".
        classes: the class name of each column, in order; empty for regression.

    Raises:
        LabelMismatch: a duplicate class name, fewer classes than the task needs, or class names that are not a sequence.
        BadInput: an unknown kind or task, or a kind and a task that do not go together.

    Example:
        >>> import tutelage as tl
        >>> form = tl.AnswerForm("logits", "multiclass", ("cat", "dog", "bird"))
        >>> logits = form.check([[2.0, 0.0, -1.0]], rows=1)
        >>> form.probabilities(logits, temperature=2.0).round(2)
        array([[0.63, 0.23, 0.14]])
    """

    kind: AnswerKind
    task: Task
    classes: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.task not in TASKS:
            raise BadInput(f"kind {self.kind!r} and task {self.task!r}; expected one of {', '.join(KINDS)} and one of {', '.join(TASKS)}.")
        if (self.task == "regression") != (self.kind == "values"):
            raise BadInput(
                f"answers of kind {self.kind!r} do not fit the task {self.task!r}; values are for regression, and only they are."
            )
        object.__setattr__(self, "classes", tuple(map(plain, labels_of(self.classes))))
        self._check_classes()

    def _check_classes(self) -> None:
        classes = self.classes
        if self.task == "regression":
            if classes:
                raise LabelMismatch(f"a regression teacher has no classes; got {shown(classes)}.")
            return
        if len(set(map(_key, classes))) < len(classes):
            raise LabelMismatch(f"a class is named twice in {shown(classes)}; each column needs a label of its own.")
        needed = {"binary": 2, "multiclass": 2, "multilabel": 1}[self.task]
        if len(classes) < needed or (self.task == "binary" and len(classes) > needed):
            expected = "2" if self.task == "binary" else f"at least {needed}"
            raise LabelMismatch(f"{len(classes)} classes {shown(classes)} for a {self.task} teacher; expected {expected}.")

    def check(self, answers: ArrayLike, rows: int, what: str = "the teacher's answers") -> Floats:
        """Return answers as (rows, columns) floats after proving that they are what this form says.

        Args:
            answers: (rows, columns); for regression also (rows,).
            rows: how many rows were asked about.
            what: the name used in an error.

        Raises:
            ShapeError: no matrix, or another number of columns than classes. LabelMismatch: another number of rows.
            NotProbabilities: rows that are no distributions. BadInput: NaN, or a number where there can be none.
        """
        array = _numbers(answers, what)
        matrix = as_matrix(array.reshape(-1, 1) if self.kind == "values" and array.ndim == 1 else array, what)
        if len(matrix) != rows:
            raise LabelMismatch(f"{what}: {len(matrix)} answers to {rows} rows; expected one answer a row.")
        if self.classes and matrix.shape[1] != len(self.classes):
            raise ShapeError(
                f"{what} have {matrix.shape[1]} columns; expected {len(self.classes)}, one for each of the classes {shown(self.classes)}."
            )
        if self.kind == "values":
            return check_finite(matrix, what)
        if self.kind == "logits":
            return _check_logits(matrix, what)
        return _check_each(matrix, what) if self.task == "multilabel" else check_probabilities(matrix, what)

    def take(self, said: ArrayLike, rows: int, what: str = "the teacher's answers") -> Floats:
        """`check`, for a model that may say one number a row: that about the second of two classes, or a single label.

        Args:
            said: (rows, columns), (rows, 1) or (rows,).
            rows: how many rows were asked about.
            what: the name used in an error.

        Returns:
            (rows, columns); of two classes both, as `two_columns` completes them.
        """
        array = _numbers(said, what)
        if self.task == "binary" and (array.ndim == 1 or array.shape[1:] == (1,)):
            array = two_columns(array, self.kind)
        return self.check(array.reshape(-1, 1) if array.ndim == 1 and len(self.classes) == 1 else array, rows, what)

    def probabilities(self, answers: Floats, temperature: float = 1.0) -> Floats:
        """(rows, classes) probabilities from answers of this form, softened at a temperature.

        Softmax (sigmoid for multilabel) is applied once, and only to logits.

        Raises:
            LabelMismatch: regression values have no probabilities.
        """
        if self.kind == "probabilities" and temperature == 1.0:
            return answers
        logits = self.logits(answers) / temperature
        return sigmoid(logits) if self.task == "multilabel" else softmax(logits)

    def logits(self, answers: Floats) -> Floats:
        """(rows, classes) logits; from probabilities they are log p, right up to a constant a row, or log odds.

        Raises:
            LabelMismatch: regression values have no logits.
        """
        if self.kind == "values":
            raise LabelMismatch("these answers are regression values; they have no classes and no logits.")
        if self.kind == "logits":
            return answers
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(answers) - np.log1p(-answers) if self.task == "multilabel" else np.log(answers))

    def as_kind(self, kind: AnswerKind) -> AnswerForm:
        """The same task and classes, in another kind of number."""
        return replace(self, kind=kind)


def of_classes(kind: AnswerKind, classes: Any) -> AnswerForm:
    """The form of a classifier that predicts one class per row: binary for two classes, multiclass otherwise.

    Args:
        kind: "logits" or "probabilities".
        classes: the class name of each column, as any sequence.

    Raises:
        LabelMismatch: as `AnswerForm`.
    """
    labels = labels_of(classes)
    return AnswerForm(kind, "binary" if len(labels) == 2 else "multiclass", labels)


def two_columns(second: ArrayLike, kind: AnswerKind) -> Floats:
    """Expand answers for the second of two classes to both columns: [1 - p, p] for probabilities, [0, f] for logits.

    Logits expand to [0, f] rather than [-f, f], which would double the margin, that is, halve the temperature.

    Args:
        second: (rows,) or (rows, 1) answers for the second class.
        kind: "probabilities" or "logits".

    Returns:
        (rows, 2).
    """
    column = np.asarray(second).reshape(-1, 1)
    column = column if np.issubdtype(column.dtype, np.floating) else column.astype(np.float64)
    return np.hstack([1 - column if kind == "probabilities" else np.zeros_like(column), column])


def plain(label: Any) -> Any:
    """A class label as a plain Python value that JSON can hold.

    Raises:
        LabelMismatch: a label that is no text, number or truth value.
    """
    value = label.item() if isinstance(label, np.generic) else label
    if not isinstance(value, str | int | float) or (isinstance(value, float) and math.isnan(value)):
        raise LabelMismatch(f"a class is labelled {label!r} ({type(label).__name__}); expected a text, a number or a truth value.")
    return value


def labels_of(classes: Any) -> tuple[Any, ...]:
    """Class labels, given as any sequence, as a tuple.

    Raises:
        LabelMismatch: no sequence.
    """
    try:
        return tuple(classes)
    except TypeError as error:
        raise LabelMismatch(f"classes are given as {classes!r}; expected a sequence, the label of each column in order.") from error


def label_array(labels: tuple[Any, ...]) -> NDArray[Any]:
    """Class labels as an array; where an array of one kind would change them, each keeps its own."""
    array = np.array(labels)
    return array if tuple(array.tolist()) == labels else np.array(labels, dtype=object)


def shown(classes: tuple[Any, ...]) -> str:
    """Class names as text for a message; at most the first six."""
    names = ", ".join(repr(label) for label in classes[:6])
    return f"[{names}{', ...' if len(classes) > 6 else ''}]"


def _key(label: Any) -> tuple[bool, Any]:
    return isinstance(label, str), label


def _numbers(answers: ArrayLike, what: str) -> Floats:
    try:
        array = np.asarray(answers)
        if array.dtype.kind not in "biufO" or (array.dtype.kind == "O" and any(isinstance(cell, str | bytes) for cell in array.flat)):
            raise TypeError(f"they are {array.dtype}")
        return np.asarray(array if array.dtype.kind == "f" else array.astype(np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"{what} are not numbers in a (rows, columns) array ({error}).") from error


def _check_logits(matrix: Floats, what: str) -> Floats:
    bad = ~np.isfinite(matrix.max(axis=1))  # NaN, inf, or -inf in every column: one class may be impossible, but not all of them
    if bad.any():
        raise BadInput(
            f"{what}: {int(bad.sum())} of {len(matrix)} rows of logits hold NaN or inf (first: row {int(np.flatnonzero(bad)[0])})."
        )
    return matrix


def _check_each(matrix: Floats, what: str) -> Floats:
    """Check multilabel answers: every number is an independent probability."""
    bad = ~((matrix >= 0) & (matrix <= 1)).all(axis=1)  # a comparison with NaN is false, so NaN is rejected
    if bad.any():
        raise NotProbabilities(
            f"{what}: {int(bad.sum())} of {len(matrix)} rows hold numbers outside 0 to 1 (first: row {int(np.flatnonzero(bad)[0])}). "
            "If these are logits, declare kind='logits'."
        )
    return matrix
