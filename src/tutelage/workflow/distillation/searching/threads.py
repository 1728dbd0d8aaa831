"""Jobs beside each other in threads: trees and linear algebra leave Python's lock while they compute."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

THREADS = min(2, os.cpu_count() or 1)

Job = TypeVar("Job")
Found = TypeVar("Found")


def in_threads(do: Callable[[Job], Found], jobs: Iterable[Job], stop: Event | None = None, *, threads: int = THREADS) -> list[Found]:
    """What each job gives, in order. No result may depend on the number of threads: every job draws from a seed of its own.

    Args:
        do: does one job.
        jobs: the jobs.
        stop: set at the first error, and by Ctrl-C, so that jobs under way can end early; those that have not begun never do.
        threads: number of jobs at a time.

    Example:
        >>> in_threads(str, [1, 2, 3])
        ['1', '2', '3']
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:  # filters that jobs change are as they were afterwards
        running = [pool.submit(do, job) for job in jobs]
        try:
            return [one.result() for one in running]
        except BaseException:
            if stop is not None:
                stop.set()
            for one in running:
                one.cancel()
            raise
