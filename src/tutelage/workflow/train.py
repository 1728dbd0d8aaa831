"""Train one student from recorded answers, into a folder that holds it and says how it came about.

run/
    run.json           student and settings, whose answers to which data, columns, versions; SHA-256 of the student
    student.skops      columns and student; answers at temperature 1
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.environment import environment
from tutelage.core.errors import BadInput, DamagedFile, TutelageError, one_line
from tutelage.core.files import check_place, whole_folder
from tutelage.core.records import dumps
from tutelage.core.stages import Stages
from tutelage.data.row_names import data_name
from tutelage.data.table_file import TableFile
from tutelage.evaluation.size import count_parts
from tutelage.losses.targets import check_temperature
from tutelage.softlabels.folder import LabelFolder, sha256_of
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.columns import with_columns
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.teaching import blended, fit_student
from tutelage.workflow.column_summary import check_numbers, rows_like, summarise_columns
from tutelage.workflow.open_answers import columns_known_to

TRAINED = "run.json"
TRAINED_SCHEMA = 2
STUDENT_FILE = "student.skops"
PACKAGES = ("tutelage", "numpy", "scipy", "scikit-learn", "skops", "torch", "lightgbm", "xgboost")


@dataclass(frozen=True)
class TrainingSpec:
    """Which student learns, and how.

    Attributes:
        student: a name that `student_named` knows.
        settings: of that student.
        soft_weight: share of the teacher in the targets, 0 to 1; below 1 needs the truth.
        temperature: the student learns the probabilities at this temperature, and answers at 1 all the same.
        seed: of whatever the student draws.
        max_words: of a student of texts, as for `with_columns`.
    """

    student: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    soft_weight: float = 1.0
    temperature: float = 1.0
    seed: int = 0
    max_words: int | None = None


def train(spec: TrainingSpec, labels: LabelFolder, data: TableFile, *, out: Path, stages: Stages) -> dict[str, Any]:
    """Teach a student and write its folder.

    Args:
        spec: which student learns, and how.
        labels: recorded on the rows of `data`, or on more rows.
        data: rows and truth.
        out: the folder to write; what an earlier `train` wrote there is replaced once this one is complete.
        stages: told of every stage.

    Returns:
        What run.json says.

    Raises:
        BadInput: no such student or setting, or one that cannot learn from these rows. LabelMismatch: rows without an
            answer, or truth that the teacher does not know. DamagedFile: of the labels. CannotWrite: before any work.
    """
    check_place(out, may_replace=_is_trained)
    unlearned = _unlearned(spec, labels, data)
    with stages.stage("labels"):
        rows = data.rows_of(columns_known_to(labels, data))
        answers = labels.form.check(labels.answer(rows.part(0, rows.count)), rows.count)
        shown_rows = data.rows().part(0, rows.count)
        targets = _targets(spec, labels, data, answers)
    with stages.stage("train"):
        fitted = _taught(spec, unlearned, labels, shown_rows, targets)
    named = data.features if data.text is not None or hasattr(shown_rows, "iloc") else ()
    student = TrainedStudent(fitted, labels.form.task, labels.form.classes, _temperature(spec, labels), named, data.text is not None)
    with stages.stage("keep"), whole_folder(out, may_replace=_is_trained) as draft:
        path = save_student(student, draft / Path(STUDENT_FILE).stem)
        columns = summarise_columns(shown_rows, data.features)
        record = _record(spec, labels, data, student) | {"columns": columns, "file": _about(path), "seconds": dict(stages.seconds)}
        (draft / TRAINED).write_text(dumps(record), encoding="utf-8")
    return record


def open_trained(folder: Path) -> tuple[TrainedStudent, dict[str, Any]]:
    """A student that `train` wrote, and what run.json says of it. Nothing in the folder is executed.

    Raises:
        BadInput: no such folder, or one of another kind. DamagedFile: its files are damaged or of another version.
    """
    record = _record_in(folder)
    path = folder / STUDENT_FILE
    try:
        if sha256_of(path) != record["file"]["sha256"]:
            raise DamagedFile(f"{path} is damaged: its SHA-256 is not the one in {TRAINED}. Restore it, or train again.")
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or error}). Restore it, or train again.") from error
    student = load_student(path)
    if not isinstance(student, TrainedStudent):
        raise DamagedFile(f"{path} holds a {type(student).__name__} and not what `tutelage train` keeps. Train again.")
    return student, record


def rows_to_check(folder: Path, count: int, data: Path | None = None) -> tuple[TrainedStudent, NDArray[np.float32]]:
    """A student that `train` wrote and rows on which its export is to be checked.

    Args:
        folder: that `train` wrote.
        count: rows at most.
        data: a file of rows; without one they are drawn within the ranges of the columns that it learnt from.

    Raises:
        BadInput: a student of texts or categories, or data without its columns; and as `open_trained`.
    """
    student, record = open_trained(folder)
    check_numbers(record["columns"])
    if data is None:
        return student, rows_like(record["columns"], count)
    file = TableFile.open(data)
    lacking = [name for name in student.columns if file.columns and name not in file.columns]
    if lacking:
        raise BadInput(f"{data} has no column {lacking[0]!r}, which the student reads.")
    rows = file.rows_of(student.columns or file.columns)
    return student, np.asarray(rows.part(0, min(rows.count, count)), dtype=np.float32)


def _unlearned(spec: TrainingSpec, labels: LabelFolder, data: TableFile) -> Any:
    """The student to be, after proving that the lesson makes sense."""
    if not 0 <= spec.soft_weight <= 1:
        raise BadInput(f"soft_weight is {spec.soft_weight}; expected a number from 0 (the truth alone) to 1 (the teacher alone).")
    if spec.soft_weight < 1 and not data.truth:
        raise BadInput(
            f"soft_weight is {spec.soft_weight} and there is no truth to blend in; pass truth=, the column that holds it, "
            "or leave soft_weight at 1."
        )
    if check_temperature(spec.temperature) != 1 and labels.form.task == "regression":
        raise BadInput("values have no temperature; leave it at 1 for a regression teacher.")
    student = student_named(spec.student, labels.form.task, **spec.settings)
    draws = next((name for name in ("random_state", "estimator__random_state") if name in student.get_params()), None)
    if draws is not None and "random_state" not in spec.settings:
        student.set_params(**{draws: spec.seed})
    return student


def _targets(spec: TrainingSpec, labels: LabelFolder, data: TableFile, answers: Floats) -> Floats:
    truth = data.truth_values() if spec.soft_weight < 1 else None
    known = None if truth is None else labels.form.truth_as_answers(truth)
    if known is not None and known.shape != answers.shape:
        raise BadInput(f"{known.shape[1]} columns of truth are named and the teacher answers with {answers.shape[1]}; name as many.")
    return blended(answers, labels.form, truth=known, soft_weight=spec.soft_weight, temperature=_temperature(spec, labels))


def _temperature(spec: TrainingSpec, labels: LabelFolder) -> float:
    """At which the student learns; labels alone are the same at every temperature, so there is none to take out again."""
    return 1.0 if labels.form.task == "regression" or spec.soft_weight == 0 else float(spec.temperature)


def _taught(spec: TrainingSpec, unlearned: Any, labels: LabelFolder, rows: Any, targets: Floats) -> Any:
    pipeline = with_columns(unlearned, rows, scaled=spec.student in NEED_SCALING, max_words=spec.max_words)
    try:
        return fit_student(pipeline, labels.form, rows, targets)
    except TutelageError:
        raise
    except Exception as error:  # each family refuses settings and rows in its own way
        raise BadInput(f"the student {spec.student!r} cannot learn so ({one_line(error)}).") from error


def _record(spec: TrainingSpec, labels: LabelFolder, data: TableFile, student: TrainedStudent) -> dict[str, Any]:
    last = student.student_[-1]
    parts = count_parts(student)
    return {
        "schema": TRAINED_SCHEMA,
        **asdict(spec),
        "settings": (last.estimator if labels.form.task == "multilabel" else last).get_params(deep=False),
        "temperature": student.temperature,
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
        "data": {
            "file": data.path.name,
            "rows": data.rows().count,
            "data": data_name(data.rows()),
            "truth": list(data.truth),
            "drop": list(data.drop),
            "text": data.text,
        },
        "parts": None if parts is None else {"count": parts[0], "unit": parts[1]},
        "environment": environment(*PACKAGES),
    }


def _about(path: Path) -> dict[str, Any]:
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _is_trained(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {TRAINED, STUDENT_FILE}


def _record_in(folder: Path) -> dict[str, Any]:
    path = folder / TRAINED
    if not path.is_file():
        other = " It is one of `tutelage run`." if (folder / "results.json").is_file() else ""
        raise BadInput(f"{folder} holds no trained student: it has no {TRAINED}.{other} Name a folder that `tutelage train` wrote.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        schema = record["schema"]
        if schema == TRAINED_SCHEMA and not {"student", "task", "columns", "data", "file"} <= set(record):
            raise ValueError("it lacks what run.json says")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged ({error}). Restore it, or train again.") from error
    if schema != TRAINED_SCHEMA:
        raise DamagedFile(f"{path} has schema {schema}; this version of tutelage reads {TRAINED_SCHEMA}. Train again.")
    return dict(record)
