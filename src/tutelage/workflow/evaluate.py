"""Measure one trained student on a file of rows: against its truth, and against whoever is asked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, require
from tutelage.data.row_names import data_name
from tutelage.data.table_file import TableFile
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.softlabels.folder import open_labels
from tutelage.students.saved.trained import TrainedStudent
from tutelage.workflow.open_answers import OF_A_LOG, ColumnTeacher, SourceOptions, columns_known_to, open_answers


def rows_to_measure(
    record: Mapping[str, Any], path: Path, *, truth: Sequence[str] = (), drop: Sequence[str] = (), text: str | None = None
) -> TableFile:
    """A file of test rows. What is not told is as it was for training, where the file has such columns.

    Args:
        record: what run.json says of the student.
        path: the file.
        truth: columns that hold the truth.
        drop: columns that the teacher is not shown.
        text: the column whose texts are the rows.
    """
    there = TableFile.open(path).columns
    of = record["data"]
    return TableFile.open(
        path,
        truth=truth or (of["truth"] if set(of["truth"]) <= set(there) else ()),
        drop=drop or [name for name in of["drop"] if name in there],
        text=text or of["text"],
    )


def open_answer_source(file: TableFile, *, labels: Path | None, teacher: str | None, options: SourceOptions) -> Teacher | None:
    """The teacher or the recording to be faithful to; None for the truth alone.

    Raises:
        BadInput: both, neither and no truth, or something told of no teacher; and as `open_answers`.
    """
    if labels is not None and teacher is not None:
        raise BadInput("fidelity is to one teacher: pass labels= or teacher=, not both.")
    if teacher is not None:
        return open_answers(teacher, file, options)
    options.refuse("classes", "kind", "task", *OF_A_LOG, of="an evaluation without a teacher")
    if labels is None and not file.truth:
        raise BadInput("there is nothing to measure the student against; pass truth=, the column that holds it, or labels= or teacher=.")
    return None if labels is None else open_labels(labels)


def measure(student: TrainedStudent, record: Mapping[str, Any], file: TableFile, asked: Teacher | None, *, seed: int = 0) -> Evaluation:
    """Every figure of `evaluate`; each of student and teacher is shown the columns that it knows.

    Args:
        student: from `open_trained`, with its record.
        record: the same.
        file: the test rows.
        asked: from `open_answer_source`.
        seed: of the bootstrap's draws.

    Raises:
        as `evaluate`.
    """
    if file.columns:
        require("pandas")  # columns are found by name
    rows = file.rows_of(file.columns)
    teacher = asked
    if asked is not None and file.columns:
        columns = columns_known_to(asked, file)
        teacher = ColumnTeacher(asked, columns, columns == (file.text,), asked.form, asked.fingerprint)
    if record["data"]["rows"] == rows.count and data_name(file.rows()) == record["data"]["data"]:
        warnings.warn("these are the rows that the student was taught on; figures on other rows will be worse.", stacklevel=2)
    size = record["file"]["size_bytes"]
    return evaluate(student, teacher, rows, file.truth_values(), seed=seed, name=record["student"], size_bytes=size)
