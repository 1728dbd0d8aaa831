from time import sleep

import numpy as np
import pytest
from chat_endpoint import Reply, asker, completion, serving
from scipy import stats

from tutelage.data.rows import as_rows
from tutelage.evaluation import cost as module
from tutelage.evaluation.cost import latency_of, latency_of_requests, measure_cost, measure_latency


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


def test_the_interval_of_the_median_is_over_blocks_of_calls(monkeypatch):
    slow, fast = np.full(50, 3e-6), np.full(50, 1e-6)
    monkeypatch.setattr(module, "_call_seconds", lambda *_: np.concatenate([slow, fast] * 5))
    latency = measure_latency(lambda rows: rows, as_rows(np.zeros((1, 1))), 1, 0.1)
    assert (latency.p50_us, latency.calls) == (pytest.approx(2), 500)
    half = stats.t.ppf(0.975, 9) * np.std([3, 1] * 5, ddof=1) / np.sqrt(10)  # as wide as ten blocks allow, not as 500 calls
    assert latency.ci95_us == pytest.approx((2 - half, 2 + half))


def test_the_interval_covers_the_median_where_slow_periods_last():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        slow = np.repeat(random.random(80) < 0.5, 25) ^ (random.random(2000) < 0.3)
        blocks = np.array_split(np.where(slow, 1.3, 1.0) * np.exp(random.normal(size=2000) * 0.1), 10)
        low, high = latency_of(blocks, 1).ci95_us
        covered += low <= 1.1404e6 <= high
    assert covered / 200 > 0.85


def test_too_few_calls_have_no_interval_and_no_budget_skips_timing():
    def predict(rows):
        sleep(0.002)

    slow = measure_cost(object(), predict, as_rows(np.zeros((2, 1))), size_bytes=9, budget_seconds=1e-9)
    assert (slow.alone.calls, slow.alone.ci95_us, slow.size_bytes, slow.size_of) == (3, None, 9, "file")
    calls = []
    assert measure_cost(object(), calls.append, as_rows(np.zeros((2, 1))), budget_seconds=None).alone is None
    assert calls == []


def test_the_latency_of_a_language_model_is_that_of_its_requests_and_not_of_its_store():
    with serving(lambda body: Reply(completion(body, "ham"), wait=0.05)) as endpoint:
        teacher = asker(endpoint, concurrency=2)
        assert latency_of_requests(teacher) is None
        for _ in range(3):
            teacher.answer(["a", "b", "c", "d"])
        found = latency_of_requests(teacher)
    assert (found.calls, found.batch_rows) == (4, 1)
    assert found.p50_us >= 50_000
