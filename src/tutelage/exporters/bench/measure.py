"""`bench`: what an answer costs in each exported file, beside the student and its teacher."""

from __future__ import annotations

import pickle
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tutelage.core.arguments import number
from tutelage.core.errors import FOREIGN, BadInput, TutelageError
from tutelage.core.records import Bench, Contender, Latency
from tutelage.exporters.bench.repeats import Repeats
from tutelage.exporters.bench.shipped import ShippedFile, sampled
from tutelage.exporters.export import TARGETS, check_target
from tutelage.exporters.subject.student_answers import check_student
from tutelage.exporters.targets.job import Settings
from tutelage.exporters.targets.timed_process import PYTHON_LOOP, Child
from tutelage.teachers.endpoints.chat_teacher import asks_an_endpoint

SECONDS = 2.0
"""Time for a contender, half of it for single rows, where nothing disturbs the machine."""


def bench(
    student: Any,
    X: Any,
    *,
    to: Iterable[str] | None = None,
    teacher: Any = None,
    seconds: float = SECONDS,
    settings: Settings | None = None,
) -> Bench:
    """Measure latency, memory, size and multiply-adds of a student, of its exported files and of its teacher, on one thread.

    Args:
        student: fitted; of a `Cascade`, its student and the files of it with their threshold.
        X: rows that it is asked, as for `export`; up to 1 000 of them, drawn at random, are used.
        to: targets, such as ["c", "onnx"]; by default all that the student can be exported to with what is installed.
        teacher: anything with an `answer`, `predict_proba` or `predict` that takes rows as the student does.
        seconds: time for each contender, half of it for single rows; up to three times as long where something disturbs the machine.
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
    model = sampled(student, X, settings or Settings())
    given, multiply_adds = model.given(), model.multiply_adds()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        entries: list[_Entry] = []
        skipped: list[str] = []

        def enter(entry: _Entry) -> None:
            stack.callback(entry.end)
            entry.measure(seconds)
            entries.append(entry)

        if asks_an_endpoint(teacher):
            skipped.append("teacher: answers of a language model are stored, and take no time here; a distillation reports its requests")
        elif teacher is not None:
            enter(_of_model("teacher", teacher, given, Path(folder), (1, model.count)))
        enter(_of_model("student", model.student, given, Path(folder), (1, model.count), multiply_adds))
        for end in chosen:
            try:
                enter(_of_file(model.file(end), Path(folder), (Repeats(1), Repeats(model.count)), multiply_adds))
            except TutelageError as error:
                if to is not None:
                    raise
                skipped.append(f"{end.removeprefix('.')}: {error}")
        while not all(entry.settled for entry in entries):
            for entry in entries:
                if not entry.settled:
                    entry.measure(seconds)
    return Bench(_contenders(entries), platform.machine(), tuple(skipped))


@dataclass
class _Entry:
    """A contender while it is measured.

    Attributes:
        start: starts a process that answers.
        calls: what is measured, by the number of rows of a call.
        stays: whether one process is measured again and again: those of Python models take seconds to start.
    """

    name: str
    runtime: str
    start: Callable[[], Child]
    size_bytes: int
    multiply_adds: int | None
    calls: tuple[Repeats, ...]
    stays: bool = False
    peak_bytes: int = 0
    _child: Child | None = None

    @property
    def settled(self) -> bool:
        return all(one.settled for one in self.calls)

    def measure(self, seconds: float) -> None:
        """Measure once more, for a share of the time."""
        self._child = self._child or self.start()
        for one in self.calls:
            one.measure(self._child, seconds / len(self.calls) / one.agreeing)
        if not self.stays:
            self.end()

    def end(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
            self.peak_bytes = max(self.peak_bytes, self._child.peak_bytes)
            self._child = None


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


def _of_model(name: str, model: Any, given: Any, folder: Path, counts: Sequence[int], multiply_adds: int | None = None) -> _Entry:
    """A model of this process, in a process of its own."""
    path = folder / f"{name}.pickle"
    try:
        size = len(pickle.dumps(model))
        path.write_bytes(pickle.dumps((model, given)))
    except FOREIGN as error:  # whatever the model raises
        raise BadInput(f"the {name} cannot be timed: it cannot be sent to another process ({type(error).__name__}).") from error
    start = partial(Child, [sys.executable, "-W", "ignore", "-c", _OF_MODEL, str(path)], f"the {name}")
    return _Entry(name, f"Python {platform.python_version()}", start, size, multiply_adds, tuple(map(Repeats, counts)), stays=True)


def _of_file(file: ShippedFile, folder: Path, calls: tuple[Repeats, ...], multiply_adds: int | None) -> _Entry:
    """An exported file, in its runtime."""
    return _Entry(file.name, file.runtime(), file.started(folder), file.size_bytes, multiply_adds, calls)


def _contenders(entries: Sequence[_Entry]) -> tuple[Contender, ...]:
    latencies = [tuple(one.latency for one in entry.calls) for entry in entries]
    fastest = min((alone for alone, _ in latencies), key=lambda one: one.p50_us)
    return tuple(
        Contender(
            entry.name,
            entry.runtime,
            alone,
            batch,
            entry.size_bytes,
            entry.peak_bytes,
            entry.multiply_adds,
            None if alone is fastest else _ratio(alone, fastest),
        )
        for entry, (alone, batch) in zip(entries, latencies, strict=True)
    )


def _ratio(slow: Latency, fast: Latency) -> tuple[float, float, float]:
    """How many times slower, between the ratios of the ends of the two intervals."""
    assert slow.ci95_us is not None and fast.ci95_us is not None  # noqa: S101, PT018 - latencies of processes that agree have one
    low, high = slow.ci95_us
    least, most = fast.ci95_us
    return slow.p50_us / fast.p50_us, low / most, high / max(least, 1e-3)
