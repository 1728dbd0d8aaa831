"""A student's file as it is shipped, before it is proven: written once, for its size and for its latency."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.errors import require
from tutelage.core.records import Latency
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.cost import BATCH_ROWS
from tutelage.exporters.arrays.export import unproven_content
from tutelage.exporters.arrays.subject import subject_of_arrays, takes_arrays
from tutelage.exporters.arrays.timing import timing_command
from tutelage.exporters.bench.multiply_adds import multiply_adds
from tutelage.exporters.bench.repeats import AGREEING, Repeats
from tutelage.exporters.export import TARGETS, check_target, job_of, unproven_files
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.timed_process import Child


@dataclass(frozen=True, eq=False)
class ShippedFile:
    """The file of a student.

    Attributes:
        name: of the file.
        files: its content, and that of files beside it, by name.
        runtime: -> the name of the program that it runs in; a BadInput or MissingExtra if that is not installed.
        command: the file and a folder -> the command of a process that times calls, as `Child` runs it.
    """

    name: str
    files: Mapping[str, bytes]
    runtime: Callable[[], str]
    command: Callable[[Path, Path], list[str]]

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return len(self.files[self.name])

    def started(self, folder: Path) -> Callable[[], Child]:
        """Write the files, and return what starts a process that times calls.

        Raises:
            BadInput, MissingExtra: its runtime is not installed.
        """
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return partial(Child, self.command(folder / self.name, folder), self.name)

    def latency(self, *, seconds: float, agreeing: int = AGREEING) -> Latency:
        """The latency of single rows, as `bench` measures it.

        Args:
            seconds: time for the measurement, about, besides that in which processes start.
            agreeing: processes that have to agree; fewer than four, as many as of `bench`, are a figure without an interval.

        Raises:
            BadInput: its runtime is not installed, or cannot answer. MissingExtra: as it says.
        """
        repeats = Repeats(1, agreeing)
        with tempfile.TemporaryDirectory() as folder:
            start = self.started(Path(folder))
            while not repeats.settled:
                child = start()
                try:
                    repeats.measure(child, seconds / agreeing)
                finally:
                    child.end()
        return repeats.latency


def shipped_file(student: Any, to: str, *, check_on: Any) -> ShippedFile:
    """The file of a student as large as it gets, with the record of a proof; it is neither proven nor written to a place of the user's.

    Args:
        student: as for `export`.
        to: the target, such as "c" or ".c".
        check_on: as for `export`; the file is timed on up to `BATCH_ROWS` of them, drawn at random.

    Raises:
        BadInput: the student cannot be written as such a file. MissingExtra: a package that writes it is not installed.
    """
    end = check_target(to)
    check_student(student)
    return sampled(student, check_on, Settings()).file(end, longest=True)


@dataclass(frozen=True, eq=False)
class Sampled:
    """A student, and the rows that it and its files are timed with: drawn from all, since a block of slow calls has few of them.

    Attributes:
        student: the student.
        count: the number of rows.
        given: -> the rows as the student takes them.
        file: the end of a file, and whether it has the record of a proof -> the file.
        multiply_adds: -> for each row; None where they are not counted.
    """

    student: Any
    count: int
    given: Callable[[], Any]
    file: Callable[..., ShippedFile]
    multiply_adds: Callable[[], int | None]


def sampled(student: Any, X: Any, settings: Settings) -> Sampled:
    """A student and the rows that it is timed with.

    Args:
        student: fitted, as `check_student` takes it.
        X: rows; up to `BATCH_ROWS` of them are drawn.
        settings: how its files are written.

    Raises:
        BadInput: it cannot be written as any file, or takes other rows.
    """
    if takes_arrays(student, X):
        arrays = subject_of_arrays(student)
        every = arrays.rows(X)
        some = every[np.random.default_rng(0).permutation(len(every))[:BATCH_ROWS]]
        return Sampled(arrays.student, len(some), partial(arrays.taken, some), partial(_of_arrays, student, some, settings), lambda: None)
    job = job_of(student, "student", X, settings)
    job = replace(job, rows=job.drawn(BATCH_ROWS))
    given, counted = partial(job.subject.given, job.rows), partial(multiply_adds, job.program)
    return Sampled(job.subject.student, len(job.rows), given, partial(_of_job, job), counted)


def _of_arrays(student: Any, rows: StructuredRows, settings: Settings, end: str, *, longest: bool = False) -> ShippedFile:
    """The file of a network of several inputs, in onnxruntime."""
    name = f"student{end}"
    content = unproven_content(student, name, rows, settings, longest=longest)
    return ShippedFile(name, {name: content}, _onnxruntime, partial(_timed_arrays, rows))


def _of_job(job: Job, end: str, *, longest: bool = False) -> ShippedFile:
    """The file of any other student, in its runtime."""
    files = unproven_files(job, end, longest=longest)
    return ShippedFile(f"{job.stem}{end}", files, partial(_runtime, job, end), partial(_timed_job, job, end))


def _onnxruntime() -> str:
    return f"onnxruntime {require('onnxruntime').__version__}"


def _timed_arrays(rows: StructuredRows, path: Path, folder: Path) -> list[str]:
    return timing_command(path, rows, folder)


def _runtime(job: Job, end: str) -> str:
    name: str = import_module(TARGETS[end][1]).runtimes(job)[0].name
    return name


def _timed_job(job: Job, end: str, path: Path, folder: Path) -> list[str]:
    command: list[str] = import_module(TARGETS[end][1]).timed(path, job, folder)
    return command
