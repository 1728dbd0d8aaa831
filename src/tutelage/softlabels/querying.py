"""Get the answers of a teacher, or of recorded soft labels, for all rows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, TutelageError
from tutelage.core.position_answers import AXES, Answers
from tutelage.data.rows import Rows, as_rows
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.given_truth import by_position
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.teachers.adapt import as_teacher

ANSWER_BYTES = 2**24
"""Bytes that the answers to the rows of one query may take: a teacher is queried with fewer rows if it has many classes or positions."""
POSITIONS_ASSUMED = 1024
"""Positions of a row, where its inputs do not tell their number."""
TARGET_BYTES = 2**31
"""Bytes that the answers to all rows may take in double precision, for a student or a figure that needs them at once."""
QUERY_ROWS = 10_000
"""Rows that a teacher is queried with at a time: bounds the memory that computing its answers takes."""


def query_parts(rows: Any, form: AnswerForm, size: int = SHARD_ROWS) -> Iterator[tuple[int, int, Any]]:
    """The parts in which a teacher is queried with rows: `size` rows, or fewer if their answers would take more than `ANSWER_BYTES`.

    The parts depend on the rows and the form alone, so that a teacher that is queried again gives the same answers to the last bit.

    Args:
        rows: as `as_rows` takes them.
        form: the form of the answers.
        size: the largest number of rows.

    Yields:
        (start, stop, rows).
    """
    all_rows = as_rows(rows, by_position=by_position(form))
    for start, stop, part in all_rows.parts(size):
        most = max(1, ANSWER_BYTES // answer_bytes(part, form))
        if most >= stop - start:
            yield start, stop, part
            continue
        for first, last, few in as_rows(part).parts(most):
            yield start + first, start + last, few


def answers_of_part(teacher: Teacher, part: Any, start: int, stop: int) -> Answers:
    """The answers of a teacher to some rows, after checking that they have its form.

    Args:
        teacher: that is asked.
        part: the rows from `start` to `stop`, as the teacher takes them.
        start: the number of the first of them in the data; an error that names one of these rows says it.
        stop: of the row after the last.

    Raises:
        as `checked_answers`, and whatever the teacher raises.
    """
    with counted_from(start):
        return checked_answers(teacher.form, teacher.answer(part), part, stop - start)


@contextmanager
def counted_from(start: int) -> Iterator[None]:
    """Say in errors of ours that name a row of a part which row of the data its first is; for parts of all rows of the data alone."""
    try:
        yield
    except TutelageError as error:
        said = str(error)
        if start and _NAMES_A_ROW.search(said):
            error.args = (f"{said} Row 0 of these is row {start:,} of the data.",)
        raise


_NAMES_A_ROW = re.compile(r"\brows? [0-9]")


def answer_bytes(rows: Any, form: AnswerForm) -> int:
    """The bytes of the answer to one of these rows, in single precision; with positions those of the longest row, as far as is known."""
    positions = 1
    if form.positions is not None:
        positions = _most_positions(rows, axes=AXES[form.positions])
    return 4 * max(len(form.classes), 1) * max(positions, 1)


def _most_positions(rows: Any, axes: int) -> int:
    if isinstance(rows, StructuredRows):
        whole = [_positions_in(field.shape, axes) for field in rows.fields.values() if isinstance(field, np.ndarray)]
        return max(int(rows.lengths.max(initial=0)), *whole, 0)
    return _positions_in(getattr(rows, "shape", ()), axes) or POSITIONS_ASSUMED


def _positions_in(shape: tuple[int, ...], axes: int) -> int:
    """The number of positions in rows of a shape, (rows, tokens, ...) or (rows, ..., height, width); 0 if they have none."""
    if len(shape) <= axes:
        return 0
    return shape[1] if axes == 1 else math.prod(shape[-axes:])


def query(teacher: Teacher, X: Any) -> Floats:
    """(rows, columns) float64 answers to all rows, queried in parts.

    Recorded answers are queried with all rows at once: only then can equal rows with different answers be distinguished, by
    their position.
    """
    rows = as_rows(X)
    teacher = teacher.labels if isinstance(teacher, LabelFolder) else teacher
    whole = isinstance(teacher, SoftLabels)
    check_size(rows.count, teacher.form)
    parts = rows.parts(rows.count) if whole else query_parts(rows, teacher.form, QUERY_ROWS)
    answers = [teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in parts]
    return np.concatenate(answers).astype(np.float64, copy=False)


def check_size(rows: int, form: AnswerForm) -> None:
    """Check that numbers for all rows and classes fit into memory.

    Raises:
        BadInput: they would take more than `TARGET_BYTES`.
    """
    needed = 8 * rows * max(len(form.classes), 1)
    if needed > TARGET_BYTES:
        raise BadInput(
            f"a number for each of {rows:,} rows and {len(form.classes):,} classes would take {needed / 2**30:.1f} GiB, all at once. Use "
            "TorchStudent, whose losses read the most probable classes alone (record(..., top_k=32)), or fewer rows or classes."
        )


def rows_of_a_shard(rows: Rows, teacher: Teacher) -> int:
    """Rows whose answers take at most `SHARD_BYTES`; with positions, judged by the first rows."""
    if answer_bytes(None, teacher.form.of_each_position) * SHARD_ROWS > SHARD_BYTES or teacher.form.positions is not None:
        of_a_row = answer_bytes(rows.part(0, min(rows.count, FIRST_ROWS)), teacher.form)
        return max(1, min(SHARD_ROWS, SHARD_BYTES // of_a_row))
    return SHARD_ROWS


SHARD_BYTES = 2**28
"""Bytes that the answers of a shard may take in single precision, if all classes were stored."""
FIRST_ROWS = 64
"""Rows by which the number of positions of a row is judged."""


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
    check_task(teacher.form, task)
    return teacher.form.probabilities(query(teacher, X)), teacher.form.classes


def check_task(form: AnswerForm, task: str) -> None:
    """Check that a student of this task can learn from answers of this form; see `class_probabilities`.

    Raises:
        LabelMismatch: answers of another task.
    """
    if (form.task == "multilabel") != (task == "labels") or form.task == "regression":
        expected = "a multilabel teacher" if task == "labels" else "one class a row; for multilabel answers wrap the student in PerLabel"
        raise LabelMismatch(f"the answers are {form.task}; this student learns from {expected}.")


def refuse_classes(classes: Any) -> None:
    """Check that no class names were passed together with a source of answers, which defines them.

    Raises:
        BadInput: class names were passed.
    """
    if classes is not None:
        raise BadInput("soft labels and teachers name their classes themselves; leave classes= out.")
