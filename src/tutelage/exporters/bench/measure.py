"""`bench`: what an answer costs in each exported file, beside the student and its teacher."""

from __future__ import annotations

import pickle
import platform
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tutelage.core.arguments import number
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, TutelageError
from tutelage.core.records import Bench, Contender, Latency
from tutelage.evaluation.cost import BATCH_ROWS, latency_of
from tutelage.evaluation.intervals import LEVEL
from tutelage.exporters.bench.multiply_adds import multiply_adds
from tutelage.exporters.export import TARGETS, check_target
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.timed_process import PYTHON_LOOP, Child
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher

BLOCKS = 10
"""Blocks of calls of each contender; the contenders take turns, so that a slow moment of the machine meets all of them."""
WARM_UP = 0.1
"""Share of the time that is spent before the first block."""
MOST_CALLS = 100_000
"""Calls of a block."""


def bench(
    student: Any, X: Any, *, to: Iterable[str] | None = None, teacher: Any = None, seconds: float = 2.0, settings: Settings | None = None
) -> Bench:
    """Measure latency, memory, size and multiply-adds of a student, of its exported files and of its teacher, on one thread.

    Args:
        student: fitted; of a `Cascade`, its student and the files of it with their threshold.
        X: rows that it is asked, as for `export`; up to 1 000 of them are used.
        to: targets, such as ["c", "onnx"]; by default all that the student can be exported to with what is installed.
        teacher: anything with an `answer`, `predict_proba` or `predict` that takes rows as the student does.
        seconds: time for each contender, half of it for single rows.
        settings: how the files are written.

    Returns:
        The contenders, in the order teacher, student, files.

    Raises:
        BadInput: the student cannot be exported to a target that was named, or its runtime is not installed.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> import tutelage as tl
        >>> X, y = load_iris(return_X_y=True)
        >>> result = bench(tl.SoftTree(max_leaf_nodes=4).fit(X, y), X, to=["py"], seconds=0.2)
        >>> [one.name for one in result.contenders], result.contenders[1].multiply_adds
        (['student', 'student.py'], 3)
    """
    seconds = number("seconds", seconds, above=0)
    chosen = list(TARGETS) if to is None else [check_target(name) for name in to]
    check_student(student)
    subject, rows = subject_of(student, X)
    rows = rows[:BATCH_ROWS]
    job = Job(subject, rows, program_of(subject, rows), "student", settings or Settings())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        entries: list[_Entry] = []
        skipped: list[str] = []

        def enter(entry: _Entry) -> None:
            stack.callback(entry.child.end)
            entries.append(entry)

        given = subject.given(rows)
        if isinstance(teacher, ChatTeacher):
            skipped.append("teacher: answers of a language model are stored, and take no time here; a distillation reports its requests")
        elif teacher is not None:
            enter(_of_model("teacher", teacher, given, Path(folder)))
        enter(_of_model("student", subject.student, given, Path(folder), count=multiply_adds(job.program)))
        for end in chosen:
            try:
                enter(_of_file(end, job, Path(folder)))
            except TutelageError as error:
                if to is not None:
                    raise
                skipped.append(f"{end.removeprefix('.')}: {error}")
        _time(entries, len(rows), seconds)
        for entry in entries:
            entry.child.end()
    return Bench(_contenders(entries, len(rows)), platform.machine(), tuple(skipped))


def time_file(student: Any, X: Any, to: str, *, seconds: float) -> Latency:
    """The latency of single rows in an exported file of the student, as `bench` measures it.

    Args:
        student: fitted.
        X: rows that it is asked.
        to: the target.
        seconds: time for the measurement, about.

    Raises:
        as `bench`.
    """
    subject, rows = subject_of(student, X)
    job = Job(subject, rows, program_of(subject, rows), "student", Settings())
    with tempfile.TemporaryDirectory() as folder:
        entry = _of_file(check_target(to), job, Path(folder))
        try:
            calls = _calls(entry.child, 1, seconds / BLOCKS)
            return latency_of([entry.child.times(1, calls) for _ in range(BLOCKS)], 1)
        finally:
            entry.child.end()


