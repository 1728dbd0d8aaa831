"""A training's result does not depend on what ran before it in the process, and the process is left as it was found."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(60, 1, 12, 12)).astype(np.float32)
LABELS = RNG.integers(0, 4, 60)


def trained():
    with torch_runtime.seeded(0):
        teacher = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4))
        network = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(100, 4))
    labels = tl.record(tl.as_teacher(teacher, classes=range(4)), PICTURES)
    return tl.TorchStudent(network).fit(PICTURES, labels, LABELS, epochs=2, batch_size=16).network.state_dict()


def train_with_limited_threads():
    with threadpool_limits(1):
        trained()


def train_on_one_thread():
    with torch_runtime.seeded(0):
        network = nn.Linear(144, 4)
    tl.TorchStudent(network).fit(PICTURES.reshape(60, -1), None, LABELS, epochs=1, threads=1)


def predict_with_every_kind_of_runtime():
    rows = PICTURES.reshape(60, -1)
    tl.SoftBoosting(n_estimators=2).fit(rows, LABELS).predict_proba(rows)
    tl.SoftLogistic().fit(rows, LABELS).predict_proba(rows)
    tl.SoftMLP(epochs=1).fit(rows, LABELS).predict_proba(rows)


def draw_random_numbers():
    torch.rand(7)
    np.random.random(7)  # noqa: NPY002 - the process's own generator


@pytest.mark.parametrize(
    "before", [train_with_limited_threads, train_on_one_thread, predict_with_every_kind_of_runtime, draw_random_numbers]
)
def test_a_training_ends_in_the_same_bits_whatever_ran_before(before):
    first = trained()
    before()
    for name, value in trained().items():
        assert torch.equal(value, first[name])


def test_a_training_without_gradients_or_under_autocast_ends_in_the_same_bits():
    first = trained()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        again = trained()
    for name, value in again.items():
        assert torch.equal(value, first[name])


def process_settings():
    """What a library call must not change: threads of every runtime (those inside torch too), precision, gradient mode, random state."""
    counts = [line for line in torch.__config__.parallel_info().splitlines() if "threads()" in line]
    pools = sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info())
    modes = (torch.get_float32_matmul_precision(), torch.is_grad_enabled(), torch.get_default_dtype())
    return counts, pools, modes, torch.get_rng_state().tolist()


@pytest.mark.parametrize("call", [trained, train_on_one_thread, train_with_limited_threads])
def test_a_training_leaves_the_process_as_it_was(call):
    trained()  # loads what has to be loaded
    settings = process_settings()
    call()
    assert process_settings() == settings


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.slow
def test_freed_memory_goes_back_to_the_system_after_a_prediction():
    code = """
import numpy as np, torch, tutelage as tl
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
student = tl.TorchStudent(torch.nn.Linear(3, 2), classes=[0, 1])
student.fit(np.zeros((8, 3), "f"), None, np.arange(8) % 2, epochs=1).predict_proba(np.zeros((2, 3), "f"))
before = resident()
blocks = [np.ones(2**19) for _ in range(50)]
del blocks
print(resident() - before)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 60
