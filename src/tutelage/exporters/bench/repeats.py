"""Calls measured again and again, until enough repeats agree on how long a call takes while nothing slows the machine down."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from tutelage.core.arrays import Floats
from tutelage.core.records import Latency
from tutelage.evaluation.intervals import LEVEL
from tutelage.exporters.targets.timed_process import Child

AGREEING, WITHIN = 4, 1.1
"""Processes that have to agree for an interval: their fastest blocks are within this ratio of the fastest of all."""
MOST_PROCESSES = 12
"""Processes after which a machine that is never undisturbed is left as it is."""
BLOCK_SECONDS = 0.005
"""Length of a block: moments without disturbance are often no longer."""
LEAST_BLOCKS, LEAST_CALLS, MOST_CALLS = 2, 2, 20_000
"""Blocks of a process; calls of a block."""


@dataclass
class Repeats:
    """Calls with some rows, by several processes.

    What shares a processor slows every program down by half or more for seconds to minutes, and a median over such a time says how busy the
    machine was. But the slow time has gaps: so of each process the fastest of many short blocks counts, each with the same rows, and
    processes whose fastest blocks are slower than others' are left out. (benchmarks/latency_repeated.py)

    Attributes:
        rows: of a call.
        agreeing: processes that have to agree.
        processes: of each process, its blocks: seconds of each call.
    """

    rows: int
    agreeing: int = AGREEING
    processes: list[list[Floats]] = field(default_factory=list)

    def measure(self, child: Child, seconds: float) -> None:
        """Measure with one more process, for about some seconds."""
        calls, left = _calls_of_a_block(child, self.rows, seconds)
        blocks: list[Floats] = []
        while len(blocks) < LEAST_BLOCKS or left > 0:
            blocks.append(child.times(self.rows, calls))
            left -= float(blocks[-1].sum())
        self.processes.append(blocks)

    @property
    def fastest(self) -> Floats:
        """(processes,) seconds: the median call of the fastest block of each process, in ascending order."""
        return np.sort([min(map(_median, blocks)) for blocks in self.processes])

    @property
    def settled(self) -> bool:
        """Whether enough processes agree, or there were as many as may be."""
        fastest = self.fastest
        return len(fastest) >= MOST_PROCESSES or int((fastest <= WITHIN * fastest[:1]).sum()) >= self.agreeing

    @property
    def latency(self) -> Latency:
        """The mean of the processes that agree, its interval, Student's t over them, and the 99th percentile of all calls of all processes.

        Where too few agree, it is of as many as have to, and the interval is as wide as their differences make it. Fewer than `AGREEING`
        give none: that of two is six times as wide as they are apart.
        """
        fastest = self.fastest * 1e6 / self.rows
        agreeing = fastest[: max(int((fastest <= WITHIN * fastest[0]).sum()), self.agreeing)]
        every = np.concatenate([block for blocks in self.processes for block in blocks])
        p99 = float(np.quantile(every, 0.99)) * 1e6 / self.rows
        return Latency(float(agreeing.mean()), p99, _interval(agreeing) if self.agreeing >= AGREEING else None, len(every), self.rows)


def _interval(agreeing: Floats) -> tuple[float, float]:
    middle, count = float(agreeing.mean()), len(agreeing)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1) * agreeing.std(ddof=1) / np.sqrt(count))
    return max(middle - half, 0.0), middle + half


def _calls_of_a_block(child: Child, rows: int, seconds: float) -> tuple[int, float]:
    """Warm up: how many calls fill a block, and how many seconds are left."""
    calls, taken = LEAST_CALLS, child.times(rows, LEAST_CALLS)
    left = seconds - float(taken.sum())
    while taken.sum() < BLOCK_SECONDS and calls < MOST_CALLS:
        calls = min(4 * calls, MOST_CALLS)
        taken = child.times(rows, calls)
        left -= float(taken.sum())
    return int(np.clip(BLOCK_SECONDS / max(_median(taken), 1e-9), LEAST_CALLS, MOST_CALLS)), left


def _median(block: Floats) -> float:
    return float(np.median(block))
