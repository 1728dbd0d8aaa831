"""Training on recorded answers and training with the live teacher end in the same bits, whatever the data and the shuffle."""

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.data.views import Affine, Views
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(203, 1, 12, 12)).astype(np.float32)
LABELS = RNG.integers(0, 4, 203)
TEACHER = as_teacher(
    nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(800, 4)), classes=range(4)
)


def weights(data, labels, seed):
    with torch_runtime.seeded(0):
        network = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(100, 4))
    objective = 0.8 * soft_cross_entropy(temperature=3.0) + 0.2 * hard_cross_entropy()
    return TorchStudent(network, objective).fit(data, labels, LABELS, epochs=4, batch_size=32, seed=seed).network.state_dict()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("data", [PICTURES, Views(PICTURES, Affine(degrees=10, shift=1), count=3, seed=5)], ids=["rows", "views"])
def test_recorded_is_live_bit_for_bit(data, seed, tmp_path):
    live = weights(data, TEACHER, seed)
    in_memory, in_folder = weights(data, record(TEACHER, data), seed), weights(data, record(TEACHER, data, tmp_path / "labels"), seed)
    for name, value in live.items():
        assert torch.equal(value, in_memory[name])
        assert torch.equal(value, in_folder[name])
    other = weights(data, TEACHER, seed + 1)
    assert not torch.equal(other["5.weight"], live["5.weight"])


def test_recorded_answers_follow_their_rows_into_another_order():
    order = RNG.permutation(203)
    labels = record(TEACHER, PICTURES[order])
    live = weights(PICTURES, record(TEACHER, PICTURES), 0)
    for name, value in weights(PICTURES, labels, 0).items():
        torch.testing.assert_close(value, live[name], rtol=1e-3, atol=1e-4)
