"""The driver: it hands the missing shards of a plan to workers until all are labelled, whatever becomes of single attempts."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from tutelage.core.errors import BadInput, CannotWrite, one_line
from tutelage.core.running.stages import Advance
from tutelage.softlabels.labelling.engines import Engine, started
from tutelage.softlabels.labelling.job import Job, label_shard
from tutelage.softlabels.labelling.plan import Plan
from tutelage.softlabels.labelling.schedule import Attempt, Schedule

LOOK_SECONDS = 0.2
"""How often the driver looks for shards that take too long, while nothing happens."""


def label_missing(plan: Plan, on: Any, *, advance: Advance = lambda: None) -> None:
    """Label the missing shards of a plan on other processes.

    Args:
        plan: of a recording.
        on: where: `Local`, `Ray`, or an object with `submit`.
        advance: called after each shard.

    Raises:
        BadInput: nothing to label on, or a teacher that cannot be sent.
        CannotWrite: shards that failed three times, with the rows and the error of the first; all others are labelled.
    """
    missing = plan.missing()
    for _ in range(len(plan) - len(missing)):
        advance()
    if not missing:
        return
    job = Job.of(plan)
    with started(on) as engine:
        schedule = _run(job, plan, engine, Schedule(missing), advance)
    if schedule.given_up:
        first = min(schedule.given_up)
        start, stop = plan.provenance.span(first)
        raise CannotWrite(
            f"{len(schedule.given_up)} of {len(plan)} shards could not be labelled; the others are complete. Shard {first}, rows {start} "
            f"to {stop - 1}: {schedule.given_up[first]}. Mend the cause and record again."
        )


def _run(job: Job, plan: Plan, engine: Engine, schedule: Schedule, advance: Callable[[], None]) -> Schedule:
    happened: queue.SimpleQueue[tuple[Attempt, Any]] = queue.SimpleQueue()
    while not schedule.over:
        while schedule.running < engine.workers and (attempt := schedule.start(time.monotonic())) is not None:
            inputs = None if job.origin is not None else plan.request.rows.part(*plan.provenance.span(attempt.shard))
            try:
                future = engine.submit(label_shard, job, attempt.shard, attempt.number, inputs)
            except RuntimeError as error:  # an executor that broke or was shut down
                raise BadInput(f"nothing can be started on it any more ({one_line(error)}). Record again: complete shards stay.") from error
            future.add_done_callback(lambda future, attempt=attempt: happened.put((attempt, future)))
        try:
            attempt, future = happened.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        try:
            future.result()
        except Exception as error:  # whatever a teacher raises, and what becomes of a worker
            schedule.failed(attempt, f"{type(error).__name__}: {one_line(error)}")
        else:
            if schedule.finished(attempt, time.monotonic()):
                advance()
    return schedule
