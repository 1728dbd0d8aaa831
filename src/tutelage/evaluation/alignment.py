"""Student, teacher and truth on the same rows, column by column the same class, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.answers import AnswerForm, of_classes, plain, shown
from tutelage.core.arrays import Floats, check_finite, one_hot
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.core.evaluations import AlignedAnswers
from tutelage.data.fingerprint import fingerprint
from tutelage.data.names import row_names
from tutelage.data.rows import as_rows


def align(student: Any, teacher: Teacher | None, X: Any, y: Any = None) -> AlignedAnswers:
    """Ask both about every row and put their columns, and the truth's, in one order: the teacher's, else the student's.

    Args:
        student: fitted: `classes_` and `predict_proba`, or `predict` for values; or itself a Teacher, such as a file.
        teacher: or None.
        X: rows, as `as_rows` takes them.
        y: (rows,) labels; (rows, labels) of 0 and 1 for multilabel, columns named as the classes or in their order; (rows,) or
            (rows, outputs) values for regression. None if the truth is not known.

    Raises:
        LabelMismatch: classes that one side has and the other has not, labels of y that are no class, another number
            of answers than rows. BadInput: neither a teacher nor y, or a student that cannot be asked.
    """
    if teacher is None and y is None:
        raise BadInput("there is nothing to measure the student against; pass a teacher, or y, or both.")
    rows = as_rows(X)
    inputs = rows.part(0, rows.count)
    form = student_form(student, teacher)
    said = form.check(_said(student, form, inputs), rows.count, "the student's answers")
    answers = said if form.task == "regression" else form.probabilities(said)
    asked = None
    order = form.classes
    if teacher is not None:
        order = teacher.form.classes
        answers = _in_order(answers, form, teacher.form)
        asked = teacher.form.check(teacher.answer(inputs), rows.count)
        asked = asked if form.task == "regression" else teacher.form.probabilities(asked)
        if asked.shape[1] != answers.shape[1]:
            raise ShapeError(f"the student gives {answers.shape[1]} values a row and the teacher {asked.shape[1]}; expected as many.")
    truth = None if y is None else truth_of(y, form.task, order, shape=answers.shape)
    return AlignedAnswers(form.task, order, answers, asked, truth, fingerprint(row_names(inputs)))


def student_form(student: Any, teacher: Teacher | None = None) -> AnswerForm:
    """What a student's answers are: its own declaration, or read off its `classes_`.

    Two label columns and a multilabel teacher look alike from outside: where the teacher is multilabel, so is the
    student. Without a teacher, scikit-learn's own sign of several labels (a list of class arrays) is read.

    Raises:
        BadInput: neither predict_proba nor predict, or probabilities without `classes_`.
    """
    if isinstance(student, Teacher):
        return student.form
    if not hasattr(student, "predict_proba"):
        if hasattr(student, "classes_") or not hasattr(student, "predict"):
            raise BadInput(
                f"{type(student).__name__} has no predict_proba; a classifier needs it, a regressor needs predict and no classes_."
            )
        return AnswerForm("values", "regression")
    if not hasattr(student, "classes_"):
        raise BadInput(f"{type(student).__name__} has no classes_; fit it first, or give it the label of each column, in order.")
    several = isinstance(student.classes_, list) and all(np.ndim(one) == 1 for one in student.classes_)
    labels: Sequence[Any] = range(len(student.classes_)) if several else tuple(student.classes_)
    multilabel = several or (teacher is not None and teacher.form.task == "multilabel")
    if several and teacher is not None and len(teacher.form.classes) == len(labels):
        labels = teacher.form.classes  # scikit-learn does not know the names of several labels; their number must fit
    return AnswerForm("probabilities", "multilabel", tuple(labels)) if multilabel else of_classes("probabilities", labels)


def truth_of(y: Any, task: str, classes: tuple[Any, ...], *, shape: tuple[int, ...]) -> Floats:
    """The truth in the shape of answers: one-hot, 0 or 1 a label, or values.

    Raises:
        LabelMismatch: labels that are no class, another number than rows, or a multilabel frame whose columns are
            named otherwise than the classes. ShapeError: other columns than expected.
        BadInput: multilabel truth that is not 0 or 1, values that are not finite.
    """
    values = np.asarray(y)
    if task == "multilabel" and hasattr(y, "columns"):
        values = values[:, _columns([plain(name) for name in y.columns], classes, "the columns of y", "Rename them, or pass an array.")]
    if len(values) != shape[0]:
        raise LabelMismatch(f"y has {len(values)} rows and X has {shape[0]}; expected one label or value a row.")
    if task in ("binary", "multiclass"):
        return one_hot(codes_of(values, classes), len(classes))
    matrix = check_finite(values.reshape(len(values), -1), "y")
    if matrix.shape != shape:
        raise ShapeError(f"y has shape {values.shape}; expected {shape}, as the answers have.")
    if task == "multilabel" and not np.isin(matrix, (0.0, 1.0)).all():
        raise BadInput("multilabel truth is 0 or 1 for each row and label; y holds other numbers.")
    return matrix


def codes_of(labels: ArrayLike, classes: tuple[Any, ...]) -> NDArray[np.intp]:
    """The column of each label: (rows,) integers.

    Raises:
        LabelMismatch: a label that is no class; "1" and 1 are two labels. ShapeError: not one label a row.
    """
    values = np.asarray(labels)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise ShapeError(f"labels have shape {values.shape}; expected (rows,), one label a row.")
    column = {_key(label): place for place, label in enumerate(classes)}
    met, place = _distinct(values)
    unknown = [label for label in met if _key(label) not in column]
    if unknown:
        raise LabelMismatch(f"y holds the labels {shown(tuple(unknown))}, which are not among the classes {shown(classes)}.")
    return np.asarray([column[_key(label)] for label in met], dtype=np.intp)[place]


def _distinct(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The labels met, as plain values, and which of them each row has."""
    if values.dtype.kind != "O":
        met, place = np.unique(values, return_inverse=True)
        return [plain(label) for label in met], place
    known: dict[tuple[bool, Any], int] = {}
    places = [known.setdefault(_key(plain(label)), len(known)) for label in values]
    return [label for _, label in known], np.asarray(places, dtype=np.intp)


