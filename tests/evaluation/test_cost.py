import numpy as np
import pytest

from tutelage.evaluation import cost as module
from tutelage.evaluation.cost import measure_cost


def test_the_median_is_told_per_row_alone_and_in_a_batch(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    asked = []

    def predict(rows):
        asked.append(len(rows))
        # A first call that is slow, one hiccup, and a cost that does not grow with the batch.
        now[0] += 5.0 if len(asked) == 1 else 0.9 if len(asked) == 3 else 0.002

    cost = measure_cost(predict, np.zeros((4000, 2), np.float32), size_bytes=77, budget_seconds=0.05)
    assert cost.latency_us == pytest.approx(2000)
    assert cost.batch_latency_us == pytest.approx(2.0)
    assert (cost.size_bytes, cost.batch_rows, set(asked)) == (77, 1000, {1, 1000})
