"""The answers of a teacher, or of recorded soft labels, to every row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.rows import as_rows
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.adapt import as_teacher

QUERY_ROWS = 10_000
"""Rows of one query: bounds the memory that a teacher needs while it answers."""


def query(teacher: Teacher, X: Any) -> Floats:
    """(rows, columns) float64 answers to every row, queried in parts.

    Recorded answers are looked up all at once: then equal rows with different answers are told apart by their place.
    """
    rows = as_rows(X)
    size = rows.count if isinstance(teacher, SoftLabels) else QUERY_ROWS
    parts = [teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in rows.parts(size)]
    return np.concatenate(parts).astype(np.float64, copy=False)


def is_answer_source(y: Any) -> bool:
    """Whether this answers rows - soft labels, a Teacher or a fitted model - and is not an array of labels or probabilities."""
    return callable(getattr(y, "answer", None)) or callable(getattr(y, "predict_proba", None)) or callable(getattr(y, "forward", None))


def class_probabilities(source: Any, X: Any, *, task: str) -> tuple[Floats, tuple[Any, ...]]:
    """What a source of answers gives for rows, as targets of a classifier.

    Args:
        source: soft labels, a Teacher, or whatever `as_teacher` takes.
        X: (rows, features), as they were recorded.
        task: "classes" for one class a row, or "labels" for a multilabel student.

    Returns:
        (rows, classes) float64 probabilities at temperature 1, and the class names.

    Raises:
        LabelMismatch: rows that were not recorded, or a teacher of another task.
    """
    teacher = as_teacher(source)
    found = teacher.form.task
    if (found == "multilabel") != (task == "labels") or found == "regression":
        expected = "a multilabel teacher" if task == "labels" else "one class a row; for multilabel answers wrap the student in PerLabel"
        raise LabelMismatch(f"the answers are {found}; this student learns from {expected}.")
    return teacher.form.probabilities(query(teacher, X)), teacher.form.classes


def refuse_classes(classes: Any) -> None:
    """Refuse class names beside a source of answers, which has its own.

    Raises:
        BadInput: there are some.
    """
    if classes is not None:
        raise BadInput("soft labels and teachers name their classes themselves; leave classes= out.")
