"""Train one student on recorded answers, and write it to a folder with a record of how it was trained.

run/
    run.json           student and settings, fingerprints of teacher and data, columns, versions; SHA-256 of the student
    student.skops      preparation of the columns and the student; its answers are at temperature 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tutelage.core.arrays import Floats, is_frame
from tutelage.core.environment import environment
from tutelage.core.errors import BadInput, DamagedFile, TutelageError, one_line
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.file_systems.whole_folders import check_whole_folder, whole_folder
from tutelage.core.records import dumps, record_from
from tutelage.core.running.stages import Stages
from tutelage.core.stored.checksums import sha256_of, with_checksum
from tutelage.data.row_names import data_name
from tutelage.data.rows import as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.table_file import TableFile
from tutelage.evaluation.size import count_parts
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.losses.targets import check_temperature
from tutelage.softlabels.folder import LabelFolder
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.columns import levels_of, with_columns
from tutelage.students.saved.save_load import loaded_student, save_student, student_without_code
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.saved.trained_folder import STUDENT_FILE, TRAINED, TRAINED_SCHEMA, read_trained, student_file
from tutelage.students.temperature import Targets, Taught, fit_at_temperature
from tutelage.workflow.column_summary import rows_like, summarise_columns
from tutelage.workflow.evaluate import rows_to_measure
from tutelage.workflow.feature_guards import check_features, check_leaves
from tutelage.workflow.ground_truth import check_labels, check_values, in_label_order
from tutelage.workflow.open_answers import columns_known_to, in_columns_of


@dataclass(frozen=True)
class TrainingSpec:
    """Which student to train, and how.

    Attributes:
        student: a name that `student_named` accepts.
        settings: settings of that student.
        soft_weight: share of the teacher's answers in the targets, 0 to 1; below 1 the truth is needed.
        temperature: temperature of the targets; the trained student answers at temperature 1.
        seed: seed of the student's random draws.
        max_words: for a student of texts, as for `with_columns`.
    """

    student: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    soft_weight: float = 1.0
    temperature: float = 1.0
    seed: int = 0
    max_words: int | None = None


def train(spec: TrainingSpec, labels: LabelFolder, data: TableFile, *, out: Path, stages: Stages) -> dict[str, Any]:
    """Train a student and write its folder.

    Args:
        spec: which student to train, and how.
        labels: answers recorded on the rows of `data`, or on these and more rows.
        data: rows and truth.
        out: the folder to write; the output of an earlier `train` there is replaced once this one is complete.
        stages: measures and displays each stage.

    Returns:
        The contents of run.json.

    Raises:
        BadInput: an unknown student or setting, or a student that cannot be trained on these rows. LabelMismatch: rows
            without an answer, or true classes unknown to the teacher. DamagedFile: the labels are damaged.
            CannotWrite: the folder cannot be written; raised before any work.
    """
    check_whole_folder(out, may_replace=_is_trained)
    if data.inputs:
        raise BadInput(
            f"the rows are several inputs ({', '.join(data.inputs)}), and a {spec.student} student takes columns or texts; train a "
            "network of yours on the recorded answers: tl.TorchStudent(network).fit(rows, tl.open_labels(folder))."
        )
    unfitted, data = _unfitted(spec, labels, data), in_label_order(labels.form, in_columns_of(labels, data))
    with stages.stage("labels"):
        rows = data.rows_of(columns_known_to(labels, data))
        answers = labels.form.check(labels.answer(rows.part(0, rows.count)), rows.count)
        features = data.rows().part(0, rows.count)
        warnings = check_features(features, answers, labels.form, _names(labels.schema), _single(data.truth_values()))
        warnings += check_values(labels.form, answers, data)
        targets = _targets(spec, labels, data, answers)
    with stages.stage("train"):
        taught = _taught(spec, unfitted, labels, features, targets, data.weights())
    table = Schema((Column(data.text, "text"),)) if data.text is not None else as_rows(features).schema
    student = TrainedStudent(taught.student, labels.form.task, labels.form.classes, taught.answer_temperature, table, data.text is not None)
    with stages.stage("save"), whole_folder(out, may_replace=_is_trained) as draft:
        path = save_student(student, draft / Path(STUDENT_FILE).stem)
        columns = summarise_columns(features, data.features)
        if spec.student == "tree":
            warnings += check_leaves(count_parts(student), rows.count)
        record = _record(spec, labels, data, student) | {"columns": columns, "file": file_entry(path), "warnings": warnings}
        record = with_checksum(record | {"seconds": dict(stages.seconds)})
        (draft / TRAINED).write_text(dumps(record), encoding="utf-8")
    return record


def open_trained(folder: Path, module: Any = None, *, asked: bool = True, if_needed: bool = False) -> tuple[TrainedStudent, dict[str, Any]]:
    """Open a student that `train` wrote, and read its run.json. Nothing in the folder is executed.

    Args:
        folder: the folder.
        module: builds its torch network, where the file has the weights alone.
        asked: whether the student is to answer; otherwise it only says what its rows and answers are, which needs no code.
        if_needed: as for `loaded_student`.

    Raises:
        BadInput: the folder does not exist, or was not written by `train`. DamagedFile: its files are damaged or of
            another version.
    """
    record = read_trained(folder)
    path = student_file(folder, record["file"])
    student = loaded_student(path, module, if_needed=if_needed) if asked else student_without_code(path)
    if not isinstance(student, TrainedStudent):
        raise DamagedFile(f"{path} holds a {type(student).__name__}; expected a student written by `tutelage train`. Train again.")
    return student, record


def rows_to_check(folder: Path, count: int, data: AnyPath | None = None, network: Any = None) -> tuple[TrainedStudent | Cascade, Any]:
    """A student that `train` wrote, with its threshold if it has one, and rows on which to check its export.

    Args:
        folder: a folder that `train` wrote.
        count: maximum number of rows.
        data: a file of rows; without one, rows are drawn within the ranges of the training columns.
        network: builds its torch network, where the file has the weights alone.

    Raises:
        BadInput: the student reads texts and there is no file of them, or the data lacks its columns; and as `open_trained`.
    """
    student, record = open_trained(folder, network)
    threshold = record.get("cascade")
    exported = student if threshold is None else with_threshold(student, record_from(Guarantee, threshold))
    if data is None:
        return exported, rows_like(record["columns"], count, levels=levels_of(student.student_), shape=record["data"]["row_shape"])
    file = rows_to_measure(record, data)
    missing = [name for name in student.columns if file.columns and name not in file.columns]
    if missing:
        raise BadInput(f"{data} has no column {missing[0]!r}, which the student reads; use a file with all columns of the training data.")
    rows = file.rows_of(student.columns or file.columns)
    return exported, rows.part(0, min(rows.count, count))


def _unfitted(spec: TrainingSpec, labels: LabelFolder, data: TableFile) -> Any:
    """The unfitted student, after checking that the spec is valid for these labels and data."""
    if not 0 <= spec.soft_weight <= 1:
        raise BadInput(f"soft_weight is {spec.soft_weight}; expected a number from 0 (only the truth) to 1 (only the teacher).")
    if spec.soft_weight < 1 and not data.truth:
        raise BadInput(
            f"soft_weight is {spec.soft_weight}, but there is no truth to blend in; pass truth=, the column of the ground truth, "
            "or leave soft_weight at 1."
        )
    if check_temperature(spec.temperature) != 1 and labels.form.task == "regression":
        raise BadInput(f"temperature is {spec.temperature}, but values have no temperature; leave it at 1 for a regression teacher.")
    student = student_named(spec.student, labels.form.task, **spec.settings)
    draws = next((name for name in ("random_state", "estimator__random_state") if name in student.get_params()), None)
    if draws is not None and "random_state" not in spec.settings:
        student.set_params(**{draws: spec.seed})
    return student


def _targets(spec: TrainingSpec, labels: LabelFolder, data: TableFile, answers: Floats) -> Targets:
    if spec.soft_weight < 1:
        check_labels(labels.form, data)
    truth = data.truth_values() if spec.soft_weight < 1 else None
    known = None if truth is None else labels.form.truth_as_answers(truth)
    if known is not None and known.shape != answers.shape:
        raise BadInput(
            f"there are {known.shape[1]} columns of truth, but the teacher has {answers.shape[1]} outputs; "
            "name one column of truth for each output."
        )
    return Targets.of(answers, labels.form, truth=known, soft_weight=spec.soft_weight, temperature=spec.temperature)


def _taught(spec: TrainingSpec, unfitted: Any, labels: LabelFolder, rows: Any, targets: Targets, weights: Floats | None) -> Taught:
    pipeline = with_columns(unfitted, rows, scaled=spec.student in NEED_SCALING, max_words=spec.max_words)
    try:
        return fit_at_temperature(pipeline, labels.form, rows, targets, sample_weight=weights)
    except TutelageError:
        raise
    except Exception as error:  # each library reports invalid settings and rows by different exceptions
        raise BadInput(f"the student {spec.student!r} cannot be trained with these settings and rows ({one_line(error)}).") from error


def _record(spec: TrainingSpec, labels: LabelFolder, data: TableFile, student: TrainedStudent) -> dict[str, Any]:
    last = student.student_[-1]
    parts = count_parts(student)
    return {
        "schema": TRAINED_SCHEMA,
        **asdict(spec),
        "settings": (last.estimator if labels.form.task == "multilabel" else last).get_params(deep=False),
        "temperature": spec.temperature if spec.soft_weight else 1.0,  # hard labels are the same at any temperature
        "answer_temperature": student.answer_temperature,
        "task": student.task,
        "classes": list(student.labels),
        "labels": {
            "teacher": labels.fingerprint,
            "kind": labels.form.kind,
            "rows": len(labels),
            "data": labels.data,
            **labels.provenance.encoding.to_json(),
            "cost": labels.cost.mean,
            "cost_unit": labels.cost_unit,
        },
        "data": data_entry(data),
        "parts": None if parts is None else {"count": parts[0], "unit": parts[1]},
        "environment": environment(),
    }


def data_entry(data: TableFile) -> dict[str, Any]:
    """What run.json says of the rows of a file: which they are, and what their columns are for."""
    rows = data.rows()
    return {
        "files": [path.name for path in (data.source.paths if data.source is not None else [data.path])],
        "rows": rows.count,
        "data": data_name(rows),
        "truth": list(data.truth),
        "drop": list(data.drop),
        "text": data.text,
        "inputs": list(data.inputs),
        "weight": data.weight,
        "index": [] if data.source is None else list(data.source.index),
        "table": None if data.schema is None else data.schema.to_json(),
        "row_shape": row_shape(rows.part(0, 1)),
    }


def row_shape(rows: Any) -> list[int] | None:
    """The shape of a row, for rows of more axes than a table has; otherwise None."""
    shape = getattr(rows, "shape", ())
    return [int(length) for length in shape[1:]] if not is_frame(rows) and len(shape) > 2 else None


def _names(schema: Schema | None) -> tuple[str, ...]:
    return () if schema is None else schema.names or ()


def _single(truth: NDArray[Any] | None) -> NDArray[Any] | None:
    return truth if truth is not None and truth.ndim == 1 else None


def file_entry(path: Path) -> dict[str, Any]:
    """What run.json says of the student's file."""
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _is_trained(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {TRAINED, STUDENT_FILE}
