"""Cost of a model: latency per row (single and in a batch), size in bytes, and number of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from scipy import stats

from tutelage.core.records import Cost, Latency
from tutelage.data.rows import Rows
from tutelage.evaluation.intervals import LEVEL
from tutelage.evaluation.size import count_parts, pickled_bytes

BATCH_ROWS = 1000


def measure_cost(
    model: Any,
    predict: Callable[[Any], Any],
    rows: Rows,
    *,
    size_bytes: int | None = None,
    budget_seconds: float | None = 0.3,
) -> Cost:
    """Measure the size and latency of a model.

    Args:
        model: the model whose size and parts are measured.
        predict: the method to time; takes rows.
        rows: real rows of any kind; the first row alone and a batch of up to 1000 rows are timed.
        size_bytes: size of the exported file; by default the size of the pickled model.
        budget_seconds: approximate time for each of the two measurements; None skips them.
    """
    parts = count_parts(model)
    size = Cost(
        size_bytes=pickled_bytes(model) if size_bytes is None else size_bytes,
        size_of="pickle" if size_bytes is None else "file",
        parts=parts[0] if parts else None,
        unit=parts[1] if parts else "",
    )
    if budget_seconds is None:
        return size
    alone, batch = _latencies(predict, rows, budget_seconds)
    return replace(size, alone=alone, batch=batch)


def _latencies(predict: Callable[[Any], Any], rows: Rows, budget_seconds: float) -> tuple[Latency, Latency]:
    """Latency of calls with one row, and of calls with a batch of up to `BATCH_ROWS` rows."""
    return (
        measure_latency(predict, rows, 1, budget_seconds),
        measure_latency(predict, rows, min(rows.count, BATCH_ROWS), budget_seconds),
    )


def measure_latency(predict: Callable[[Any], Any], rows: Rows, count: int, budget_seconds: float) -> Latency:
    """Microseconds per row of repeated calls on the first `count` rows, after a warm-up.

    The interval of the median is taken from the order statistics (binomial), so it holds for any distribution, provided
    that the calls are independent. With fewer than 100 calls the 99th percentile is close to the slowest call.
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
        start = perf_counter()
        predict(rows)
        taken.append(perf_counter() - start)
    return taken
