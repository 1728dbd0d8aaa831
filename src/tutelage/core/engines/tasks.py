"""The driver: it hands independent tasks to workers until all are done, whatever becomes of single attempts."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

from tutelage.core.engines.engines import Engine
from tutelage.core.engines.schedule import SLOW, Attempt, Schedule
from tutelage.core.errors import FOREIGN, BadInput, one_line

LOOK_SECONDS = 0.2
"""How often the driver looks for tasks that take too long, while nothing happens."""

Call = tuple[Any, ...]
"""A function, and what it is called with."""


def run_tasks(
    engine: Engine,
    tasks: Iterable[int],
    call: Callable[[Attempt], Call],
    done: Callable[[int, Any], None],
    *,
    slow: float = SLOW,
) -> dict[int, str]:
    """Run tasks on an engine: one that fails is tried again, three times at most, and the slowest are started once more.

    Args:
        engine: where they run.
        tasks: their numbers, in the order in which they are started.
        call: the function and the arguments of an attempt. It differs from those of other attempts at the task: an engine may know that
            it has the result of an equal call.
        done: called in this thread with the number and the result of each task, once, as it is done.
        slow: how many times the median a task may take until it is started once more; infinite for tasks of which each takes its own time.

    Returns:
        The error of each task that failed three times; all others are done.

    Raises:
        BadInput: the engine starts nothing any more.
    """
    happened: queue.SimpleQueue[tuple[Attempt, Any]] = queue.SimpleQueue()
    schedule = Schedule(tasks, slow=slow)
    while not schedule.over:
        while schedule.running < engine.workers and (attempt := schedule.start(time.monotonic())) is not None:
            try:
                future = engine.submit(*call(attempt))
            except RuntimeError as error:  # an executor that broke or was shut down
                raise BadInput(f"nothing can be started on it any more ({one_line(error)}). Call again: what is finished stays.") from error
            future.add_done_callback(lambda future, attempt=attempt: happened.put((attempt, future)))
        try:
            attempt, future = happened.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        try:
            result = future.result()
        except FOREIGN as error:  # whatever the task raises, and what becomes of a worker
            schedule.failed(attempt, f"{type(error).__name__}: {one_line(error)}")
        else:
            if schedule.finished(attempt, time.monotonic()):
                done(attempt.task, result)
    return schedule.given_up
