from time import sleep

import numpy as np
import pytest
from scipy import stats

from tutelage.data.rows import as_rows
from tutelage.evaluation import cost as module
from tutelage.evaluation.cost import measure_cost, measure_latency


def test_student_calls_are_timed_alone_and_in_a_batch(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])

    def predict(rows):
        calls.append(len(rows))
        # A slow first call, then one in fifty that is slow, and a cost that does not depend on the batch size.
        now[0] += 5.0 if len(calls) == 1 else 0.010 if len(calls) % 50 == 0 else 0.001

    cost = measure_cost(object(), predict, as_rows(np.zeros((4000, 2))), size_bytes=77, budget_seconds=0.3)
    assert set(calls) == {1, 1000}
    assert cost.alone.p50_us == pytest.approx(1000)
    assert cost.alone.p99_us > 5000
    assert cost.alone.ci95_us == pytest.approx((1000, 1000))
    assert cost.batch.p50_us == pytest.approx(1.0)
    assert (cost.size_bytes, cost.size_of, cost.parts, cost.unit, cost.batch.batch_rows) == (77, "file", None, "", 1000)


def test_the_interval_of_the_median_is_binomial(monkeypatch):
    seconds = iter(np.random.default_rng(0).permutation(np.arange(1, 102)) / 1e6)
    monkeypatch.setattr(module, "_call_seconds", lambda *_: list(seconds))
    latency = measure_latency(lambda rows: rows, as_rows(np.zeros((1, 1))), 1, 0.1)
    assert (latency.p50_us, latency.calls) == (pytest.approx(51), 101)
    low, high = latency.ci95_us
    assert (51 - low) == pytest.approx(high - 51)
    assert stats.binom.cdf(low - 1, 101, 0.5) <= 0.025 < stats.binom.cdf(low, 101, 0.5)


def test_too_few_calls_have_no_interval_and_no_budget_skips_timing():
    def predict(rows):
        sleep(0.002)

    slow = measure_cost(object(), predict, as_rows(np.zeros((2, 1))), size_bytes=9, budget_seconds=1e-9)
    assert (slow.alone.calls, slow.alone.ci95_us, slow.size_bytes, slow.size_of) == (3, None, 9, "file")
    calls = []
    assert measure_cost(object(), calls.append, as_rows(np.zeros((2, 1))), budget_seconds=None).alone is None
    assert calls == []
