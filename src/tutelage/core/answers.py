"""The meaning of a teacher's answers: declared once, and checked wherever answers enter the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.answer_kinds import KINDS, POSITIONS, TASKS, AnswerKind, Positions, Task
from tutelage.core.answer_values.class_names import ClassNames, key_of, list_classes, plain
from tutelage.core.answer_values.named_columns import are_numbers, column_names, order_in_frame
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import number
from tutelage.core.arrays import (
    Floats,
    as_matrix,
    check_finite,
    check_logits,
    check_probabilities,
    is_frame,
    one_hot,
    real_numbers,
    sigmoid,
    softmax,
    unmasked,
)
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError, fault_of_model, shown


@dataclass(frozen=True)
class AnswerForm:
    """The meaning of a teacher's answers: kind of number, task and classes.

    Attributes:
        kind: "logits" (unnormalised; -inf marks an impossible class), "probabilities", or "values" (regression).
        task: "binary" (one of two classes per row), "multiclass" (one of two or more classes per row), "multilabel" (each
            column is an independent label, on or off) or "regression".
        classes: the class name of each column, in order; empty for regression.
        positions: "tokens" if there is an answer for each token of a row, (rows, tokens, classes); "pixels" for each pixel of a
            picture, (rows, classes, height, width); None for one answer per row.

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
    positions: Positions | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.kind, str) and self.kind in KINDS and isinstance(self.task, str) and self.task in TASKS):
            given = f"kind {shown(self.kind)} and task {shown(self.task)}"
            raise BadInput(f"{given}; expected one of {', '.join(KINDS)} and one of {', '.join(TASKS)}.")
        if (self.task == "regression") != (self.kind == "values"):
            raise BadInput(
                f"answers of kind {self.kind!r} do not fit the task {self.task!r}; expected 'values' for regression, "
                "and 'logits' or 'probabilities' for other tasks."
            )
        if self.positions is not None and self.positions not in POSITIONS:
            raise BadInput(f"positions is {shown(self.positions)}; expected 'tokens', 'pixels', or None for one answer per row.")
        if not isinstance(self.classes, ClassNames):
            object.__setattr__(self, "classes", ClassNames(labels_of(self.classes)))
        self._check_classes()

    def _check_classes(self) -> None:
        classes = ClassNames(self.classes)
        if self.task == "regression":
            if classes:
                raise LabelMismatch(f"a regression teacher has no classes; got {list_classes(classes)}.")
            return
        if len(classes.places) < len(classes):
            raise LabelMismatch(f"a class is named twice in {list_classes(classes)}; expected a different name for each column.")
        needed = {"binary": 2, "multiclass": 2, "multilabel": 1}[self.task]
        if len(classes) < needed or (self.task == "binary" and len(classes) > needed):
            expected = "2" if self.task == "binary" else f"at least {needed}"
            raise LabelMismatch(f"{len(classes)} classes {list_classes(classes)} for a {self.task} teacher; expected {expected}.")

    @fault_of_model()
    def check(self, answers: Any, rows: int, what: str = "the teacher's answers") -> Floats:
        """Return answers as (rows, columns) floats, after checking that they have this form.

        Args:
            answers: (rows, columns); for regression also (rows,). The columns of a frame are matched to the classes by name. `TopAnswers`
                become numbers for all classes, if they are not too many.
            rows: the number of rows that the teacher was queried with.
            what: the subject of error messages.

        Raises:
            ShapeError: not a matrix, or another number of columns than classes. LabelMismatch: another number of rows, or a frame with
                columns of other names. NotProbabilities: rows that are not distributions. BadInput: NaN, or infinite numbers other than
                -inf in logits.
        """
        if self.positions is not None:
            raise BadInput(f"{what} have positions ({self.positions}), and this function takes one answer per row.")
        if isinstance(answers, TopAnswers):
            return self.check_top(answers, rows, what).as_kind(self.kind)
        array = real_numbers(self._by_name(answers, what), what)
        matrix = as_matrix(array.reshape(-1, 1) if self.kind == "values" and array.ndim == 1 else array, what)
        if len(matrix) != rows:
            raise LabelMismatch(f"{what}: {len(matrix)} answers to {rows} rows; expected one answer per row.")
        if self.classes and matrix.shape[1] != len(self.classes):
            raise ShapeError(
                f"{what} have {matrix.shape[1]} columns; expected {len(self.classes)}, "
                f"one for each of the classes {list_classes(self.classes)}."
            )
        if self.kind == "values":
            return check_finite(matrix, what)
        if self.kind == "logits":
            return check_logits(matrix, what)
        return _check_each(matrix, what) if self.task == "multilabel" else check_probabilities(matrix, what)

    @fault_of_model()
    def check_top(self, answers: TopAnswers, rows: int, what: str = "the teacher's answers") -> TopAnswers:
        """Return the most probable classes of each row after checking that they are distributions over this form's classes.

        Raises:
            LabelMismatch: another number of rows, or a task whose classes do not exclude each other. ShapeError: another number of
                classes. NotProbabilities: rows that are not distributions, or that name a class twice.
        """
        if self.task not in ("binary", "multiclass"):
            raise LabelMismatch(f"{what} name the most probable classes, and {self.task} answers have none that exclude each other.")
        if len(answers) != rows:
            raise LabelMismatch(f"{what}: {len(answers)} answers to {rows} rows; expected one answer per row.")
        if answers.columns != len(self.classes):
            raise ShapeError(f"{what} choose among {answers.columns} classes; expected {len(self.classes)}.")
        return answers.checked(what)

    @fault_of_model()
    def take(self, answers: Any, rows: int, what: str = "the teacher's answers") -> Floats:
        """`check`, for a model that may give one number per row: that of the second of two classes, or of a single label.

        Args:
            answers: (rows, columns), (rows, 1) or (rows,); a frame as for `check`.
            rows: the number of rows that the teacher was queried with.
            what: the subject of error messages.

        Returns:
            (rows, columns); for two classes, both columns (see `two_columns`).

        Raises:
            ShapeError, LabelMismatch, NotProbabilities, BadInput: as `check`.
        """
        array = real_numbers(self._by_name(answers, what), what)
        if self.task == "binary" and (array.ndim == 1 or array.shape[1:] == (1,)):
            array = two_columns(array, self.kind)
        return self.check(array.reshape(-1, 1) if array.ndim == 1 and len(self.classes) == 1 else array, rows, what)

    def probabilities(self, answers: Floats, temperature: float = 1.0) -> Floats:
        """(rows, classes) probabilities from answers of this form, softened at a temperature.

        Softmax (sigmoid for multilabel) is applied once, and only to logits.

        Raises:
            LabelMismatch: regression values have no probabilities. ShapeError: another number of columns than classes.
        """
        if self.kind == "probabilities" and temperature == 1.0:
            return answers
        logits = self.logits(real_numbers(answers, "the answers")) / number("temperature", temperature, above=0)
        if logits.shape[-1:] != (len(self.classes),):
            raise ShapeError(f"the answers have shape {logits.shape}; expected (rows, {len(self.classes)}), a column for each class.")
        return sigmoid(logits) if self.task == "multilabel" else softmax(logits)

    def logits(self, answers: Floats) -> Floats:
        """(rows, classes) logits; those of probabilities are log p, exact up to one constant per row, or log odds for multilabel.

        Raises:
            LabelMismatch: regression values have no logits.
        """
        if self.kind == "values":
            raise LabelMismatch("these answers are regression values; they have no classes and no logits.")
        if self.kind == "logits":
            return answers
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(answers) - np.log1p(-answers) if self.task == "multilabel" else np.log(answers))

    def codes(self, y: Any, rows: int | None = None, *, unknown: Literal["refuse", "mark"] = "refuse") -> NDArray[np.int64]:
        """The column of each class name in y, for tasks with one class per row.

        Args:
            y: (rows,) or (rows, 1) class names, as an array, list, Series or tensor; "1" and 1 are different names.
            rows: the expected number of rows; None for any.
            unknown: "refuse" raises an error for a name that is not among the classes, or is missing; "mark" gives it code -1.

        Returns:
            (rows,) integers.

        Raises:
            LabelMismatch: a name that is not among the classes. ShapeError: not one name per row.

        Example:
            >>> of_classes("logits", ["no", "yes"]).codes(["yes", "no", "yes"])
            array([1, 0, 1])
        """
        column = label_column(y, rows)
        found, places = _distinct(column)
        of_class = ClassNames(self.classes).places
        codes = np.array([-1 if label is None else of_class.get(key_of(label), -1) for label in found], dtype=np.int64)
        unrecognised = tuple(label for label, code in zip(found, codes, strict=True) if code < 0)
        if unknown == "refuse" and None in unrecognised:
            raise LabelMismatch("y holds missing labels; leave those rows out.")
        if unknown == "refuse" and unrecognised:
            raise LabelMismatch(
                f"y holds the labels {list_classes(unrecognised)}, which are not among the classes {list_classes(self.classes)}"
                f"{_remedy(unrecognised, self.classes)}"
            )
        return codes[places]

    def truth(self, y: Any, rows: int | None = None) -> NDArray[Any]:
        """The ground truth y as numbers, in the order of this form's classes.

        Args:
            y: (rows,) class names; for multilabel (rows, labels) of 0 and 1, also sparse, where the columns of a frame may have any order;
                for regression (rows,) or (rows, outputs) values. An array, list, frame, Series or tensor.
            rows: the expected number of rows; None for any.

        Returns:
            (rows,) int64 codes of the classes; (rows, labels) float64 of 0 and 1; or (rows, outputs) float64 values.

        Raises:
            LabelMismatch: a name that is not among the classes, or a frame whose columns are not the labels. ShapeError: other rows
                or columns than expected, or values that are not numbers. BadInput: multilabel values other than 0 and 1, or
                regression values that are not finite.

        Example:
            >>> of_classes("logits", ["no", "yes"]).truth([["yes"], ["no"]])
            array([1, 0])
        """
        if self.task in ("binary", "multiclass"):
            return self.codes(y, rows)
        values = _truth_values(self.truth_by_name(y), self.task)
        _check_rows(len(values), rows)
        if self.task == "regression":
            return check_finite(values, "y")
        if values.shape[1] != len(self.classes):
            raise ShapeError(
                f"y has {values.shape[1]} columns; expected {len(self.classes)}, one for each of the labels {list_classes(self.classes)}."
            )
        if not np.isin(values, (0.0, 1.0)).all():
            raise BadInput("y holds numbers other than 0 and 1; expected 0 or 1 for each row and label of a multilabel task.")
        return values

    def truth_by_name(self, y: Any) -> Any:
        """The ground truth with its columns in the order of the labels, where it is a frame with columns named after them.

        Args:
            y: as for `truth`; rows may lack theirs.

        Raises:
            LabelMismatch: a frame with columns of other names.
        """
        if self.task != "multilabel" or not is_frame(y):
            return y
        order, cells = order_in_frame(y, self.classes, "the columns of y"), unmasked(y, "the rows of y")
        return cells if order is None else cells[:, order]

    def _by_name(self, answers: Any, what: str) -> Any:
        """Answers in the order of the classes, if they are a frame with columns named after them; anything else as it is."""
        if self.kind == "values" or not is_frame(answers):
            return answers
        names, cells = column_names(answers), unmasked(answers, what)
        if len(names) == 1 and str(names[0]) not in map(str, self.classes[:-1]):  # of the second of two classes, or of a single label
            return cells
        order = order_in_frame(answers, self.classes, f"the columns of {what}")
        return cells if order is None else cells[:, order]

    def truth_as_answers(self, y: Any, rows: int | None = None) -> Floats:
        """`truth` in the shape of answers: one-hot (rows, classes) for tasks with one class per row.

        Raises:
            LabelMismatch, ShapeError, BadInput: as `truth`.
        """
        truth = self.truth(y, rows)
        return one_hot(truth, len(self.classes)).astype(np.float64) if truth.ndim == 1 else truth

    @property
    def of_each_position(self) -> AnswerForm:
        """The form of the answers to single positions, (positions, classes)."""
        return replace(self, positions=None)

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


