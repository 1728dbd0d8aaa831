"""Which shard is labelled next, by whom it is tried again, and when none is left: values and a clock that is passed in, no processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

ATTEMPTS = 3
"""Failures after which a shard is given up."""
SLOW = 2.0
"""A shard that takes this many times the median is started a second time, once no other waits."""


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
        slow: how many times the median a shard may take until it is started a second time.
    """

    def __init__(self, shards: Iterable[int], *, attempts: int = ATTEMPTS, slow: float = SLOW) -> None:
        self._waiting = deque(shards)
        self._running: dict[int, Attempt] = {}
        self._failures: dict[int, list[str]] = {}
        self._done: set[int] = set()
        self._seconds: list[float] = []
        self._attempts, self._slow, self._number = attempts, slow, 0
        self.given_up: dict[int, str] = {}

    @property
    def over(self) -> bool:
        """Whether every shard is labelled or given up. Attempts may still run, of shards that another attempt labelled."""
        left = {attempt.shard for attempt in self._running.values()} - self._done - self.given_up.keys()
        return not self._waiting and not left

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
        self._number += 1
        return attempt

    def finished(self, attempt: Attempt, now: float) -> bool:
        """Note that an attempt labelled its shard; whether it was the first to do so."""
        self._running.pop(attempt.number, None)
        self._seconds.append(now - attempt.started)
        was_first = attempt.shard not in self._done
        self._done.add(attempt.shard)
        self.given_up.pop(attempt.shard, None)
        return was_first

    def failed(self, attempt: Attempt, error: str) -> None:
        """Note that an attempt failed: its shard waits again, or is given up."""
        self._running.pop(attempt.number, None)
        if attempt.shard in self._done:
            return
        failures = self._failures.setdefault(attempt.shard, [])
        failures.append(error)
        if len(failures) >= self._attempts:
            self.given_up[attempt.shard] = error
        elif not self._runs(attempt.shard):
            self._waiting.append(attempt.shard)

    def _runs(self, shard: int) -> bool:
        return any(attempt.shard == shard for attempt in self._running.values())

    def _straggler(self, now: float) -> int | None:
        """The shard that runs longest, once, if it takes far longer than others did."""
        if not self._seconds:
            return None
        alone = [one for one in self._running.values() if one.shard not in self._done and self._count(one.shard) == 1]
        slowest = min(alone, key=lambda one: one.started, default=None)
        if slowest is None or now - slowest.started < self._slow * median(self._seconds):
            return None
        return slowest.shard

    def _count(self, shard: int) -> int:
        return sum(attempt.shard == shard for attempt in self._running.values())
