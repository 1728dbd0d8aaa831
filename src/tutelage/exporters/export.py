"""`export`: a student as a file of another language or format, which is written only if it answers as the student does."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, shown
from tutelage.core.files import check_file_place, whole_file, write_text
from tutelage.core.records import Export, Parity, dumps
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof.compare import compare
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.job import Job, Precision, Settings

TARGETS = {
    ".py": ("Python", "tutelage.exporters.targets.python_source"),
    ".sql": ("SQL", "tutelage.exporters.targets.sql.target"),
}
"""By the end of a file's name: what it is called, and the module that writes it."""


def export(
    student: Any,
    path: str | Path,
    *,
    check_on: Any,
    precision: Precision | None = None,
    target_opset: int | None = None,
    table: str = "rows",
    unproven: bool = False,
) -> Export:
    """Write a student as a file, after comparing the file's answers and decisions with the student's in the runtime of the file.

    Args:
        student: fitted.
        path: the file to write; its end decides about the language. It is created only if the comparison succeeds.
        check_on: rows to compare on: an array, a frame, texts, a tensor, a Dataset or a file of rows. Up to 10 000 of them are compared; if
            there are fewer, others are made by drawing the cells of each column. Edge rows are added.
        precision: of the file's numbers: "double" or "single" (C); that of the student if not given.
        target_opset: for ONNX, the version of its operators; the oldest that has them all if not given.
        table: for SQL, the table that the rows are in.
        unproven: write the file although its runtime is not installed, without any comparison.

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
    path = _checked_path(path)
    settings = Settings(precision, target_opset, table)
    name, module = TARGETS[path.suffix]
    target = import_module(module)
    check_student(student)
    check_file_place(path)
    subject, rows = subject_of(student, check_on)
    program = program_of(subject, rows)
    job = Job(subject, rows, program, path.stem, settings)
    proofs: list[Parity] = []
    with tempfile.TemporaryDirectory() as folder:
        draft = _written(target.write(job, ["Not compared yet."]), Path(folder))
        for runtime in [] if unproven else target.runtimes(job):
            proofs.append(compare(draft, program, subject, rows, runtime, rounding=target.rounding(job)))
    files = target.write(job, [f"{name}, written by tutelage.", *(map(str, proofs) if proofs else [_NOT_PROVEN])])
    for file, content in reversed(files.items()):  # the file itself last: where it is, all is there
        with whole_file(path.with_name(file)) as draft:
            draft.write_bytes(content)
    content = files[path.name]
    columns = tuple(place if one.name is None else one.name for place, one in enumerate(program.inputs))
    record = Export(path.name, name, len(content), hashlib.sha256(content).hexdigest(), columns, program.form.classes, tuple(proofs))
    write_text(path.with_name(f"{path.name}.json"), dumps({"schema": 1, **asdict(record)}))
    return record


_NOT_PROVEN = "Not proven: it was never compared with its student."


def _checked_path(path: str | Path) -> Path:
    if not isinstance(path, str | Path):
        raise BadInput(f"path is {shown(path)}; expected the file to write, such as 'student.c'.")
    path = Path(path)
    if path.suffix not in TARGETS:
        raise BadInput(f"{path} ends in {path.suffix or 'nothing'!r}; expected one of {', '.join(TARGETS)}.")
    return path


def _written(files: dict[str, bytes], folder: Path) -> Path:
    """Write files to a folder; the path of the main one."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / next(iter(files))