def form_of_truth(y: Any) -> AnswerForm:
    """The form of answers to a ground truth without a teacher: its classes, sorted, or a label for each column of a matrix.

    The labels are the names of the columns of a frame, otherwise 0, 1, ...

    Raises:
        LabelMismatch: a missing label, or fewer than two classes. ShapeError: neither a column of class names nor a matrix.
    """
    array = _as_array(y)
    if array.ndim == 2 and array.shape[1] > 1:
        names = column_names(y) if is_frame(y) else []
        return AnswerForm("logits", "multilabel", tuple(range(array.shape[1]) if are_numbers(names) else names))
    found, _ = _distinct(label_column(array))
    if None in found:
        raise LabelMismatch("y holds missing labels; leave those rows out.")
    return of_classes("logits", sorted(found, key=key_of))


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


def labels_of(classes: Any) -> tuple[Any, ...]:
    """Class labels, given as any sequence, array or tensor, as a tuple.

    Raises:
        LabelMismatch: no sequence.
    """
    given = classes.to_pylist() if hasattr(classes, "to_pylist") else classes.tolist() if hasattr(classes, "detach") else classes
    if not isinstance(given, Iterable) or isinstance(given, bytes | set | frozenset | Mapping):
        raise LabelMismatch(f"classes are given as {shown(classes)}; expected a sequence, the label of each column in order.")
    try:
        return tuple(given)
    except TypeError as error:  # an array without axes
        raise LabelMismatch(f"classes are given as {shown(classes)}; expected a sequence, the label of each column in order.") from error


