"""Which shard is labelled next, by whom it is tried again, and when none is left: values and a clock that is passed in, no processes."""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

ATTEMPTS = 3
"""Failures after which a shard is given up."""
SLOW = 1.5
"""A shard that takes this many times the median is started once more, once no other waits."""
MOST_AT_ONCE = 3
"""Attempts at one shard that run at the same time."""


@dataclass(frozen=True)
class Attempt:
    """One try to label a shard.

    Attributes:
        number: of the attempt, from 0 over all shards.
        shard: that is labelled.
        started: when, in seconds.
    """

    number: int
    shard: int
    started: float


class Schedule:
    """The attempts at shards.

    Args:
        shards: that are to be labelled, in the order in which they are started.
        attempts: failures after which a shard is given up.
        slow: how many times the median a shard may take until it is started once more.
    """

    def __init__(self, shards: Iterable[int], *, attempts: int = ATTEMPTS, slow: float = SLOW) -> None:
        self._waiting = deque(shards)
        self._running: dict[int, Attempt] = {}
        self._failures: dict[int, list[str]] = {}
        self._done: set[int] = set()
        self._seconds: list[float] = []  # sorted
        self._attempts_of: Counter[int] = Counter()  # that run, by shard
        self._latest: dict[int, int] = {}  # the last attempt at each shard
        self._attempts, self._slow, self._number = attempts, slow, 0
        self._open = len(self._waiting)  # shards that are neither labelled nor given up
        self.given_up: dict[int, str] = {}

    @property
    def over(self) -> bool:
        """Whether every shard is labelled or given up. Attempts may still run, of shards that another attempt labelled."""
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
        shard = self._waiting.popleft() if self._waiting else self._straggler(now)
        if shard is None:
            return None
        attempt = Attempt(self._number, shard, now)
        self._running[attempt.number] = attempt
        self._attempts_of[shard] += 1
        self._latest[shard] = attempt.number
        self._number += 1
        return attempt

    def finished(self, attempt: Attempt, now: float) -> bool:
        """Note that an attempt labelled its shard; whether it was the first to do so."""
        self._ended(attempt)
        insort(self._seconds, now - attempt.started)
        was_first = attempt.shard not in self._done
        self._done.add(attempt.shard)
        if was_first and self.given_up.pop(attempt.shard, None) is None:
            self._open -= 1
        return was_first

    def failed(self, attempt: Attempt, error: str) -> None:
        """Note that an attempt failed: its shard waits again, or is given up."""
        self._ended(attempt)
        if attempt.shard in self._done or attempt.shard in self.given_up:
            return
        failures = self._failures.setdefault(attempt.shard, [])
        failures.append(error)
        if len(failures) >= self._attempts:
            self.given_up[attempt.shard] = error
            self._open -= 1
        elif not self._attempts_of[attempt.shard]:
            self._waiting.append(attempt.shard)

    def _ended(self, attempt: Attempt) -> None:
        del self._running[attempt.number]
        self._attempts_of[attempt.shard] -= 1
        if self._attempts_of[attempt.shard] and self._latest[attempt.shard] == attempt.number:
            self._latest[attempt.shard] = max(other.number for other in self._running.values() if other.shard == attempt.shard)

    def _straggler(self, now: float) -> int | None:
        """The shard whose last attempt runs longest, if it takes far longer than others did."""
        if not self._seconds:
            return None
        slowest = next(filter(self._may_run_again, self._running.values()), None)  # they are in the order in which they were started
        median = self._seconds[len(self._seconds) // 2]
        return None if slowest is None or now - slowest.started < self._slow * median else slowest.shard

    def _may_run_again(self, attempt: Attempt) -> bool:
        """Whether it is the last attempt at a shard that is not labelled, and of which not too many run."""
        shard = attempt.shard
        return self._latest[shard] == attempt.number and shard not in self._done and self._attempts_of[shard] < MOST_AT_ONCE
