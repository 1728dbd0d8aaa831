import pickle

import numpy as np
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.bench import repeats
from tutelage.exporters.bench.repeats import AGREEING
from tutelage.exporters.bench.shipped import sampled, shipped_file
from tutelage.exporters.targets.job import Settings

X = np.random.default_rng(0).normal(size=(1200, 3))
TREE = tl.SoftTree(max_leaf_nodes=4, random_state=0).fit(X, (X[:, 0] > 0).astype(int))


def test_a_file_is_as_large_as_it_gets_once_it_is_proven(tmp_path):
    file = shipped_file(TREE, "py", check_on=X)
    record = tl.export(TREE, tmp_path / "student.py", check_on=X)
    assert record.size_bytes <= file.size_bytes <= record.size_bytes + 1000
    assert sampled(TREE, X, Settings()).file(".py").size_bytes < record.size_bytes  # without the record of the proof
    with pytest.raises(BadInput, match="no target is named 'jpg'"):
        shipped_file(TREE, "jpg", check_on=X)


def test_a_file_of_another_process_is_timed_here(monkeypatch):
    monkeypatch.setattr(repeats, "MOST_PROCESSES", AGREEING)
    file = pickle.loads(pickle.dumps(shipped_file(TREE, ".py", check_on=X)))  # noqa: S301 - our own
    assert file.runtime().startswith("Python 3")
    latency = file.latency(seconds=0.02, agreeing=2)
    assert latency.batch_rows == 1
    assert latency.ci95_us is None


def test_a_model_is_timed_with_a_sample_of_its_rows():
    model = sampled(TREE, X, Settings())
    assert (model.count, len(model.given()), model.multiply_adds()) == (1000, 1000, 2)