def label_array(labels: tuple[Any, ...]) -> NDArray[Any]:
    """Class labels as an array; where an array of one kind would change them, each keeps its own."""
    array = np.array(labels)
    return array if tuple(array.tolist()) == labels else np.array(labels, dtype=object)


def label_column(y: Any, rows: int | None = None) -> NDArray[Any]:
    """(rows,) class names, from an array, tensor or Series with one column.

    Raises:
        ShapeError: not one name per row, or another number of rows.
    """
    column = _as_array(y)
    column = column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column
    if column.ndim != 1:
        raise ShapeError(
            f"y has shape {column.shape}; expected (rows,), one class label per row. Pass y.argmax(axis=1) if y is one-hot; "
            "probabilities are soft labels."
        )
    _check_rows(len(column), rows)
    return column


def _as_array(y: Any) -> NDArray[Any]:
    """The ground truth as an array; a sparse matrix of labels, as scikit-learn's indicators are, is made dense."""
    return unmasked(y.toarray() if hasattr(y, "toarray") else y, "the rows of y")


def _remedy(labels: tuple[Any, ...], classes: tuple[Any, ...]) -> str:
    """What to do about labels that are not among the classes."""
    (texts, spelt), (of_classes, known) = (
        ({isinstance(name, str) for name in names}, {str(name).lower() for name in names}) for names in (labels, classes)
    )
    if len(texts) == len(of_classes) == 1 and texts != of_classes and spelt <= known:
        held, wanted = ("texts", "numbers or truth values") if True in texts else ("numbers or truth values", "texts")
        pair = f"{{{labels[0]!r}: {next(name for name in classes if str(name).lower() == str(labels[0]).lower())!r}, ...}}"
        return f": the labels are {held} where the classes are {wanted}. Convert them by a mapping, {pair}."
    return ". Leave those rows out, map the labels, or use a teacher of all classes."


