"""Which task is started next, whether it is tried again, and when none is left: values and a clock that is passed in, no processes."""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

ATTEMPTS = 3
"""Failures after which a task is given up."""
SLOW = 1.5
"""A task that takes this many times the median is started once more, once no other waits."""
MOST_AT_ONCE = 3
"""Attempts at one task that run at the same time."""


@dataclass(frozen=True)
class Attempt:
    """One try at a task.

    Attributes:
        number: of the attempt, from 0 over all tasks.
        task: its number.
        started: when, in seconds.
    """

    number: int
    task: int
    started: float


class Schedule:
    """The attempts at tasks.

    Args:
        tasks: numbers of what is to be done, in the order in which they are started.
        attempts: failures after which a task is given up.
        slow: how many times the median a task may take until it is started once more; infinite for tasks of which each takes its own time.
    """

    def __init__(self, tasks: Iterable[int], *, attempts: int = ATTEMPTS, slow: float = SLOW) -> None:
        self._waiting = deque(tasks)
        self._running: dict[int, Attempt] = {}
        self._failures: dict[int, list[str]] = {}
        self._done: set[int] = set()
        self._seconds: list[float] = []  # sorted
        self._attempts_of: Counter[int] = Counter()  # that run, by task
        self._latest: dict[int, int] = {}  # the last attempt at each task
        self._attempts, self._slow, self._number = attempts, slow, 0
        self._open = len(self._waiting)  # tasks that are neither done nor given up
        self.given_up: dict[int, str] = {}

    @property
    def over(self) -> bool:
        """Whether every task is done or given up. Attempts may still run, of tasks that another attempt did."""
        return not self._waiting and self._open == 0

    @property
    def running(self) -> int:
        """Number of attempts that run."""
        return len(self._running)

    def start(self, now: float) -> Attempt | None:
        """The next attempt for a worker that is free; None if there is nothing to do at the moment.

        Args:
            now: in seconds, of any clock that does not go back.
        """
        task = self._waiting.popleft() if self._waiting else self._straggler(now)
        if task is None:
            return None
        attempt = Attempt(self._number, task, now)
        self._running[attempt.number] = attempt
        self._attempts_of[task] += 1
        self._latest[task] = attempt.number
        self._number += 1
        return attempt

    def finished(self, attempt: Attempt, now: float) -> bool:
        """Note that an attempt did its task; whether it was the first to do so."""
        self._ended(attempt)
        insort(self._seconds, now - attempt.started)
        was_first = attempt.task not in self._done
        self._done.add(attempt.task)
        if was_first and self.given_up.pop(attempt.task, None) is None:
            self._open -= 1
        return was_first

    def failed(self, attempt: Attempt, error: str) -> None:
        """Note that an attempt failed: its task waits again, or is given up."""
        self._ended(attempt)
        if attempt.task in self._done or attempt.task in self.given_up:
            return
        failures = self._failures.setdefault(attempt.task, [])
        failures.append(error)
        if len(failures) >= self._attempts:
            self.given_up[attempt.task] = error
            self._open -= 1
        elif not self._attempts_of[attempt.task]:
            self._waiting.append(attempt.task)

    def _ended(self, attempt: Attempt) -> None:
        del self._running[attempt.number]
        self._attempts_of[attempt.task] -= 1
        if self._attempts_of[attempt.task] and self._latest[attempt.task] == attempt.number:
            self._latest[attempt.task] = max(other.number for other in self._running.values() if other.task == attempt.task)

    def _straggler(self, now: float) -> int | None:
        """The task whose last attempt runs longest, if it takes far longer than others did."""
        if not self._seconds:
            return None
        slowest = next(filter(self._may_run_again, self._running.values()), None)  # they are in the order in which they were started
        median = self._seconds[len(self._seconds) // 2]
        return None if slowest is None or now - slowest.started < self._slow * median else slowest.task

    def _may_run_again(self, attempt: Attempt) -> bool:
        """Whether it is the last attempt at a task that is not done, and of which not too many run."""
        task = attempt.task
        return self._latest[task] == attempt.number and task not in self._done and self._attempts_of[task] < MOST_AT_ONCE
