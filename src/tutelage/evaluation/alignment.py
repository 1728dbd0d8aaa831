"""Student, teacher and truth on the same rows, column by column the same class, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm, columns_in_order, label_array, labels_of, of_classes, shown
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.fingerprint import fingerprint
from tutelage.data.row_names import row_names
from tutelage.data.rows import array_of, as_rows
from tutelage.evaluation.records import AlignedAnswers


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
            of answers than rows. BadInput: neither a teacher nor y, or a student that cannot be asked. ShapeError: y or
            answers with rows of unequal length.
    """
    if teacher is None and y is None:
        raise BadInput("there is nothing to measure the student against; pass a teacher, or y, or both.")
    y = y if y is None or hasattr(y, "columns") else array_of(y, "the rows of y")
    rows = as_rows(X)
    inputs = rows.part(0, rows.count)
    form = student_form(student, teacher, y)
    said = form.check(_said(student, form, inputs), rows.count, "the student's answers")
    answers = said if form.task == "regression" else form.probabilities(said)
    if teacher is None and form.task == "multilabel":
        _refuse_one_hot(student, answers, np.asarray(y))
    asked = None
    order = form.classes
    if teacher is not None:
        order = teacher.form.classes
        answers = _in_order(answers, form, teacher.form)
        asked = teacher.form.check(teacher.answer(inputs), rows.count)
        asked = asked if form.task == "regression" else teacher.form.probabilities(asked)
        if asked.shape[1] != answers.shape[1]:
            raise ShapeError(f"the student gives {answers.shape[1]} values a row and the teacher {asked.shape[1]}; expected as many.")
    wanted = form if teacher is None else teacher.form
    truth = None if y is None else wanted.truth_as_answers(y, rows.count)
    if truth is not None and truth.shape != answers.shape:
        raise ShapeError(f"y has shape {np.shape(y)}; expected {answers.shape}, as the answers have.")
    return AlignedAnswers(form.task, order, answers, asked, truth, fingerprint(row_names(inputs)))


def student_form(student: Any, teacher: Teacher | None = None, y: Any = None) -> AnswerForm:
    """What a student's answers are: its own declaration, or read off its `classes_`.

    Classes of which one is true and labels that are each on or off look alike from outside. They are labels where the
    teacher says so; without a teacher, where y has several columns, or `classes_` is scikit-learn's list of arrays.

    Raises:
        BadInput: neither predict_proba nor predict, or probabilities without `classes_`.
    """
    if isinstance(student, Teacher):
        return student.form
    if not hasattr(student, "predict_proba"):
        return _form_of_values(student)
    if not hasattr(student, "classes_"):
        raise BadInput(f"{type(student).__name__} has no classes_; fit it first, or give it the label of each column, in order.")
    decides_labels = _lists_labels(student) or _columns_of(y) > 1 if teacher is None else teacher.form.task == "multilabel"
    if decides_labels:
        return AnswerForm("probabilities", "multilabel", _label_names(student, teacher))
    return of_classes("probabilities", student.classes_)


def _lists_labels(student: Any) -> bool:
    """Whether `classes_` is a list of arrays: scikit-learn's way to say that it answers several questions."""
    return isinstance(student.classes_, list) and all(np.ndim(one) == 1 for one in student.classes_)


def _label_names(student: Any, teacher: Teacher | None) -> tuple[Any, ...]:
    """A list of arrays holds no names of labels: they are the teacher's, if as many, else 0, 1, ..."""
    if not _lists_labels(student):
        return labels_of(student.classes_)
    count = len(student.classes_)
    return teacher.form.classes if teacher is not None and len(teacher.form.classes) == count else tuple(range(count))


def _form_of_values(student: Any) -> AnswerForm:
    if hasattr(student, "classes_") or not hasattr(student, "predict"):
        raise BadInput(f"{type(student).__name__} has no predict_proba; a classifier needs it, a regressor needs predict and no classes_.")
    return AnswerForm("values", "regression")


def _columns_of(y: Any) -> int:
    shape = np.shape(y)
    return shape[1] if len(shape) == 2 else 1


def _refuse_one_hot(student: Any, answers: Floats, y: NDArray[Any]) -> None:
    """Refuse truth that looks like one class a row, of a student that does, too: counted by label it would flatter.

    A student that says itself that it answers several labels is believed.
    """
    if isinstance(student, Teacher) or _lists_labels(student) or y.dtype.kind not in "biuf" or answers.shape[1] == 1:
        return
    if all(bool((np.abs(rows.sum(axis=1) - 1.0) < 1e-3).all()) for rows in (answers, y)):
        raise ShapeError("y is one-hot and the student's rows sum to one: this is one class a row. Pass (rows,) labels as y.")


def _said(student: Any, form: AnswerForm, inputs: Any) -> Any:
    if isinstance(student, Teacher):
        return student.answer(inputs)
    if form.task == "regression":
        return student.predict(inputs)
    said = student.predict_proba(inputs)
    return _on(said, student.classes_) if isinstance(said, list) and _lists_labels(student) else said


def _on(said: list[Any], classes: list[Any]) -> Floats:
    """scikit-learn's forests answer several labels with a list, (rows, classes) for each: what they give to "on".

    Raises:
        LabelMismatch: a label that is more than on or off. ShapeError: other answers than `classes` tells of.
    """
    shapes, wanted = [array_of(one, "the student's answers").shape[1:] for one in said], [(len(known),) for known in classes]
    if shapes != wanted:
        raise ShapeError(f"the student answers {len(said)} labels with columns {shapes}; its classes_ tell of {len(classes)}, {wanted}.")
    columns = []
    for one, known in zip(said, classes, strict=True):
        if not set(np.asarray(known).tolist()) <= {0, 1}:
            raise LabelMismatch(f"a label has the classes {shown(tuple(np.asarray(known).tolist()))}; expected 0 and 1, off and on.")
        on = np.asarray(known) == 1  # a label that training never saw on has no column for it
        columns.append(one[:, on].sum(axis=1))
    return np.column_stack(columns)


def _in_order(answers: Floats, own: AnswerForm, wanted: AnswerForm) -> Floats:
    """The student's columns in the teacher's order."""
    if own.task != wanted.task and not {own.task, wanted.task} <= {"binary", "multiclass"}:
        raise LabelMismatch(
            f"the student's task is {own.task} {shown(own.classes)} and the teacher's {wanted.task} {shown(wanted.classes)}; "
            "they must decide the same thing."
        )
    if wanted.task == "regression":
        return answers
    known = own.codes(label_array(wanted.classes), unknown="mark")
    found = known >= 0
    if wanted.task == "multilabel" or len(own.classes) > found.sum():
        remedy = "Fit the student with classes=teacher.form.classes."
        return np.asarray(answers[:, columns_in_order(own.classes, wanted.classes, what="the student's classes", remedy=remedy)])
    # A student that never saw a rare class has no column for it: it gives that class no probability.
    ordered = np.zeros((len(answers), len(known)), dtype=answers.dtype)
    ordered[:, found] = answers[:, known[found]]
    return ordered
