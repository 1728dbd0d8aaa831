"""The missing shards of a plan as tasks of other processes."""

from __future__ import annotations

from typing import Any

from tutelage.core.engines.engines import started
from tutelage.core.engines.schedule import Attempt
from tutelage.core.engines.tasks import Call, run_tasks
from tutelage.core.errors import CannotWrite
from tutelage.core.running.stages import Advance
from tutelage.softlabels.labelling.job import Job, label_shard
from tutelage.softlabels.labelling.plan import Plan


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

    def call(attempt: Attempt) -> Call:
        inputs = None if job.origin is not None else plan.request.rows.part(*plan.provenance.span(attempt.task))
        return label_shard, job, attempt.task, attempt.number, inputs

    with started(on) as engine:
        given_up = run_tasks(engine, missing, call, lambda shard, labelled: advance())
    if given_up:
        first = min(given_up)
        start, stop = plan.provenance.span(first)
        raise CannotWrite(
            f"{len(given_up)} of {len(plan)} shards could not be labelled; the others are complete. Shard {first}, rows {start} "
            f"to {stop - 1}: {given_up[first]}. Mend the cause and record again."
        )