def _said(student: Any, form: AnswerForm, inputs: Any) -> Any:
    if isinstance(student, Teacher):
        return student.answer(inputs)
    if form.task == "regression":
        return student.predict(inputs)
    said = student.predict_proba(inputs)
    # scikit-learn's forests answer several labels with a list: (rows, 2) for each, off and on.
    return np.column_stack([one[:, 1] for one in said]) if isinstance(said, list) else said


def _in_order(answers: Floats, own: AnswerForm, wanted: AnswerForm) -> Floats:
    """The student's columns in the teacher's order."""
    if own.task != wanted.task and not {own.task, wanted.task} <= {"binary", "multiclass"}:
        raise LabelMismatch(
            f"the student's task is {own.task} {shown(own.classes)} and the teacher's {wanted.task} {shown(wanted.classes)}; "
            "they must decide the same thing."
        )
    if wanted.task == "regression":
        return answers
    columns = _columns(own.classes, wanted.classes, "the student's classes", "Fit the student with classes=teacher.form.classes.")
    return np.asarray(answers[:, columns])


def _columns(own: Sequence[Any], wanted: Sequence[Any], what: str, remedy: str) -> list[int]:
    """Where each of the wanted labels stands among one's own.

    Raises:
        LabelMismatch: a label missing, or one too many.
    """
    place = {_key(label): column for column, label in enumerate(own)}
    keys = {_key(label) for label in wanted}
    missing = tuple(label for label in wanted if _key(label) not in place)
    extra = tuple(label for label in own if _key(label) not in keys)
    if missing or extra:
        raise LabelMismatch(
            f"{what} {shown(tuple(own))} are not those wanted, {shown(tuple(wanted))}: "
            f"missing {shown(missing)}, extra {shown(extra)}. {remedy}"
        )
    return [place[_key(label)] for label in wanted]


def _key(label: Any) -> tuple[bool, Any]:
    return isinstance(label, str), label  # "1" and 1 are two labels
