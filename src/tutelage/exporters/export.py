"""`export`: a student as a file of another language or format, which is written only if it answers as the student does."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from tutelage.core.arguments import flag, number, whole
from tutelage.core.errors import BadInput, MissingExtra, shown
from tutelage.core.file_systems.paths import AnyPath, any_path, check_local
from tutelage.core.file_systems.places import check_file_place, check_not_read
from tutelage.core.file_systems.whole_files import whole_file, write_text
from tutelage.core.records import Export, Parity, dumps
from tutelage.data.tables.found_files import local_tables
from tutelage.exporters.arrays.export import LONG_NUMBER, written
from tutelage.exporters.arrays.subject import takes_arrays
from tutelage.exporters.beside import record_path
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof.as_given import check_as_given
from tutelage.exporters.proof.compare import compare, longest_refusals
from tutelage.exporters.proof.edge_cases import ROWS, edge_cases
from tutelage.exporters.proof.quantised import drop_of
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.subject.threshold import about_threshold
from tutelage.exporters.targets.job import Job, Precision, Settings

TARGETS = {
    ".onnx": ("ONNX", "tutelage.exporters.targets.onnx.target"),
    ".c": ("C", "tutelage.exporters.targets.c_source.target"),
    ".js": ("JavaScript", "tutelage.exporters.targets.javascript"),
    ".py": ("Python", "tutelage.exporters.targets.python"),
    ".sql": ("SQL", "tutelage.exporters.targets.sql.target"),
    ".pte": ("ExecuTorch", "tutelage.exporters.targets.pte"),
}
"""By the end of a file's name: what it is called, and the module that writes it."""
_WITHOUT_HEADER = {".pte"}
"""Files that have no place for a sentence about themselves."""
_RUNTIMES = {".c": 2, ".sql": 2}
"""The most runtimes in which a file is proven, where they are several."""


def export(
    student: Any,
    path: str | Path,
    *,
    check_on: Any,
    precision: Precision | None = None,
    target_opset: int | None = None,
    table: str = "rows",
    prefix: str | None = None,
    unproven: bool = False,
    truth: Any = None,
    max_drop: float | None = None,
    compared_rows: int | None = None,
) -> Export:
    """Write a student as a file, after comparing the file's answers and decisions with the student's in the runtime of the file.

    Args:
        student: fitted. Of a fitted `Cascade`, its student is written with its threshold: the file says as well which rows it defers to
            the teacher, who stays outside.
        path: the file to write; its end decides about the language. It is created only if the comparison succeeds.
        check_on: rows to compare on: an array, a frame, texts, a tensor, a Dataset or a file of rows. Up to 10 000 of them are compared; if
            there are fewer, others are made by drawing the cells of each column. Edge rows are added.
        precision: of the file's numbers: "double" or "single" (C), "half" (ONNX), or "int8" or "int8-dynamic" (ONNX) for
            weights in 8 bits. That of the student if not given.
        target_opset: for ONNX, the version of its operators, from 11; 17, or what the student needs, if not given.
        table: for SQL, the table that the rows are in.
        prefix: for C, what the names in the file begin with: letters, digits and _. The name of the file if not given. Two files that are
            linked into one program need two.
        unproven: if the runtime of the file is not installed, write it without any comparison.
        truth: for a file of "half" or 8 bits, the ground truth of `check_on`: it may lose accuracy rather than decide as the student does.
        max_drop: for such a file, the percentage points that it may lose, 1 if not given: of rows decided otherwise, of accuracy if `truth`
            is given, of the variance of values. It is compared on the rows of `check_on` alone.
        compared_rows: number of rows that are compared besides edge rows; 10 000 if not given.

    Returns:
        What was written and how it was proven; also written beside the file, as FILE.json.

    Raises:
        ParityError: the file answers differently from the student.
        CannotWrite: the path cannot be written.
        BadInput: the student cannot be exported to this target, refuses the rows, or the target's runtime is not installed.
        MissingExtra: an export package is not installed.

    Example:
        >>> import tempfile
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> student = tl.SoftTree(max_leaf_nodes=4).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = tl.export(student, f"{folder}/student.py", check_on=X)
        >>> record.target, record.proven, record.proofs[0].rows, record.proofs[0].decisions_changed
        ('Python', True, 10000, 0)
    """
    path = check_path(path)
    check_not_read(path, local_tables([any_path(check_on)], target=path) if isinstance(check_on, str | Path) else [])
    settings = Settings(precision, target_opset, table, prefix)
    flag("unproven", unproven)
    if compared_rows is not None:
        compared_rows = whole("compared_rows", compared_rows, least=1)
    if max_drop is not None:
        max_drop = number("max_drop", max_drop, least=0, most=100)
    if not settings.is_rounded and not (truth is None and max_drop is None):
        raise BadInput("truth and max_drop are for precision 'half', 'int8' or 'int8-dynamic'; any other file answers as its student.")
    check_student(student)
    if takes_arrays(student, check_on):
        content, record = written(student, path.name, check_on, settings, unproven=unproven, compared_rows=compared_rows)
        return _stored(path, {path.name: content}, record)
    name, module = TARGETS[path.suffix]
    target, job = import_module(module), job_of(student, path.stem, check_on, settings)
    program = job.program
    if settings.is_rounded and program.guarantee is not None:
        raise BadInput(
            f"precision is {settings.precision!r}, and a threshold holds for the student's own probabilities, not for rounded ones. Leave "
            "precision out; or export the student alone, and fit a Cascade with that file as its student."
        )
    with tempfile.TemporaryDirectory() as folder:
        files = target.write(job, ["Not compared yet."])
        draft = _written(files, Path(folder))
        if not (unproven and _lacks_runtime(target, job)):
            job = _proven(target, job, draft, truth=truth, max_drop=max_drop, most=compared_rows)
    if path.suffix not in _WITHOUT_HEADER:
        proven = [*map(str, job.proofs), *map(str, job.drops)]
        files = target.write(job, [f"{name}, written by tutelage.", *(proven or [_NOT_PROVEN]), *about_threshold(program.guarantee)])
    content = files[path.name]
    columns = tuple(place if one.name is None else one.name for place, one in enumerate(program.inputs))
    digest = hashlib.sha256(content).hexdigest()
    cascade = None if program.guarantee is None else asdict(program.guarantee)
    return _stored(
        path, files, Export(path.name, name, len(content), digest, columns, program.form.classes, job.proofs, job.drops, cascade)
    )


