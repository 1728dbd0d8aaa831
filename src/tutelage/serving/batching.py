"""Requests that wait together are answered together, slow ones in a thread of their own, and no more may wait than the queue holds."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

import numpy as np

from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.serving.model import Answered
from tutelage.serving.row_format import ServedRows

log = logging.getLogger("tutelage.serving")
CLOSE_S = 1.0
"""Seconds in which a batch must end once nobody waits for it."""
Outcome = Answered | Exception


class Busy(Exception):
    """The queue has no room for the rows."""


class Gone(Exception):
    """The client has left before its rows were answered."""


class Failed(Exception):
    """The code of a model raised what asyncio takes for a message of its own, such as SystemExit or CancelledError; its cause is that."""


@dataclass(frozen=True, eq=False)
class _Job:
    rows: ServedRows
    future: asyncio.Future[Answered]
    gone: Callable[[], bool] | None


class Thread:
    """A thread that does one thing after the other, and does not keep the process from ending: a teacher may hang."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tutelage-answers", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], None] | None) -> None:
        """Do this after what was submitted before; None ends the thread."""
        self._work.put(work)

    def close(self, most_s: float) -> None:
        """End after what was submitted; wait for it, but not longer than `most_s` seconds."""
        self._work.put(None)
        self._thread.join(most_s)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except BaseException as error:  # what comes after it is done all the same
                log.error("a thread failed with %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))


class Batcher:
    """Answers rows of many requests, several requests at a time.

    While some rows are answered, those that arrive wait, and are then answered together: the busier, the larger the batches. All methods
    are called in one event loop. `answer` runs in a thread, unless it is quick: the change of threads takes longer than a small student.

    Args:
        answer: from rows to their answers.
        quick_s: a batch that takes fewer seconds than this, going by the last one, is answered without the thread; 0 for none.
        batch_rows: rows of several requests that are answered together, at most.
        wait_s: seconds that the first of them waits for more.
        queue_rows: rows that may wait.
        observe: called after each batch, with its rows, its answers and the seconds that they took.
    """

    def __init__(
        self,
        answer: Callable[[ServedRows], Answered],
        *,
        batch_rows: int,
        wait_s: float,
        queue_rows: int,
        quick_s: float,
        observe: Callable[[ServedRows, Answered, float], None],
    ) -> None:
        self._answer, self._observe = answer, observe
        self._batch_rows, self._wait_s, self._queue_rows = batch_rows, wait_s, queue_rows
        self._quick_s = quick_s
        self._last = (1, float("inf"))  # rows and seconds
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._busy = False
        self._start_at: asyncio.Handle | None = None
        self._thread: Thread | None = None

    @property
    def waiting(self) -> int:
        """Number of rows that wait."""
        return self._waiting

    async def ask(self, rows: ServedRows, gone: Callable[[], bool] | None = None) -> Answered:
        """The answers to the rows of one request.

        Args:
            rows: of the request.
            gone: whether its client has left meanwhile.

        Raises:
            Busy: the queue is full. Gone: the client left before the rows were answered.
        """
        if self._waiting + len(rows) > self._queue_rows:
            raise Busy
        loop = asyncio.get_running_loop()
        job = _Job(rows, loop.create_future(), gone)
        self._jobs.append(job)
        self._waiting += len(rows)
        self._arrange(loop)
        return await job.future

    def close(self) -> None:
        """End the thread, after the batch that it answers unless that takes longer than `CLOSE_S`; another request starts a new one."""
        if self._thread is not None:
            self._thread.close(CLOSE_S)
            self._thread = None

    def _arrange(self, loop: asyncio.AbstractEventLoop) -> None:
        """Plan the next batch, unless one is being answered or planned."""
        if self._busy or not self._jobs:
            return
        full = self._waiting >= self._batch_rows
        if self._start_at is not None and not full:
            return
        if self._start_at is not None:
            self._start_at.cancel()
        # Even without waiting, the requests that this turn of the loop reads come along.
        self._start_at = loop.call_soon(self._start, loop) if full or not self._wait_s else loop.call_later(self._wait_s, self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._start_at = None
        jobs: list[_Job] = []
        rows = 0
        while self._jobs and (not jobs or rows + len(self._jobs[0].rows) <= self._batch_rows):
            job = self._jobs.popleft()
            self._waiting -= len(job.rows)
            if job.future.done():  # cancelled
                continue
            if job.gone is not None and job.gone():
                job.future.set_exception(Gone())
                continue
            jobs.append(job)
            rows += len(job.rows)
        if not jobs:
            return
        last_rows, seconds = self._last
        self._busy = True
        finish = partial(self._finish, loop)
        if seconds * max(1.0, rows / last_rows) < self._quick_s:
            self._work(jobs, finish)
        else:
            self._thread = self._thread or Thread()
            self._thread.submit(lambda: self._work(jobs, lambda *answered: loop.call_soon_threadsafe(finish, *answered)))

    def _work(self, jobs: Sequence[_Job], finish: Callable[[Sequence[_Job], Sequence[Outcome]], object]) -> None:
        """Answer a batch; what it is good for besides is done once the answers are on their way."""
        done: list[tuple[ServedRows, Answered, float]] = []
        outcomes = self._outcomes(jobs, done)
        if done:
            self._last = (len(done[-1][0]), done[-1][2])
        with suppress(RuntimeError):  # the loop has ended
            finish(jobs, outcomes)
        for each in done:
            self._observe(*each)

    def _outcomes(self, jobs: Sequence[_Job], done: list[tuple[ServedRows, Answered, float]]) -> list[Outcome]:
        """The answers to each request, or what was wrong with its rows, which does not spoil the answers to others."""
        started = time.perf_counter()
        try:
            rows = joined([job.rows for job in jobs])
            answered = self._answer(rows)
        except BaseException as error:  # the code of a teacher raises anything
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, which no other thread receives
            return [_outcome(error)] if len(jobs) == 1 else [outcome for job in jobs for outcome in self._outcomes([job], done)]
        done.append((rows, answered, time.perf_counter() - started))
        stops = np.cumsum([len(job.rows) for job in jobs]).tolist()
        return [answered.part(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]

    def _finish(self, loop: asyncio.AbstractEventLoop, jobs: Sequence[_Job], outcomes: Sequence[Outcome]) -> None:
        self._busy = False
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, Answered):
                job.future.set_result(outcome)
            else:
                job.future.set_exception(outcome)
        self._arrange(loop)


def _outcome(error: BaseException) -> Exception:
    """An error as a future takes it, and as whoever waits for it is not stopped by it."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    failed = Failed(type(error).__name__)
    failed.__cause__ = error
    return failed


def joined(parts: Sequence[Any]) -> Any:
    """Rows of several requests, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], StructuredRows):
        return StructuredRows.joined(parts)
    return CheckRows(np.concatenate([part.numbers for part in parts]), np.concatenate([part.texts for part in parts]))
