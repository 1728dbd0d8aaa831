"""What a model costs: microseconds a row, alone and in a batch; bytes and parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tutelage.core.records import Cost
from tutelage.data.rows import Rows
from tutelage.evaluation.records import Latency, StudentCost
from tutelage.evaluation.significance import LEVEL
from tutelage.evaluation.size import count_parts, pickled_bytes

BATCH_ROWS = 1000


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
    alone = _call_seconds(predict, rows[:1], budget_seconds)
    together = _call_seconds(predict, rows[:BATCH_ROWS], budget_seconds)
    batch_rows = len(rows[:BATCH_ROWS])
    return Cost(
        size_bytes=size_bytes,
        latency_us=median(alone) * 1e6,
        batch_latency_us=median(together) * 1e6 / batch_rows,
        batch_rows=batch_rows,
    )


def student_cost(
    student: Any,
    predict: Callable[[Any], Any],
    rows: Rows,
    *,
    size_bytes: int | None = None,
    budget_seconds: float | None = 0.3,
) -> StudentCost:
    """What a student costs to keep and to ask.

    Args:
        student: what is weighed and counted.
        predict: asks it.
        rows: real ones, of any kind; a batch of up to 1000 of them is timed as well as the first alone.
        size_bytes: of the file that will answer; without it the student is weighed as a pickle.
        budget_seconds: about how long each of the two measurements may take; None takes no time and tells none.
    """
    parts = count_parts(student)
    size = StudentCost(
        size_bytes=pickled_bytes(student) if size_bytes is None else size_bytes,
        size_of="pickle" if size_bytes is None else "file",
        parts=parts[0] if parts else None,
        unit=parts[1] if parts else "",
    )
    if budget_seconds is None:
        return size
    alone, batch = (measure_latency(predict, rows, count, budget_seconds) for count in (1, min(rows.count, BATCH_ROWS)))
    return replace(size, alone=alone, batch=batch)


def measure_latency(predict: Callable[[Any], Any], rows: Rows, count: int, budget_seconds: float) -> Latency:
    """Microseconds a row of repeated calls on the first `count` rows, after a warm-up.

    The interval of the median is read off the sorted calls (binomial), so it holds whatever their distribution, as
    long as calls do not depend on each other. The 99th percentile of fewer than 100 calls is the slowest, nearly.
    """
    microseconds = np.sort(_call_seconds(predict, rows.part(0, count), budget_seconds)) * 1e6 / count
    calls = len(microseconds)
    below = int(stats.binom.ppf((1 - LEVEL) / 2, calls, 0.5)) - 1  # zero-based; -1 where the calls are too few
    ci95 = (float(microseconds[below]), float(microseconds[calls - 1 - below])) if below >= 0 else None
    return Latency(float(np.median(microseconds)), float(np.quantile(microseconds, 0.99)), ci95, calls, count)


def _call_seconds(predict: Callable[[Any], Any], rows: Any, budget_seconds: float) -> list[float]:
    predict(rows)
    taken: list[float] = []
    end = perf_counter() + budget_seconds
    while len(taken) < 3 or (perf_counter() < end and len(taken) < 2000):
        begun = perf_counter()
        predict(rows)
        taken.append(perf_counter() - begun)
    return taken