@dataclass
class _Entry:
    """A contender while it is measured."""

    name: str
    runtime: str
    child: Child
    size_bytes: int
    multiply_adds: int | None
    alone: list[Floats] = field(default_factory=list)
    batch: list[Floats] = field(default_factory=list)


_OF_MODEL = (
    PYTHON_LOOP
    + """
import pickle
with open(sys.argv[1], "rb") as file:
    model, given = pickle.load(file)
answer = next(getattr(model, name) for name in ("answer", "predict_proba", "predict") if hasattr(model, name))
count = given.shape[0] if hasattr(given, "shape") else len(given)
take = given.iloc.__getitem__ if hasattr(given, "iloc") else given.__getitem__
serve(lambda start, rows: answer(take(slice(start, start + rows))), count)
"""
)


def _of_model(name: str, model: Any, given: Any, folder: Path, *, count: int | None = None) -> _Entry:
    """A model of this process, in a process of its own."""
    path = folder / f"{name}.pickle"
    try:
        size = len(pickle.dumps(model))
        path.write_bytes(pickle.dumps((model, given)))
    except Exception as error:  # whatever the model raises
        raise BadInput(f"the {name} cannot be timed: it cannot be sent to another process ({type(error).__name__}).") from error
    child = Child([sys.executable, "-W", "ignore", "-c", _OF_MODEL, str(path)], f"the {name}")
    return _Entry(name, f"Python {platform.python_version()}", child, size, count)


def _of_file(end: str, job: Job, folder: Path) -> _Entry:
    """An exported file, in its runtime."""
    target = import_module(TARGETS[end][1])
    runtime = target.runtimes(job)[0].name
    files = target.write(job, ["Written to be timed."])
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / f"{job.stem}{end}"
    child = Child(target.timed(path, job, folder), path.name)
    return _Entry(path.name, runtime, child, len(files[path.name]), multiply_adds(job.program))


def _time(entries: Sequence[_Entry], count: int, seconds: float) -> None:
    """Let the contenders answer in turn, in blocks, single rows and batches."""
    for rows, taken in ((1, "alone"), (count, "batch")):
        share = seconds / 2 / BLOCKS
        calls = [_calls(entry.child, rows, share) for entry in entries]
        for _ in range(BLOCKS):
            for entry, number_of_calls in zip(entries, calls, strict=True):
                getattr(entry, taken).append(entry.child.times(rows, number_of_calls))


def _calls(child: Child, rows: int, seconds: float) -> int:
    """Warm up, and find how many calls fill a block."""
    calls, taken = 1, child.times(rows, 1)
    while taken.sum() < seconds * BLOCKS * WARM_UP and calls < MOST_CALLS:
        calls = min(4 * calls, MOST_CALLS)
        taken = child.times(rows, calls)
    return int(np.clip(seconds / max(float(np.median(taken)), 1e-9), 2, MOST_CALLS))


def _contenders(entries: Sequence[_Entry], count: int) -> tuple[Contender, ...]:
    medians = np.array([[np.median(block) for block in entry.alone] for entry in entries])
    fastest = int(np.median(medians, axis=1).argmin())
    return tuple(
        Contender(
            entry.name,
            entry.runtime,
            latency_of(entry.alone, 1),
            latency_of(entry.batch, count),
            entry.size_bytes,
            entry.child.peak_bytes,
            entry.multiply_adds,
            None if place == fastest else _ratio(medians[place], medians[fastest]),
        )
        for place, entry in enumerate(entries)
    )


def _ratio(slow: NDArray[Any], fast: NDArray[Any]) -> tuple[float, float, float]:
    """How many times slower, with an interval over blocks in which both took turns."""
    logs = np.log(np.maximum(slow, 1e-9)) - np.log(np.maximum(fast, 1e-9))
    half = stats.t.ppf(0.5 + LEVEL / 2, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    middle = float(logs.mean())
    return float(np.exp(middle)), float(np.exp(middle - half)), float(np.exp(middle + half))
