"""Cost of a model: latency per row (single and in a batch), size in bytes, and number of parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tutelage.core.records import Cost, Latency
from tutelage.data.rows import Rows
from tutelage.evaluation.intervals import LEVEL
from tutelage.evaluation.size import count_parts, pickled_bytes
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher
from tutelage.teachers.inputs import copied_rows

BATCH_ROWS = 1000
BLOCKS = 10
"""Blocks of consecutive calls over which an interval is taken: calls beside each other are slow or fast together."""


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
    """Microseconds per row of repeated calls on the first `count` rows, after a warm-up; see `latency_of`."""
    return latency_of(np.array_split(_call_seconds(predict, rows.part(0, count), budget_seconds), BLOCKS), count)


def latency_of(blocks: Sequence[ArrayLike], rows: int) -> Latency:
    """The latency that blocks of consecutive calls show.

    The interval of the median is Student's t over the medians of the blocks. One that took single calls for independent would cover
    the true median in 20 to 45 % of runs where slow and fast periods last for tens of calls; this one covers it in 88 to 96 % of 2 000
    simulated calls (benchmarks/latency_intervals.py). With fewer than 100 calls the 99th percentile is close to the slowest call.

    Args:
        blocks: seconds of each call, in blocks of consecutive calls.
        rows: number of rows of a call.
    """
    kept = [np.asarray(block, dtype=np.float64) * 1e6 / rows for block in blocks]
    every = np.concatenate(kept)
    middle = float(np.median(every))
    ci95 = None
    if len(kept) > 1 and min(map(len, kept)) > 1:
        medians = np.array([np.median(block) for block in kept])
        half = float(stats.t.ppf(0.5 + LEVEL / 2, len(kept) - 1) * medians.std(ddof=1) / np.sqrt(len(kept)))
        ci95 = (max(middle - half, 0.0), middle + half)
    return Latency(middle, float(np.quantile(every, 0.99)), ci95, len(every), rows)


def latency_of_requests(teacher: ChatTeacher) -> Latency | None:
    """The latency of the requests by which a language model answered; None if it was asked nothing. Its stored answers take no time."""
    seconds = teacher.store.seconds.get(teacher.asked)
    return latency_of(np.array_split(seconds, min(BLOCKS, len(seconds))), 1) if seconds else None


def _call_seconds(predict: Callable[[Any], Any], rows: Any, budget_seconds: float) -> list[float]:
    predict(copied_rows(rows))
    taken: list[float] = []
    end = perf_counter() + budget_seconds
    while len(taken) < 3 or (perf_counter() < end and len(taken) < 2000):
        given = copied_rows(rows)  # which the model may modify in place
        start = perf_counter()
        predict(given)
        taken.append(perf_counter() - start)
    return taken
