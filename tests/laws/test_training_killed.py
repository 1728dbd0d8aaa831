"""A training killed at 20 random moments and resumed ends in the same weights, bit for bit."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from prepared_processes import assert_finishes, kill_after, length, started
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn

from tutelage.core import torch_runtime
from tutelage.data.views import Affine, Views
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.settings import one_cycle
from tutelage.training.student import TorchStudent

KILLS, STEPS = 20, 100


def teach(folder: Path, log: Path, seconds: float) -> None:
    """Train with all that has a state: dropout, norm layers, views, a moving average, a schedule, validation; a byte is logged a step."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pictures, labels = rng.uniform(size=(160, 1, 8, 8)).astype(np.float32), rng.integers(0, 3, 160)
    with torch_runtime.seeded(1):
        teacher = as_teacher(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), classes=range(3))
    with torch_runtime.seeded(2):
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(144, 3))
    views = Views(pictures, Affine(shift=1), count=2)

    def step():
        with log.open("a") as file:
            file.write(".")
        time.sleep(seconds)

    objective = 0.9 * soft_cross_entropy(temperature=2.0) + 0.1 * hard_cross_entropy()
    student = TorchStudent(network, objective).fit(
        views,
        record(teacher, views),
        labels,
        validation=(pictures[:40], labels[:40]),
        epochs=10,
        batch_size=16,
        schedule=one_cycle,
        average=0.9,
        clip_norm=1.0,
        checkpoints=folder / "checkpoints",
        checkpoint_steps=3,
        advance=step,
    )
    save_file(student.network.state_dict(), folder / "student.safetensors")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_and_resumed_is_as_left_alone(tmp_path):
    alone, killed, log = tmp_path / "alone", tmp_path / "killed", tmp_path / "steps.log"
    for folder in (alone, killed):
        folder.mkdir()
    assert_finishes(started(teach, alone, tmp_path / "alone.log", 0))
    assert length(tmp_path / "alone.log") == STEPS
    rng = np.random.default_rng(0)
    for _ in range(KILLS):
        steps = length(log) + int(rng.integers(0, 8))
        kill_after(started(teach, killed, log, 0.01), lambda steps=steps: length(log) >= steps, rng.uniform(0, 0.02))
    assert not (killed / "student.safetensors").exists(), "the kills came too late to mean anything"
    assert (killed / "checkpoints" / "training.safetensors").exists(), "the kills came too early to mean anything"
    before = length(log)
    assert_finishes(started(teach, killed, log, 0))
    assert length(log) - before < STEPS, "it started from the beginning"
    expected, found = load_file(alone / "student.safetensors"), load_file(killed / "student.safetensors")
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
