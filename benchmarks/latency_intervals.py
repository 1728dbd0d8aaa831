"""How often the interval of a median latency covers it, where slow and fast periods last for tens of calls.

    .venv/bin/python benchmarks/latency_intervals.py

Each line: a kind of series, and the share of simulated runs of 2 000 calls whose interval covers the true median: over 10 and 20 blocks of
calls, and one that takes single calls for independent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from tutelage.evaluation.cost import latency_of

CALLS, RUNS = 2000, 500


def independent(random: np.random.Generator, calls: int) -> np.ndarray:
    return np.exp(random.normal(size=calls) * 0.2)


def correlated(share: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    def series(random: np.random.Generator, calls: int) -> np.ndarray:
        noise = random.normal(size=calls + 1000) * np.sqrt(1 - share**2)
        return np.exp(0.2 * lfilter([1], [1, -share], noise)[1000:])

    return series


def periods(random: np.random.Generator, calls: int) -> np.ndarray:
    starts = random.random(calls) < 1 / 50
    slow = random.random(starts.sum() + 1) < 0.3
    return np.exp(random.normal(size=calls) * 0.1) * np.where(slow[np.cumsum(starts)], 1.3, 1.0)


def single_calls(times: np.ndarray) -> tuple[float, float]:
    times = np.sort(times)
    low = int(stats.binom.ppf(0.025, len(times), 0.5)) - 1
    return times[low], times[len(times) - 1 - low]


def main() -> None:
    random = np.random.default_rng(0)
    kinds = {"independent": independent, "correlation .9": correlated(0.9), "correlation .98": correlated(0.98), "periods of 50": periods}
    for name, series in kinds.items():
        truth = np.median(series(random, 4_000_000))
        covered = {"10 blocks": 0, "20 blocks": 0, "single calls": 0}
        for _ in range(RUNS):
            times = series(random, CALLS)
            for blocks in (10, 20):
                low, high = latency_of(np.array_split(times / 1e6, blocks), 1).ci95_us
                covered[f"{blocks} blocks"] += low <= truth <= high
            low, high = single_calls(times)
            covered["single calls"] += low <= truth <= high
        print(f"{name:16}", "  ".join(f"{kind} {count / RUNS:.1%}" for kind, count in covered.items()))


if __name__ == "__main__":
    main()
