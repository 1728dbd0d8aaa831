"""Jobs beside each other in threads: trees and linear algebra leave Python's lock while they compute."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = min(2, os.cpu_count() or 1)

Job = TypeVar("Job")
Found = TypeVar("Found")


def in_threads(do: Callable[[Job], Found], jobs: Iterable[Job], *, threads: int = THREADS) -> list[Found]:
    """What each job gives, in order. No result may depend on the number of threads: every job draws from a seed of its own.

    At the first error, and at Ctrl-C, jobs that have not begun never do.

    Args:
        do: does one job.
        jobs: the jobs.
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
            for one in running:
                one.cancel()
            raise
