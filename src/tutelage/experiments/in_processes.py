"""Trainings that are independent of each other, one per processor: a step of a small network is too small to be split among them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed

from tutelage.core import torch_runtime
from tutelage.core.running.stages import Stages

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_processes(
    train: Callable[[Task], Result], tasks: Sequence[Task], *, parallel: bool = True, done: Callable[[Task], None] = lambda task: None
) -> list[Result]:
    """The results of all tasks, in their order.

    Args:
        train: a function of a module, or of an object that can be pickled.
        tasks: what it is called with.
        parallel: in separate processes, one per processor; slower for a few quick trainings.
        done: called with each task when it has its result.

    Returns:
        One result for each task.
    """
    workers = min(cpu_count(only_physical_cores=False), len(tasks)) if parallel else 1
    if workers <= 1:
        results = []
        for task in tasks:
            results.append(train(task))
            done(task)
        return results
    found: dict[int, Result] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped")  # joblib replaces workers that hold memory, as ours do between steps
        numbered = Parallel(workers, return_as="generator_unordered")(
            delayed(_numbered)(train, place, task) for place, task in enumerate(tasks)
        )
        for place, result in numbered:
            found[place] = result
            done(tasks[place])
    return [found[place] for place in range(len(tasks))]


def _numbered(train: Callable[[Task], Result], place: int, task: Task) -> tuple[int, Result]:
    torch_runtime.reuse_freed_memory()
    return place, train(task)


def in_stage(stages: Stages, name: str, train: Callable[[Task], Result], tasks: Sequence[Task], *, parallel: bool) -> list[Result]:
    """The same as a stage of a run, which goes on by a step with each task."""
    with stages.stage(name, len(tasks)) as advance:
        return in_processes(train, tasks, parallel=parallel, done=lambda _: advance())
