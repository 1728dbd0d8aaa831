"""What a model costs to ask: microseconds a row, alone and in a batch."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.records import Cost


def measure_cost(
    predict: Callable[[NDArray[np.float32]], Any],
    rows: NDArray[np.float32],
    *,
    size_bytes: int,
    budget_seconds: float = 0.3,
) -> Cost:
    """Time a model on real rows: the median over repeated calls, after a warm-up.

    Args:
        predict: answers (rows, features) float32; its threads are its own business.
        rows: at least one; a batch of up to 1000 of them is timed as well.
        size_bytes: of the file that answers.
        budget_seconds: about how long each of the two measurements may take.
    """
    batch = rows[:1000]
    alone = _median_seconds(predict, rows[:1], budget_seconds)
    together = _median_seconds(predict, batch, budget_seconds)
    return Cost(
        size_bytes=size_bytes,
        latency_us=alone * 1e6,
        batch_latency_us=together * 1e6 / len(batch),
        batch_rows=len(batch),
    )


def _median_seconds(predict: Callable[[NDArray[np.float32]], Any], rows: NDArray[np.float32], budget_seconds: float) -> float:
    predict(rows)
    taken: list[float] = []
    end = perf_counter() + budget_seconds
    while len(taken) < 3 or (perf_counter() < end and len(taken) < 2000):
        begun = perf_counter()
        predict(rows)
        taken.append(perf_counter() - begun)
    return median(taken)
