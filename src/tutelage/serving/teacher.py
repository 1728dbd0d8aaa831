"""The teacher beside a student, for the rows that the student leaves to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm, label_array, of_classes
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, one_line
from tutelage.data.schema import listed
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.aligning.alignment import decisions_in_order, in_order_of
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions
from tutelage.exporters.subject.subject import Subject
from tutelage.serving.model import Answered, ServedFile
from tutelage.serving.row_format import Layout, ServedRows
from tutelage.teachers.decisions import decided_by

_CONTAINERS: dict[Layout, str] = {"named": "frame", "listed": "array", "text": "list", "array": "array"}


class TeacherBeside:
    """Answers rows as the teacher does, in the order of the student's classes, and decides as it did where the threshold was found.

    Args:
        teacher: from `open_teacher` or `as_teacher`.
        served: the file of the student.

    Attributes:
        form: of all answers: the classes of the student, and behind them those that it never saw and the teacher knows.

    Raises:
        BadInput: the file defers no rows, or the threshold was found with another teacher. LabelMismatch: a teacher of another task, or
            one that lacks a class of the student.
    """

    def __init__(self, teacher: Teacher, served: ServedFile) -> None:
        if served.guarantee is None:
            raise BadInput(f"{served.path} leaves no rows to a teacher: it has no threshold. Leave the teacher out, or export a cascade.")
        expected = served.guarantee["teacher"]
        if teacher.fingerprint != expected:
            raise BadInput(
                f"the threshold of {served.path} was found with the teacher {expected}, and the given one is {teacher.fingerprint}: what "
                "was proven does not hold for it. Pass that teacher, or calibrate again."
            )
        if served.rows_as.layout == "listed" and "text" in served.rows_as.kinds:
            raise BadInput(f"{served.path} has columns of texts without names, which no teacher can be given. Train on columns with names.")
        self.teacher = teacher
        in_order_of(np.zeros((1, len(served.form.classes))), served.form, teacher.form)
        self._served, self.form = served, _of_both(served.form, teacher.form)
        self._by_its_own_rule = bool(served.guarantee["own_decisions"])

    def try_on(self, example: ServedRows) -> None:
        """Let the teacher answer a made row.

        Raises:
            BadInput: it reads a column that the file does not take, or fails, by whatever it raises.
        """
        names = self._served.rows_as.names
        schema = getattr(self.teacher, "schema", None)
        lacking = [] if schema is None else [one.name for one in schema.columns if one.name is not None and one.name not in names]
        if lacking and self._served.rows_as.layout == "named":
            raise BadInput(
                f"the teacher reads the column {lacking[0]!r}, which {self._served.path} does not take: its rows are {listed(names)}. "
                "Serve without the teacher, or distil a student of all columns that the teacher reads."
            )
        try:
            self.answer(example)
        except BaseException as error:  # the code of a teacher raises anything, in a thread that no Ctrl-C reaches
            why = error if isinstance(error, BadInput) else f"{type(error).__name__}: {one_line(error)}"
            of = "inputs" if self._served.rows_as.arrays else "columns"
            raise BadInput(f"the teacher does not answer a made row of the {of} of {self._served.path} ({why}).") from error

    def answer(self, rows: ServedRows) -> Answered:
        """The answers to rows.

        Raises:
            BadInput: rows that the teacher does not take.
        """
        form = self.teacher.form
        inputs = self._given(rows)
        answers = form.probabilities(form.check(self.teacher.answer(inputs), len(rows)))
        found = in_order_of(answers, form, self.form)
        task = self.form.task
        if not self._by_its_own_rule:
            return Answered.of(found, confidence_of(found, task))
        own = decided_by(self.teacher, "decide", inputs, len(rows), form)
        decided = decisions(as_distributions(found, task)) if own is None else decisions_in_order(own, form, self.form)
        return replace(Answered.of(found, _probability_of(decided, found, task)), decided=decided)

    def _given(self, rows: ServedRows) -> Any:
        """The rows as student and teacher were given them where the threshold was found; several inputs by name, or in a tuple."""
        rows_as = self._served.rows_as
        if not isinstance(rows, StructuredRows):
            return Subject(None, self._served.form, rows_as.inputs, rows_as.shape, _CONTAINERS[rows_as.layout]).given(rows)
        if self._served.named:
            return rows
        return StructuredRows({str(place): field for place, field in enumerate(rows.fields.values())}, named=False)


def _of_both(student: AnswerForm, teacher: AnswerForm) -> AnswerForm:
    """The form of the student's answers with the classes that only the teacher knows behind its own."""
    codes = student.codes(label_array(teacher.classes), unknown="mark") if teacher.task != "multilabel" else ()
    further = [label for label, code in zip(teacher.classes, codes, strict=False) if code < 0]
    return of_classes("probabilities", (*student.classes, *further)) if further else student


def _probability_of(decided: Decisions, probabilities: Floats, task: str) -> Floats:
    """(rows,) the probability of each decision; of several labels, that of the least certain one."""
    if task == "multilabel":
        return np.asarray(np.where(decided == 1, probabilities, 1 - probabilities).min(axis=1))
    return probabilities[np.arange(len(decided)), decided]
