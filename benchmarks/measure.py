"""Time alternatives side by side in one run, so that a noisy machine disturbs them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How much time one thing takes beside another.

    Attributes:
        median: of the rounds' ratios.
        lowest, highest: of the rounds.
        seconds: median time of the thing measured, and of what it is measured against.
        rounds: how many.
        work: the same ratio in processor time of all threads, which other processes on the machine hardly disturb.
        fastest: the fastest round of one beside the fastest of the other: other work on the machine only ever adds time.
    """

    median: float
    lowest: float
    highest: float
    seconds: tuple[float, float]
    rounds: int
    work: float
    fastest: float

    def __str__(self) -> str:
        told = f"{self.median:.3f} ({self.lowest:.3f} to {self.highest:.3f}, {self.rounds} rounds"
        return f"{told}; fastest {self.fastest:.3f}; processor time {self.work:.3f})"


def ratio(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = 7) -> Ratio:
    """Time of `ours` divided by time of `theirs`: warmed up once, then in turns, first one first, then the other."""
    ours(), theirs()
    times: list[tuple[float, float]] = []
    works: list[tuple[float, float]] = []
    for number in range(rounds):
        pair, work = [0.0, 0.0], [0.0, 0.0]
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            start, worked = time.perf_counter(), time.process_time()
            (ours, theirs)[which]()
            pair[which], work[which] = time.perf_counter() - start, time.process_time() - worked
        times.append((pair[0], pair[1]))
        works.append((work[0], work[1]))
    ratios = sorted(a / b for a, b in times)
    medians = (statistics.median(a for a, _ in times), statistics.median(b for _, b in times))
    fastest = min(a for a, _ in times) / min(b for _, b in times)
    return Ratio(statistics.median(ratios), ratios[0], ratios[-1], medians, rounds, statistics.median(a / b for a, b in works), fastest)
