"""Alignment of student, teacher and truth: the same rows, and the same class in each column, or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.named_columns import columns_in_order
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, label_array, labels_of, of_classes
from tutelage.core.arrays import Floats, check_weights, is_frame
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.core.position_answers import PositionAnswers, probabilities_of
from tutelage.data.fingerprint import fingerprint
from tutelage.data.row_arrays import array_of, target_array
from tutelage.data.row_names import row_names
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.given_truth import rows_and_truth
from tutelage.data.truth.position_truth import truth_of_positions
from tutelage.evaluation.aligning.answer_forms import check_positions, declared_form
from tutelage.evaluation.aligning.own_decisions import own_decisions
from tutelage.evaluation.aligning.position_alignment import counted, same_positions
from tutelage.evaluation.metrics.agreement import Decisions
from tutelage.evaluation.metrics.top import Side, certain
from tutelage.evaluation.records import AlignedAnswers
from tutelage.teachers.inputs import copied_rows

MOST_CLASSES_DENSE = 2000
"""With more classes the ground truth is held as codes, and not as a column for each class."""


def align(student: Any, teacher: Teacher | None, X: Any, y: Any = None, weights: Any = None) -> AlignedAnswers:
    """Query student and teacher on every row, and put all columns in the order of the teacher's classes (else the student's).

    Args:
        student: a fitted model with `classes_` and `predict_proba`, or with `predict` for values; or a Teacher, such as an
            exported file.
        teacher: a Teacher, or None.
        X: rows, as `as_rows` accepts them.
        y: (rows,) classes; (rows, labels) of 0 and 1 for multilabel, with columns named after the classes or in their order;
            (rows,) or (rows, outputs) values for regression; with positions the classes of each row, where -100 does not count. None
            if the truth is not known, or is in X as `labels`.
        weights: (rows,) weights of the rows, at least 0; None if all weigh the same.

    Raises:
        LabelMismatch: student and teacher have different classes, y has unknown classes, or the number of answers is not
            the number of rows. BadInput: neither a teacher nor y, or a student without the necessary methods.
            ShapeError: y or answers with rows of unequal length, or another number of weights.
    """
    declared = declared_form(student, teacher)
    rows, y = rows_and_truth(X, y, declared if teacher is None else teacher.form)
    if teacher is None and y is None:
        raise BadInput("there is nothing to measure the student against; pass a teacher, or y, or both.")
    inputs = rows.part(0, rows.count)
    if declared is None or declared.positions is None:
        y = y if y is None or is_frame(y) else target_array(y)
    form = student_form(student, teacher, y) if declared is None else declared
    check_positions(student, form, teacher)
    outputs = student_outputs(student, form, inputs)
    answers = probabilities_of(form, checked_answers(form, outputs, inputs, rows.count, "the student's answers"))
    if isinstance(answers, PositionAnswers):
        return _with_positions(form, teacher, answers, inputs, y, weights)
    return _one_per_row(student, form, teacher, answers, inputs, y, weights)


def _answers_of(teacher: Teacher, inputs: Any, rows: int) -> Any:
    """The teacher's answers as probabilities, or values; it is asked last, as its answers may cost."""
    return probabilities_of(teacher.form, checked_answers(teacher.form, teacher.answer(inputs), inputs, rows))


def _one_per_row(
    student: Any, form: AnswerForm, teacher: Teacher | None, answers: Any, inputs: Any, y: Any, weights: Any
) -> AlignedAnswers:
    """Answers to rows, in the order of the teacher's classes."""
    weights = check_weights(weights, len(answers))
    if teacher is None and form.task == "multilabel" and not isinstance(answers, TopAnswers):
        _refuse_one_hot(student, answers, np.asarray(y))
    decided = None if isinstance(answers, TopAnswers) else own_decisions(student, as_taken(student, inputs), answers, form)
    of_teacher = teacher_decided = None
    target = form
    if teacher is not None:
        target = teacher.form
        answers = in_order_of(answers, form, target)
        decided = None if decided is None else decisions_in_order(decided, form, target)
        of_teacher = _answers_of(teacher, inputs, len(answers))
        if not isinstance(of_teacher, TopAnswers):
            teacher_decided = own_decisions(teacher, inputs, of_teacher, target)
            _check_columns(answers, of_teacher)
    compact = isinstance(answers, TopAnswers) or isinstance(of_teacher, TopAnswers) or len(target.classes) > MOST_CLASSES_DENSE
    truth: Side | None = None
    if y is not None and compact:
        truth = certain(target.codes(y, len(answers)), len(target.classes))
    elif y is not None:
        truth = target.truth_as_answers(y, len(answers))
        if np.shape(truth) != np.shape(answers):
            raise ShapeError(f"y has shape {np.shape(y)}; expected {np.shape(answers)}, the shape of the answers.")
    return AlignedAnswers(
        form.task,
        target.classes,
        answers,
        of_teacher,
        truth,
        fingerprint(row_names(inputs)),
        student_decisions=decided,
        teacher_decisions=teacher_decided,
        weights=weights,
    )


