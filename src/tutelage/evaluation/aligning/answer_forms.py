"""Whether a student answers rows, tokens or pixels, and that its teacher answers the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch


def declared_form(student: Any, teacher: Teacher | None) -> AnswerForm | None:
    """The form of a student's answers to positions; None for a student that gives one answer per row.

    A student that is not a Teacher returns probabilities. If it does not say whether it answers positions, it does as its teacher.
    """
    if isinstance(student, Teacher):
        return student.form
    own = getattr(student, "form", None)
    if isinstance(own, AnswerForm):
        return None if own.positions is None else own.as_kind("values" if own.task == "regression" else "probabilities")
    if teacher is None or teacher.form.positions is None or not hasattr(student, "classes_") or not hasattr(student, "predict_proba"):
        return None
    return replace(of_classes("probabilities", student.classes_), positions=teacher.form.positions)


def check_positions(student: Any, form: AnswerForm, teacher: Teacher | None) -> None:
    """Check that student and teacher answer the same: rows, tokens or pixels.

    Raises:
        LabelMismatch: they do not. BadInput: a student that predicts values of positions, and is not a Teacher.
    """
    if teacher is not None and form.positions != teacher.form.positions:
        raise LabelMismatch(
            f"the student answers {form.positions or 'rows'} and the teacher {teacher.form.positions or 'rows'}; expected answers to the "
            "same. Evaluate against a teacher of the student's task."
        )
    if form.positions is not None and form.task == "regression" and not isinstance(student, Teacher):
        raise BadInput(
            f"{type(student).__name__} predicts values of {form.positions}; pass its network as a teacher, "
            f"as_teacher(network, task='regression', positions={form.positions!r})."
        )
