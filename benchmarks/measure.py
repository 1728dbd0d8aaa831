"""Time two alternatives in turns within one run, so that other work on the machine affects both equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """The time of one alternative divided by the time of another.

    Attributes:
        median: median ratio of all rounds.
        lowest, highest: lowest and highest ratio of a round.
        seconds: median time of each alternative.
        rounds: number of rounds.
        work: the median ratio of processor times of all threads, which other processes on the machine hardly affect.
        fastest: the fastest round of the first divided by the fastest of the second; other processes can only add time.
    """

    median: float
    lowest: float
    highest: float
    seconds: tuple[float, float]
    rounds: int
    work: float
    fastest: float

    def __str__(self) -> str:
        text = f"{self.median:.3f} ({self.lowest:.3f} to {self.highest:.3f}, {self.rounds} rounds"
        return f"{text}; fastest {self.fastest:.3f}; processor time {self.work:.3f})"


def ratio(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = 7) -> Ratio:
    """Time of `ours` divided by time of `theirs`: one warm-up each, then rounds in which they alternate in being first."""
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