def _with_positions(
    form: AnswerForm, teacher: Teacher | None, answers: PositionAnswers, inputs: Any, y: Any, weights: Any
) -> AlignedAnswers:
    """Answers to positions, without those that do not count, in the order of the teacher's classes."""
    target = form if teacher is None else teacher.form
    answers = answers.with_values(in_order_of(answers.values, form, target))
    codes = None if y is None else truth_of_positions(y, target, inputs, answers.shapes).values
    weighed, of_teacher = check_weights(weights, len(answers)), None
    if teacher is not None:
        of_teacher = _answers_of(teacher, inputs, len(answers))
        same_positions(answers, of_teacher)
        if not isinstance(answers.values, TopAnswers) and not isinstance(of_teacher.values, TopAnswers):
            _check_columns(answers.values, of_teacher.values)
    found = counted(answers, of_teacher, codes)
    if weighed is not None:
        weighed = check_weights(weighed[found.rows], len(found.rows))
    return AlignedAnswers(
        form.task,
        target.classes,
        found.student,
        found.teacher,
        None if found.codes is None else certain(found.codes, len(target.classes)),
        fingerprint(row_names(inputs)),
        weights=weighed,
        positions=form.positions,
        row_of=found.row_of,
        ignored=found.ignored,
    )


def _check_columns(answers: Side, of_teacher: Side) -> None:
    found, expected = (each.columns if isinstance(each, TopAnswers) else each.shape[1] for each in (answers, of_teacher))
    if found != expected:
        raise ShapeError(
            f"the student returns {found} values per row and the teacher {expected}; "
            "expected the same number. Train the student on all of the teacher's outputs."
        )


def student_form(student: Any, teacher: Teacher | None = None, y: Any = None) -> AnswerForm:
    """The form of a student's answers: the one it declares as `form`, or the one implied by its `classes_`.

    Exclusive classes and multilabel outputs cannot be distinguished by their shape. The student is multilabel if the teacher
    is; without a teacher, if y has several columns or `classes_` is a list of arrays, as in scikit-learn.

    Raises:
        BadInput: the student has neither predict_proba nor predict, or has predict_proba without `classes_`.
    """
    if isinstance(student, Teacher):
        return student.form
    own = getattr(student, "form", None)
    if isinstance(own, AnswerForm):  # a student of torch, which has the methods of classifiers and of regressors
        return own.as_kind("values" if own.task == "regression" else "probabilities")
    if not hasattr(student, "predict_proba"):
        return _form_of_values(student)
    if not hasattr(student, "classes_"):
        raise BadInput(f"{type(student).__name__} has no classes_; fit it first, or set classes_ to the class of each column, in order.")
    is_multilabel = _lists_labels(student) or _columns_of(y) > 1 if teacher is None else teacher.form.task == "multilabel"
    if is_multilabel:
        return AnswerForm("probabilities", "multilabel", _label_names(student, teacher, y))
    return of_classes("probabilities", student.classes_)


def _lists_labels(student: Any) -> bool:
    """Whether `classes_` is a list of arrays, as in scikit-learn's multi-output classifiers."""
    return isinstance(student.classes_, list) and all(np.ndim(one) == 1 for one in student.classes_)


def _label_names(student: Any, teacher: Teacher | None, y: Any) -> tuple[Any, ...]:
    """Label names of a multilabel student.

    A list of arrays has none, nor have the states 0 and 1 of every label, as XGBoost's multilabel classifier lists them: then
    they are the teacher's if as many, else 0, 1, ...
    """
    count = len(student.classes_)
    if not _lists_labels(student):
        names, expected = labels_of(student.classes_), _columns_of(y) if teacher is None else len(teacher.form.classes)
        if names != (0, 1) or expected == 2:
            return names
        count = expected
    return teacher.form.classes if teacher is not None and len(teacher.form.classes) == count else tuple(range(count))


def _form_of_values(student: Any) -> AnswerForm:
    if hasattr(student, "classes_") or not hasattr(student, "predict"):
        raise BadInput(f"{type(student).__name__} has no predict_proba; a classifier needs it, a regressor needs predict and no classes_.")
    return AnswerForm("values", "regression")