def _check_rows(found: int, rows: int | None) -> None:
    if rows is not None and found != rows:
        raise ShapeError(f"y has {found} rows and X has {rows}; expected the same rows in the same order.")


def _distinct(labels: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The distinct class names, as plain values with None for missing ones, and the position of each row's name among them."""
    if labels.dtype.kind != "O":
        found, places = np.unique(labels, return_inverse=True)
        return [plain_or_none(label) for label in found], places
    known: dict[Any, int] = {}
    values: list[Any] = []
    places = np.empty(len(labels), dtype=np.intp)
    for row, label in enumerate(labels):
        value = plain_or_none(label)
        places[row] = place = known.setdefault(None if value is None else key_of(value), len(known))
        if place == len(values):
            values.append(value)
    return values, places


def plain_or_none(label: Any) -> Any:
    """A class label as a plain value; None for values that cannot be class names (a missing value, NaN, a list)."""
    try:
        return plain(label)
    except LabelMismatch:
        return None


def _truth_values(y: Any, task: Task) -> NDArray[np.float64]:
    """(rows, columns) numbers."""
    array = _as_array(y)
    if array.ndim not in (1, 2) or not array.size:
        raise ShapeError(f"y has shape {array.shape}; expected (rows,) or (rows, columns), at least one of each.")
    return real_numbers(array, f"the values of y, for a {task} task,").astype(np.float64).reshape(len(array), -1)


def _check_each(matrix: Floats, what: str) -> Floats:
    """Check multilabel answers: every number is an independent probability."""
    bad = ~((matrix >= 0) & (matrix <= 1)).all(axis=1)  # a comparison with NaN is false, so NaN is refused
    if bad.any():
        raise NotProbabilities(
            f"{what}: {int(bad.sum())} of {len(matrix)} rows hold numbers outside 0 to 1 (first: row {int(np.flatnonzero(bad)[0])}). "
            "If these are logits, declare kind='logits'."
        )
    return matrix
