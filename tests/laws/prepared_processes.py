"""Processes that start from one that has imported everything: in an instant, and a kill falls into their work."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_PROCESSES = multiprocessing.get_context("forkserver")
# The last is what torch's optimizers import when the first of them is made.
_PROCESSES.set_forkserver_preload(
    ["pytest", "tutelage.training.student", "tutelage.softlabels.recording", "pandas", "pyarrow.parquet", "torch._dynamo"]
)
_PATIENCE = 300


def started(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that does this work, which must be a function of a module."""
    process = _PROCESSES.Process(target=work, args=arguments)
    process.start()
    return process


def assert_finishes(process: BaseProcess) -> None:
    """Wait for the end of a process that is left alone."""
    process.join(_PATIENCE)
    assert process.exitcode == 0


def kill_after(process: BaseProcess, reached: Callable[[], bool], seconds: float) -> None:
    """Kill a process so many seconds after it has reached something: by progress first, because a machine may be slow."""
    deadline = time.monotonic() + _PATIENCE
    while not reached():
        assert process.is_alive(), "the process ended before it was killed; what it printed says why"
        assert time.monotonic() < deadline, "the process makes no progress"
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.join(_PATIENCE)
    assert process.exitcode == -9


def length(log: Path) -> int:
    """How many bytes a log holds; none if nobody has written it yet."""
    return log.stat().st_size if log.exists() else 0
