"""Get the answers of a teacher, or of recorded soft labels, for all rows."""

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
"""Rows that a teacher is queried with at a time: bounds the memory that computing its answers takes."""


def query(teacher: Teacher, X: Any) -> Floats:
    """(rows, columns) float64 answers to all rows, queried in parts.

    Recorded answers are queried with all rows at once: only then can equal rows with different answers be distinguished, by
    their position.
    """
    rows = as_rows(X)
    size = rows.count if isinstance(teacher, SoftLabels) else QUERY_ROWS
    parts = [teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in rows.parts(size)]
    return np.concatenate(parts).astype(np.float64, copy=False)


def is_answer_source(y: Any) -> bool:
    """Whether `y` is a source of answers (soft labels, a Teacher or a fitted model) and not an array of labels or probabilities."""
    return callable(getattr(y, "answer", None)) or callable(getattr(y, "predict_proba", None)) or callable(getattr(y, "forward", None))


def class_probabilities(source: Any, X: Any, *, task: str) -> tuple[Floats, tuple[Any, ...]]:
    """The answers of a source for these rows, as targets of a classifier.

    Args:
        source: soft labels, a Teacher, or a model that `as_teacher` accepts.
        X: (rows, features); for soft labels the rows that were recorded.
        task: "classes" for a student with one class per row, or "labels" for a multilabel student.

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
    """Check that no class names were passed together with a source of answers, which defines them.

    Raises:
        BadInput: class names were passed.
    """
    if classes is not None:
        raise BadInput("soft labels and teachers name their classes themselves; leave classes= out.")
