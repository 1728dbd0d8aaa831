"""Evaluate one trained student on a file of rows, against the truth and against a teacher or a recording."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, require
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.row_arrays import missing_truth, target_array
from tutelage.data.row_names import data_name, row_names
from tutelage.data.rows import Rows
from tutelage.data.schema import Schema
from tutelage.data.table_file import TableFile
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.softlabels.folder import open_labels
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.saved.trained_folder import SPLIT, class_weights_of_run
from tutelage.workflow.ground_truth import check_labels, in_label_order
from tutelage.workflow.open_answers import (
    OF_A_CHAT,
    OF_A_LOG,
    ColumnTeacher,
    SourceOptions,
    columns_known_to,
    in_columns_of,
    open_answers,
)
from tutelage.workflow.predict import answer_columns

DEVELOPMENT, VALIDATION, CALIBRATION, POOL = "development", "validation", "calibration", "pool"
"""The parts of the rows that students are trained and chosen on, and that the teacher labels for some."""


def rows_to_measure(
    record: Mapping[str, Any],
    path: AnyPath | Sequence[AnyPath],
    *,
    truth: Sequence[str] = (),
    drop: Sequence[str] = (),
    text: str | None = None,
    weight: str | None = None,
    dtype: Mapping[str, str] | None = None,
    inputs: Sequence[str] = (),
) -> TableFile:
    """Open a table of test rows. Options not given default to those used in training, for columns that the table has.

    The columns that the student reads are read as the types that they had in training, and the truth with its classes known.

    Args:
        record: the contents of the student's run.json.
        path: the file, a folder, a pattern, or several of these.
        truth: columns that hold the truth.
        drop: columns that are not features.
        text: the column whose texts are the rows.
        weight: the column of the weights of the rows in the figures; weights of training are not used here.
        dtype: the type of some columns.
        inputs: the inputs of rows of several, those that the student was trained on by default.

    Raises:
        BadInput: a column that the student reads holds values of another type than in training; inputs or texts for a student of other
            rows, or other ones; a table, for a student of pictures; and as `TableFile.open`. LabelMismatch: as `TableFile.with_truth_of`.
    """
    trained_on = record["data"]
    table = None if trained_on["table"] is None else Schema.from_json(trained_on["table"])
    file = TableFile.open(path, truth=truth, drop=drop, text=text, weight=weight, dtype=dtype).matching(table)
    expected = tuple(trained_on.get("inputs") or ())
    if inputs and not expected:
        raise BadInput(f"inputs= names {', '.join(inputs)}, and the student reads columns, texts or arrays; leave it out.")
    if inputs and set(inputs) != set(expected):
        raise BadInput(f"inputs= names {', '.join(inputs)}, and the student reads {', '.join(expected)}; name these, or leave it out.")
    learnt = trained_on["text"]
    if text not in (None, learnt):
        instead = "columns or arrays; leave it out" if learnt is None else f"the texts of a column {learnt!r}; give the column that name"
        raise BadInput(f"text= names {text!r}, and the student reads {instead}.")
    shape = trained_on.get("row_shape")
    if shape and file.columns:
        raise BadInput(
            f"{file.path} is a table, and the student was trained on rows of {' x '.join(map(str, shape))} numbers; expected a .npy file "
            "of such rows, or a .npz file with them as X."
        )
    found = file.with_roles(
        truth=truth or (trained_on["truth"] if set(trained_on["truth"]) <= set(file.names) else ()),
        drop=drop or [name for name in (*trained_on["drop"], trained_on["weight"]) if name in file.names and name != weight],
        text=text or trained_on["text"],
        weight=weight,
        inputs=expected,
    )
    named = trained_on["truth"] if len(truth) > 1 and record["task"] == "regression" else ()
    return found.matching(None, record.get("classes") or ()).with_truth_of(named, "values")


def open_answer_source(file: TableFile, *, labels: AnyPath | None, teacher: str | None, options: SourceOptions) -> Teacher | None:
    """The teacher or recording against which fidelity is measured; None to measure against the truth only.

    Raises:
        BadInput: both are given, or neither and no truth, or options of a teacher without a teacher; and as `open_answers`.
    """
    if labels is not None and teacher is not None:
        raise BadInput("fidelity is measured against one teacher: pass labels= or teacher=, not both.")
    if teacher is not None:
        return open_answers(teacher, file, options)
    options.refuse("trust", "classes", "kind", "task", "teacher_version", *OF_A_LOG, *OF_A_CHAT, of="an evaluation without a teacher")
    if labels is None and not file.truth:
        raise BadInput(
            "there is nothing to measure the student against; pass truth=, the column of the ground truth, or labels= or teacher=."
        )
    return None if labels is None else open_labels(labels)


def rows_trained_on(record: Mapping[str, Any], rows: Rows, folder: Path | None = None) -> int:
    """How many of some rows a student was trained on, or chosen by, as far as its folder says.

    Args:
        record: from `open_trained`.
        rows: as the student reads them.
        folder: of the student; a distillation stores there which rows were for what.
    """
    if folder is not None and (folder / SPLIT).is_file():
        return _rows_of_parts(folder, record["trained_on"], rows)
    same = record["data"]["rows"] == rows.count and data_name(rows) == record["data"]["data"]
    return rows.count if same else 0


def _rows_of_parts(folder: Path, parts: Sequence[str], rows: Rows) -> int:
    """How many of some rows equal one of these parts of the rows of a distillation."""
    table = pq.read_table(folder / SPLIT, columns=["part", "name"])
    known = table.column("name").to_numpy()[np.isin(table.column("part").to_numpy().astype(str), parts)]
    return int(np.isin(row_names(rows.part(0, rows.count)), known).sum())


def warn_of_calibration_rows(record: Mapping[str, Any], rows: Rows, folder: Path | None) -> None:
    """Warn of rows on which the threshold of a cascade was calibrated.

    Args:
        record: from `open_trained`.
        rows: as the student reads them.
        folder: of the student; a distillation stores there which rows were for what.

    Warns:
        UserWarning: there are some.
    """
    if folder is None or record.get("cascade") is None or not (folder / SPLIT).is_file():
        return
    known = _rows_of_parts(folder, [CALIBRATION], rows)
    if known:
        warnings.warn(
            f"{known:,} of these rows are among those that calibrated the threshold of {folder}, below which rows are left to the teacher: "
            "how often the student defers here, and is right where it does not, is no independent check of the rate that is guaranteed.",
            stacklevel=3,
        )


def places_with_truth(file: TableFile, classes: Sequence[Any]) -> NDArray[np.intp] | None:
    """Places of the rows of a file that come with the ground truth; None if all do, or none is named.

    Args:
        file: the rows.
        classes: of the student.

    Raises:
        BadInput: no row has one.
    """
    truth = file.truth_values(gaps=True)
    if truth is None:
        return None
    gaps = missing_truth(truth, classes)
    if gaps.all():
        raise BadInput(f"{file.path} holds no ground truth in {', '.join(map(repr, file.truth))}; pass rows that have it, or leave it out.")
    return np.flatnonzero(~gaps) if gaps.any() else None


def some_rows(rows: Rows, places: NDArray[np.intp] | None) -> Rows:
    """The rows at these places, or all."""
    return rows if places is None else rows.take(places)


def some_truth(file: TableFile, places: NDArray[np.intp] | None) -> NDArray[Any] | None:
    """The ground truth of the rows at these places, or of all; None if none is named.

    Warns:
        UserWarning: some rows are left out.
    """
    if places is None:
        return file.truth_values()
    truth = file.truth_values(gaps=True)
    if truth is None:
        return None
    note = "".join(map(file.gaps_note, file.truth))
    warnings.warn(f"{len(truth) - len(places):,} of {len(truth):,} rows come without ground truth and are left out.{note}", stacklevel=3)
    return target_array(truth[places].tolist()) if truth.dtype.kind == "O" else truth[places]


def warn_of_class_weights(record: Mapping[str, Any], folder: Path | None = None) -> None:
    """Warn that a student was trained with weights of classes, which figures on other rows do not know.

    Args:
        record: what its run.json says.
        folder: of the student, where there are several.
    """
    weights = class_weights_of_run(record)
    if weights:
        which = "the student" if folder is None else f"the student of {folder}"
        warnings.warn(
            f"{which} was trained with weights of classes ({weights}), and its probabilities are multiplied by them; these figures count "
            "all classes alike, and the teacher's answers are as they are.",
            stacklevel=3,
        )


def measure(
    student: TrainedStudent,
    record: Mapping[str, Any],
    file: TableFile,
    source: Teacher | None,
    *,
    seed: int = 0,
    folder: Path | None = None,
) -> Evaluation:
    """Run `evaluate`, passing to student and teacher the columns that each of them knows.

    Args:
        student: from `open_trained`.
        record: from `open_trained`.
        file: the test rows.
        source: from `open_answer_source`.
        seed: seed of the bootstrap's draws.
        folder: of the student, where it says which rows it was trained on.

    Raises:
        as `evaluate`.

    Warns:
        UserWarning: some of the rows trained the student or calibrated its threshold; its classes had weights; rows without ground truth
            are left out.
    """
    if file.columns:
        require("pandas")  # columns are found by name
    form = student.form if source is None else source.form
    file = in_label_order(form, in_columns_of(source, file))
    check_labels(form, file)
    if file.inputs and student.inputs is None:
        raise BadInput(
            f"the teacher takes the inputs {', '.join(file.inputs)}, and the student reads other columns of the same rows; measure them in "
            "Python, where each is given its own: tl.evaluate(student, tl.record(teacher, inputs).paired_with(rows), rows)."
        )
    places = places_with_truth(file, student.labels)
    teacher, rows = rows_with_teacher((student,), source, file)
    rows, truth = some_rows(rows, places), some_truth(file, places)
    if not file.columns or file.inputs:
        student.check_scale(rows.part(0, rows.count), str(file.path))
    read = student.columns if set(student.columns) <= set(file.columns) else ()
    as_read = some_rows(file.rows_of(read or file.features), places)
    known = rows_trained_on(record, as_read, folder)
    if known:
        which = "these are the rows" if known == rows.count else f"{known:,} of these rows are among those"
        chosen = " or chosen" if VALIDATION in record.get("trained_on", ()) else ""
        warnings.warn(f"{which} on which the student was trained{chosen}; figures on other rows will be worse.", stacklevel=2)
    warn_of_calibration_rows(record, as_read, folder)
    warn_of_class_weights(record)
    size = record["file"]["size_bytes"]
    weights = file.weights()
    if weights is not None and places is not None:
        weights = weights[places]
    return evaluate(student, teacher, rows, truth, seed=seed, name=record["student"], size_bytes=size, sample_weight=weights)


def rows_with_teacher(students: Sequence[TrainedStudent], teacher: Teacher | None, file: TableFile) -> tuple[Teacher | None, Rows]:
    """A teacher that is passed the columns that it knows, and the rows with these and those of some students, and with no other columns.

    Raises:
        as `columns_known_to`.
    """
    if not file.columns or file.inputs:
        return teacher, file.rows()
    known = () if teacher is None else columns_known_to(teacher, file)
    read = {*known, *(name for student in students for name in student.columns or file.features)}
    if teacher is not None:
        teacher = ColumnTeacher(teacher, known, known == (file.text,), teacher.form, teacher.fingerprint)
    return teacher, file.rows_of(tuple(name for name in file.columns if name in read) or file.features)


def row_table(evaluation: Evaluation, outputs: Sequence[str] = (), *, places: NDArray[np.intp] | None = None) -> pa.Table:
    """The answers of an evaluation row by row: the number of the row, truth, student and teacher, each as decisions and probabilities.

    Args:
        evaluation: from `measure`.
        outputs: names of several values, in order.
        places: numbers of the rows that were measured, from `places_with_truth`.
    """
    answers = evaluation.row_answers()
    if answers.positions is not None:
        raise BadInput(f"a table has one row of answers for each row of the data, and this student answers {answers.positions}.")
    found: dict[str, Any] = {"row": np.arange(evaluation.rows) if places is None else places}
    sides: dict[Literal["truth", "student", "teacher"], Any]
    sides = {"truth": answers.truth, "student": answers.student, "teacher": answers.teacher}
    for side, values in sides.items():
        if values is not None:
            decided = None if answers.task == "regression" else answers.decided(side)
            of = answer_columns(
                answers.task, answers.classes, values, outputs, decided=decided, probabilities=side != "truth", prefix=f"{side}_"
            )
            found |= {"truth" if name == "truth_prediction" else name: column for name, column in of.items()}
    return pa.table(found)
