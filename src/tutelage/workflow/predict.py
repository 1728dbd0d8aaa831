"""Answers of a trained student to the rows of a file, part by part, as a table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tutelage.core.answer_kinds import Task
from tutelage.core.answer_values.class_names import list_classes, of_one_type
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput, require
from tutelage.core.file_systems.paths import AnyPath, suffix_of
from tutelage.core.file_systems.places import check_file_place
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.data.table_file import TableFile
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions
from tutelage.evaluation.metrics.top import Side
from tutelage.evaluation.metrics.top import decided as top_decisions
from tutelage.exporters.beside import check_exported
from tutelage.exporters.subject.threshold import deferred_rows
from tutelage.softlabels.querying import counted_from
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.saved.trained_folder import class_weights_of_run, sha256_of_student
from tutelage.teachers.files.open import open_teacher

if TYPE_CHECKING:
    from tutelage.teachers.adapters.onnx_file import OnnxTeacher

PART_ROWS = 10_000
"""Rows that are read and answered at a time."""
ENDS = (".csv", ".parquet")


Answer = Callable[[Any], tuple[Floats, Decisions | None, NDArray[np.bool_] | None]]
"""Rows -> answers; what is decided, None for the most probable classes; and (rows,) which rows are left to a teacher, None without a
threshold."""


def exported_answers(run: Path, name: Path, student: TrainedStudent) -> Answer:
    """What answers in the place of a student: its exported file.

    Args:
        run: the folder of the student.
        name: the ONNX file, in that folder or elsewhere.
        student: from `open_trained`.

    Raises:
        BadInput: no such file, one of another format, of other classes than the student's, or of another student.
        DamagedFile: it is not the file that was exported.

    Warns:
        UserWarning: nothing says of which student it is.
    """
    path = run / name if (run / name).is_file() else name
    if suffix_of(path) != ".onnx":
        raise BadInput(f"{path} ends in {path.suffix or 'nothing'}; expected an ONNX file of the student, such as student.onnx.")
    if not path.is_file():
        known = [file.name for file in run.glob("*.onnx")]
        there = f"{run} holds {', '.join(sorted(known))}" if known else f"write one with tutelage export {run} {run / 'student.onnx'}"
        raise BadInput(f"there is no file {name}, and none of this name in {run}; name an ONNX file of the student: {there}.")
    check_exported(path, sha256_of_student(run))
    exported = cast("OnnxTeacher", open_teacher(str(path)))
    if (exported.form.task, exported.form.classes) != (student.task, tuple(student.labels)):
        found, expected = (list_classes(tuple(classes)) if classes else "values" for classes in (exported.form.classes, student.labels))
        raise BadInput(f"{path} answers with {found}; expected {expected}, as the student of {run} does.")

    def answer(rows: Any) -> tuple[Floats, Decisions | None, NDArray[np.bool_] | None]:
        answers, decided, deferred = exported.answer_and_decide(rows)
        return (answers if student.task == "regression" else exported.form.probabilities(answers)), decided, deferred

    return answer


def predictions(
    student: TrainedStudent,
    record: Mapping[str, Any],
    file: TableFile,
    *,
    probabilities: bool = False,
    keep: Sequence[str] = (),
    answer: Answer | None = None,
) -> Iterator[pa.Table]:
    """The answers of a student to each row of a file, in parts; of a student with a threshold, also whether a row is left to the teacher.

    Args:
        student: from `open_trained`.
        record: from `open_trained`.
        file: the rows, from `rows_to_measure`.
        probabilities: whether the probability of each class is added.
        keep: columns of the file that are copied in front, such as an id.
        answer: what answers in its place, from `exported_answers`; the student itself by default.

    Raises:
        BadInput: a column is missing, or holds other values than in training; numbers of another scale; two columns of the same name.

    Warns:
        UserWarning: the probabilities are those of a student that was trained with weights of classes.
    """
    if file.columns:
        require("pandas")
    read = student.columns if file.columns else ()
    missing = [name for name in (*read, *keep) if name not in file.names]
    if missing:
        role = "to be copied" if missing[0] in keep else "which the student reads"
        raise BadInput(f"{file.path} has no column {missing[0]!r}, {role}; it has {', '.join(map(repr, file.names)) or 'no names'}.")
    rows = file.rows_of((student.columns or file.features) if file.text is None else file.features)
    if not file.columns or file.inputs:
        student.check_scale(rows.part(0, rows.count), str(file.path))
    kept = {name: pa.array(file.values(name)) for name in keep} if file.source is None else file.source.part(list(keep), 0, rows.count)
    weights = class_weights_of_run(record) if probabilities else ""
    if weights:
        warnings.warn(
            f"the student was trained with weights of classes ({weights}), and its probabilities are multiplied by them: they are not the "
            "frequencies of the classes.",
            stacklevel=2,
        )
    outputs = list(record["data"]["truth"])
    answer = answer or _answers_of(student, record.get("cascade"))
    for start in range(0, rows.count, PART_ROWS):
        part = rows.part(start, min(start + PART_ROWS, rows.count))
        with counted_from(start):
            answers, decided, deferred = answer(_as_trained(student, part))
        found = answer_columns(student.task, student.labels, answers, outputs, decided=decided, probabilities=probabilities)
        if deferred is not None:
            found["deferred"] = deferred
        first: dict[str, Any] = {name: kept[name].slice(start, len(part)) for name in keep}
        twice = sorted(set(first) & set(found))
        if twice:
            raise BadInput(f"the column {twice[0]!r} would be there twice, copied and as an answer; rename it in the file.")
        yield pa.table({**first, **found})


def _answers_of(student: TrainedStudent, cascade: Mapping[str, Any] | None) -> Answer:
    """What answers as the student, with the threshold of its cascade if it is part of one."""

    def answer(rows: Any) -> tuple[Floats, Decisions | None, NDArray[np.bool_] | None]:
        answers = student.answer(rows)
        return answers, None, None if cascade is None else deferred_rows(answers, student.task, cascade["threshold"])

    return answer


def answer_columns(
    task: Task,
    classes: Sequence[Any],
    answers: Side,
    outputs: Sequence[str] = (),
    *,
    decided: Decisions | None = None,
    probabilities: bool = False,
    prefix: str = "",
) -> dict[str, Any]:
    """Answers as the columns of a table: the decision or the values, and probabilities if they are asked for.

    Names of classes of several types are written as JSON texts, as in ONNX files. Of `TopAnswers` there are no probabilities by class.

    Args:
        task: of the student.
        classes: the class, or the label, of each column of answers.
        answers: (rows, columns) probabilities or values, or `TopAnswers`.
        outputs: names of several values, in order.
        decided: what was decided, (rows,) columns or (rows, labels) of 0 and 1; by default the most probable classes.
        probabilities: whether the probability of each class is a column.
        prefix: in front of each name.
    """
    if task == "regression" and not isinstance(answers, TopAnswers):
        width = answers.shape[1]
        names = ["prediction"] if width == 1 else list(outputs) if len(outputs) == width else [f"value_{place}" for place in range(width)]
        return {f"{prefix}{name}": answers[:, place] for place, name in enumerate(names)}
    if decided is None:
        decided = top_decisions(answers) if isinstance(answers, TopAnswers) else decisions(as_distributions(answers, task))
    if task == "multilabel":
        found: dict[str, Any] = {f"{prefix}{name}": decided[:, place].astype(np.int8) for place, name in enumerate(classes)}
    else:
        found = {f"{prefix}prediction": _names(classes).take(decided)}
    if probabilities and not isinstance(answers, TopAnswers):
        found |= {f"{prefix}probability_{name}": answers[:, place] for place, name in enumerate(classes)}
    return found


def _names(classes: Sequence[Any]) -> Any:
    """The names of classes as a column: numbers as numbers, and those of several types as JSON texts."""
    as_floats = {type(label) for label in classes} == {int, float} and all(float(label) == label for label in classes)
    return pa.array([float(label) for label in classes] if as_floats else of_one_type(classes))


def write_tables(tables: Iterator[pa.Table], target: Path | Any) -> int:
    """Write tables one after the other, as .csv or .parquet by the end of a path, or as CSV to an open binary file; the number of rows.

    Raises:
        BadInput: a path with another end. CannotWrite: the path cannot be written.
    """
    if not isinstance(target, Path):
        return _written(tables, target, _csv)
    check_target(target)
    with whole_file(target) as draft:
        return _written(tables, draft, _csv if suffix_of(target) == ".csv" else _parquet)


def check_target(target: Path, *, read: Iterable[AnyPath | None] = ()) -> None:
    """Check, before any work, that `write_tables` can write a path, and that it replaces nothing that is read.

    Args:
        target: the file.
        read: as for `check_not_read`.

    Raises:
        BadInput, CannotWrite: as `write_tables`; or one of the files that are read.
    """
    if suffix_of(target) not in ENDS:
        raise BadInput(f"{target} ends in {target.suffix or 'nothing'}; expected {' or '.join(ENDS)}.")
    check_file_place(target, read=read)


def _written(tables: Iterator[pa.Table], target: Any, open_writer: Callable[[Any, pa.Schema], Any]) -> int:
    first = next(tables)
    with open_writer(target, first.schema) as writer:
        writer.write_table(first)
        count = first.num_rows
        for table in tables:
            writer.write_table(table.cast(first.schema))
            count += table.num_rows
    return count


def _csv(target: Any, schema: pa.Schema) -> Any:
    import pyarrow.csv

    return pyarrow.csv.CSVWriter(target, schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed"))


def _parquet(target: Any, schema: pa.Schema) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetWriter(target, schema)


def _as_trained(student: TrainedStudent, part: Any) -> Any:
    """Rows as the student was trained on them: a matrix or texts where its columns had no names."""
    if student.inputs is not None:
        return student.inputs.arranged(part)
    if student.schema is not None or not is_frame(part):
        return part
    if student.text:
        return list(part.iloc[:, 0])
    return np.asarray(part)