def _stored(path: Path, files: dict[str, bytes], record: Export) -> Export:
    """Write the files and the record beside them."""
    write_text(record_path(path), dumps({"schema": 1, **asdict(record)}))
    for file, content in reversed(files.items()):  # the file itself last: where it is, all is there
        with whole_file(path.with_name(file)) as draft:
            draft.write_bytes(content)
    return record


def unproven_files(job: Job, end: str, *, longest: bool) -> dict[str, bytes]:
    """The files of a student, by name, without a comparison.

    Args:
        job: the student.
        end: of the file.
        longest: with the record of a proof as long as they get, so that they are not larger once they are proven.

    Raises:
        BadInput: the student cannot be written as such a file. MissingExtra: a package that writes it is not installed.
    """
    (name, module), proven = TARGETS[end], [_NOT_PROVEN]
    if longest:
        groups = edge_cases(job.rows[: min(2, len(job.rows))], job.program)
        refused = longest_refusals(groups, job.program)
        proof = Parity(
            rows=ROWS,
            edge_rows=ROWS,
            worst_difference=LONG_NUMBER,
            tolerance=LONG_NUMBER,
            decisions_changed=0,
            refused=refused,
            worst_row=f"edge row ({max(groups, key=len)}) {ROWS}",
            runtime="-" * 30,
            made_rows=ROWS,
            deferrals_changed=None if job.program.guarantee is None else 0,
        )
        job = replace(job, proofs=(proof,) * _RUNTIMES.get(end, 1))
        proven = list(map(str, job.proofs))
    files: dict[str, bytes] = import_module(module).write(
        job, [f"{name}, written by tutelage.", *proven, *about_threshold(job.program.guarantee)]
    )
    return files


def job_of(student: Any, stem: str, check_on: Any, settings: Settings) -> Job:
    """What a target is given to write of a student of one input with one answer per row.

    Raises:
        BadInput: the student cannot be written. Others as `subject_of`.
    """
    subject, rows = subject_of(student, check_on)
    return Job(subject, rows, program_of(subject, rows), stem, settings)


def _lacks_runtime(target: Any, job: Job) -> bool:
    """Whether no runtime of a target is installed."""
    try:
        target.runtimes(job)
    except (BadInput, MissingExtra):
        return True
    return False


def _proven(target: Any, job: Job, draft: Path, *, truth: Any, max_drop: float | None, most: int | None) -> Job:
    """The job with the comparison of its file in each runtime."""
    if not job.settings.is_rounded:  # of which the loss is measured, and may be a point
        check_as_given(job.subject, job.rows)
    for runtime in target.runtimes(job):
        if job.settings.is_rounded:
            drop = drop_of(draft, job.program, job.subject, job.rows, runtime, truth=truth, max_drop=max_drop)
            job = replace(job, drops=(*job.drops, drop))
        else:
            proof = compare(draft, job.program, job.subject, job.rows, runtime, rounding=target.rounding(job), most=most)
            job = replace(job, proofs=(*job.proofs, proof))
    return job


_NOT_PROVEN = "Not proven: it was never compared with its student."


def check_path(path: str | Path, *, read: Iterable[AnyPath | None] = ()) -> Path:
    """A path whose end names a target.

    Args:
        path: of the file to write.
        read: files and folders that are read meanwhile, as for `check_not_read`.

    Raises:
        BadInput: it does not. CannotWrite: no file can be written there, or it is one of those that are read.
    """
    if not isinstance(path, str | Path):
        raise BadInput(f"path is {shown(path)}; expected the file to write, such as 'student.c'.")
    check_local("path", path)
    path = Path(path)
    if path.suffix not in TARGETS:
        end = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise BadInput(f"{path} {end}; expected one of {', '.join(TARGETS)}.")
    check_file_place(path, read=read)
    return path


def check_target(name: str) -> str:
    """The end of the files of a target that is named by it: "c" or ".c" is ".c".

    Raises:
        BadInput: no target has that name.
    """
    end = f".{str(name).lower().removeprefix('.')}"
    if end not in TARGETS:
        raise BadInput(f"no target is named {shown(name)}; expected one of {', '.join(one.removeprefix('.') for one in TARGETS)}.")
    return end


def _written(files: dict[str, bytes], folder: Path) -> Path:
    """Write files to a folder; the path of the main one."""
    for name, content in files.items():
        with whole_file(folder / name) as draft:
            draft.write_bytes(content)
    return folder / next(iter(files))