def _columns_of(y: Any) -> int:
    shape = np.shape(y)
    return shape[1] if len(shape) == 2 else 1


def _refuse_one_hot(student: Any, answers: Floats, y: NDArray[Any]) -> None:
    """Refuse truth that looks like one class per row for a student that does too: counting it by label would inflate the accuracy.

    A student that is declared multilabel is accepted.
    """
    declares = isinstance(student, Teacher) or isinstance(getattr(student, "form", None), AnswerForm)
    if declares or _lists_labels(student) or y.dtype.kind not in "biuf" or answers.shape[1] == 1:
        return
    if all(bool((np.abs(rows.sum(axis=1) - 1.0) < 1e-3).all()) for rows in (answers, y)):
        raise ShapeError("y is one-hot and the student's rows sum to one, so this is one class per row. Pass y as (rows,) class names.")


def student_outputs(student: Any, form: AnswerForm, inputs: Any) -> Any:
    """What a student returns for rows, with a column for each class of its form; `checked` checks it."""
    if isinstance(student, Teacher):
        return student.answer(inputs)
    inputs = copied_rows(as_taken(student, inputs))  # a pipeline with copy=False scales them in place
    if form.task == "regression":
        return student.predict(inputs)
    outputs = student.predict_proba(inputs)
    return _probabilities_of_on(outputs, student.classes_) if isinstance(outputs, list) and _lists_labels(student) else outputs


def as_taken(student: Any, inputs: Any) -> Any:
    """Rows as a student takes them: several inputs as a mapping or a tuple of arrays, unless the student declares its answers."""
    return inputs.plain() if isinstance(inputs, StructuredRows) and not isinstance(getattr(student, "form", None), AnswerForm) else inputs


def _probabilities_of_on(outputs: list[Any], classes: list[Any]) -> Floats:
    """Probability of "on" for each label, from the list of (rows, classes) arrays that scikit-learn's forests return.

    Raises:
        LabelMismatch: a label with other classes than 0 and 1. ShapeError: the arrays do not match `classes`.
    """
    shapes, expected = [array_of(one, "the student's answers").shape[1:] for one in outputs], [(len(known),) for known in classes]
    if shapes != expected:
        raise ShapeError(
            f"the student returns probabilities for {len(outputs)} labels with columns {shapes}, but its classes_ describe "
            f"{len(classes)} labels with columns {expected}; predict_proba and classes_ must match."
        )
    columns = []
    for one, known in zip(outputs, classes, strict=True):
        if not set(np.asarray(known).tolist()) <= {0, 1}:
            raise LabelMismatch(f"a label has the classes {list_classes(tuple(np.asarray(known).tolist()))}; expected 0 and 1, off and on.")
        on = np.asarray(known) == 1  # a label that was always off in training has no column for "on"
        columns.append(one[:, on].sum(axis=1))
    return np.column_stack(columns)


def in_order_of(answers: Any, form: AnswerForm, target: AnswerForm) -> Any:
    """The student's columns, or the classes of its `TopAnswers`, in the teacher's order."""
    if form.task != target.task and not {form.task, target.task} <= {"binary", "multiclass"}:
        raise LabelMismatch(
            f"the student's task is {form.task} {list_classes(form.classes)} and the teacher's is {target.task} "
            f"{list_classes(target.classes)}; "
            "expected the same task. Evaluate against a teacher of the student's task."
        )
    if target.task == "regression" or form.classes == target.classes:
        return answers
    known = form.codes(label_array(target.classes), unknown="mark")
    found = known >= 0
    if target.task == "multilabel" or len(form.classes) > found.sum():
        remedy = "Fit the student with classes=teacher.form.classes."
        known = np.array(columns_in_order(form.classes, target.classes, what="the student's classes", remedy=remedy))
        found = np.ones(len(known), dtype=bool)
    if isinstance(answers, TopAnswers):
        place = np.zeros(len(form.classes), np.int64)
        place[known[found]] = np.flatnonzero(found)
        return replace(answers, ids=place[answers.ids.astype(np.intp)].astype(np.uint32), columns=len(known))
    if found.all():
        return np.asarray(answers[:, known])
    # A student trained without a rare class has no column for it: its probability of that class is zero.
    ordered = np.zeros((len(answers), len(known)), dtype=answers.dtype)
    ordered[:, found] = answers[:, known[found]]
    return ordered


def decisions_in_order(decided: Decisions, form: AnswerForm, target: AnswerForm) -> Decisions:
    """The student's own decisions as the teacher's columns."""
    if form.task == "multilabel":
        return np.asarray(in_order_of(decided.astype(np.float64), form, target), dtype=np.intp)
    return target.codes(label_array(form.classes))[decided]
