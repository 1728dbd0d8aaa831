"""The files of a finished distillation: the chosen student as `tutelage train` writes it, and the record."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.core.arrays import is_frame
from tutelage.core.environment import environment
from tutelage.core.file_systems.whole_files import whole_file, write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import read_json, sha256_of, with_checksum
from tutelage.data.row_names import data_name, row_names
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.size import count_parts
from tutelage.losses.class_weights import weights_by_name
from tutelage.report.distillation.records import SCHEMA, DistillationRecord
from tutelage.students.saved.trained_folder import SPLIT, STUDENT_FILE, TRAINED, TRAINED_SCHEMA
from tutelage.workflow.column_summary import summarise_columns
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.folder import REMEDY, RunFolder
from tutelage.workflow.distillation.given.problem import Problem, RowSet
from tutelage.workflow.distillation.given.split import Split
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.evaluate import CALIBRATION, DEVELOPMENT, POOL, VALIDATION
from tutelage.workflow.train import file_entry, row_shape

RESULTS, FIGURES, PLAYGROUND, PAGE = "results.json", "figures.json", "playground.json", "report.html"


def write_student(folder: RunFolder, problem: Problem, split: Split, chosen: Finalists, found: DistillationRecord) -> None:
    """Write the student of the first seed, and run.json, so that every command takes the folder as that of one student."""
    path = folder.path / STUDENT_FILE
    with whole_file(path) as draft:
        shutil.copyfile(folder.path / chosen.files[0], draft)
    student, settings, rows = chosen.students[0], chosen.trial.settings, problem.given.rows
    parts = count_parts(student)
    names = () if problem.schema is None else problem.schema.names or ()
    record = {
        "schema": TRAINED_SCHEMA,
        "student": chosen.trial.student,
        "settings": dict(settings),
        "soft_weight": settings.get("soft_weight", 1.0) if chosen.arm.learns == "answers" else 0.0,
        "temperature": settings.get("temperature", 1.0),
        "seed": 0,
        "max_words": settings.get("max_words"),
        "answer_temperature": student.answer_temperature,
        "task": student.task,
        "classes": list(student.labels),
        "class_weights": weights_by_name(split.class_weights, problem.form),
        "labels": {"teacher": problem.teacher.fingerprint, "kind": problem.form.kind, "rows": problem.given.count},
        "data": dict(problem.source) if problem.source is not None else _rows_in_memory(problem),
        "parts": None if parts is None else {"count": parts[0], "unit": parts[1]},
        "environment": environment(),
        "columns": summarise_columns(_summarised(rows), names or (("text",) if isinstance(rows, list) else ())),
        "file": file_entry(path),
        "trained_on": [DEVELOPMENT, *([VALIDATION] if len(split.validation) else []), *([POOL] if chosen.arm.more_rows else [])],
        "seeds": [{"name": name, "sha256": sha256_of(folder.path / name)} for name in chosen.files],
        "warnings": [],
        "seconds": dict(found.seconds),
        "cascade": found.cascade.guarantee if found.cascade is not None and found.cascade.attained else None,
    }
    write_text(folder.path / TRAINED, dumps(with_checksum(record)))


def write_split(folder: RunFolder, problem: Problem, split: Split) -> None:
    """Write split.parquet: for each row given its number, the name of its content, and what it was for.

    Of each seed, the validation rows are drawn among the rows for development, unless they were given.
    """
    given = np.full(problem.given.count, "left out", dtype=object)
    given[split.development] = DEVELOPMENT
    given[split.calibration] = CALIBRATION
    if problem.test is None:
        given[split.test] = "test"
    validated = np.full(0 if problem.validation is None else problem.validation.count, "left out", dtype=object)
    validated[split.validation] = VALIDATION
    tested = np.full(len(split.test), "test", dtype=object)
    sources = {"rows": (problem.given, given), "test rows": (problem.test, tested), "validation rows": (problem.validation, validated)}
    tables = [] if problem.pool is None else [_pool_table(problem, problem.pool, split)]
    for source, (rows, part) in sources.items():
        if rows is not None:
            columns: dict[str, Any] = {
                "source": np.full(rows.count, source, dtype=object),
                "row": np.arange(rows.count) if rows.numbers is None else rows.numbers,
                "part": part,
                "name": row_names(rows.rows),
            }
            tables.append(pa.table(columns))
    without = problem.unlabelled
    if without is not None and len(without.numbers) and without.use != "pool":
        count = len(without.numbers)
        columns = {"source": ["rows"] * count, "row": without.numbers, "part": ["left out"] * count, "name": without.names}
        tables.append(pa.table(columns))
    with whole_file(folder.path / SPLIT) as draft:
        pq.write_table(pa.concat_tables(tables), draft)


def _pool_table(problem: Problem, pool: RowSet, split: Split) -> pa.Table:
    """The rows of the pool; given rows without ground truth, which follow those that were passed as a pool, have their own numbers."""
    without = problem.unlabelled
    joined = np.zeros(0, dtype=np.intp) if without is None or without.use != "pool" else without.numbers
    own = pool.count - len(joined)
    part = np.full(pool.count, "left out", dtype=object)
    part[split.pool] = POOL
    columns: dict[str, Any] = {
        "source": ["pool"] * own + ["rows"] * len(joined),
        "row": np.append(np.arange(own), joined),
        "part": part,
        "name": row_names(pool.rows),
    }
    return pa.table(columns)


def write_record(folder: RunFolder, record: DistillationRecord) -> None:
    """Write results.json."""
    write_text(folder.path / RESULTS, dumps(record.to_json()))


def finished_record(folder: RunFolder, plan: Plan) -> DistillationRecord | None:
    """The record of a folder that holds all that a plan asks for: its seeds, exports and report; None if something is left to do.

    Raises:
        DamagedFile: results.json was changed.
    """
    if not folder.has(RESULTS):
        return None
    found = DistillationRecord.from_json(read_json(folder.path / RESULTS, schema=SCHEMA, remedy=REMEDY))
    written = {export.file: export.sha256 for export in found.exports}
    asked = [f"student{end}" for end in plan.exports]
    whole = all(name in written and folder.has(name) and sha256_of(folder.path / name) == written[name] for name in asked)
    asked_for = {"seeds": plan.seeds, "rows_shown": plan.show_rows}
    as_asked = all(found.options.get(name) == value for name, value in asked_for.items())
    return found if whole and as_asked and all(map(folder.has, (PAGE, FIGURES, PLAYGROUND))) else None


def _rows_in_memory(problem: Problem) -> dict[str, Any]:
    return {
        "files": [],
        "rows": problem.given.count,
        "data": data_name(problem.given.rows),
        "truth": [],
        "drop": [],
        "text": None,
        "inputs": list(problem.inputs),
        "weight": None,
        "index": [],
        "table": None if problem.schema is None else problem.schema.to_json(),
        "row_shape": row_shape(problem.given.rows),
    }


def _summarised(rows: Any) -> Any:
    """Rows as `summarise_columns` takes them."""
    if isinstance(rows, list | StructuredRows) or hasattr(rows, "iloc"):
        return rows
    if is_frame(rows):
        return rows.to_pandas()
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
