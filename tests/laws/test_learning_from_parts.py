"""A student that learns from parts is the student that learns from the same rows in memory, in the same order."""

import os
import socket

import numpy as np
import pytest
import torch
from prepared_processes import assert_finishes, started
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, LabelMismatch

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(203, 4)).astype(np.float32)
TRUTH = RNG.integers(0, 3, 203)
OBJECTIVE = 0.7 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.3 * tl.losses.hard_cross_entropy()


def teacher():
    with torch_runtime.seeded(1):
        return tl.as_teacher(torch.nn.Linear(4, 3), classes=range(3))


def network():
    with torch_runtime.seeded(2):
        return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.1), torch.nn.Tanh(), torch.nn.Linear(8, 3))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return tl.record(teacher(), ROWS, tmp_path_factory.mktemp("recorded") / "labels", shard_rows=20)


def taught(data, labels=None, **settings):
    return tl.TorchStudent(network(), OBJECTIVE).fit(data, labels, **{"epochs": 3, "batch_size": 16, "seed": 5, "threads": 1, **settings})


def same(one, other):
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    np.testing.assert_array_equal(one.fit_.losses, other.fit_.losses)


class Pairs(Dataset):
    def __len__(self):
        return len(ROWS)

    def __getitem__(self, row):
        return torch.from_numpy(ROWS[row]), int(TRUTH[row])


class InOrder:
    """The order in which parts are read, epoch by epoch."""

    def __init__(self, data):
        self.data, self.epoch = data, 0

    def __iter__(self):
        self.epoch += 1
        return iter(self.data.order(self.epoch).whole().tolist())

    def __len__(self):
        return len(ROWS)


@pytest.mark.parametrize("window", [20, 70, 1000])
def test_from_parts_is_in_memory_in_the_same_order(recorded, window):
    data = tl.parts(ROWS, recorded, TRUTH, window=window)
    same(taught(data), taught(DataLoader(Pairs(), 16, sampler=InOrder(data)), recorded))


@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_files_teach_what_arrays_teach(recorded, tmp_path, kind):
    import pandas as pd

    pd.DataFrame(ROWS).rename(columns=str).to_parquet(tmp_path / "rows.parquet", row_group_size=20)
    np.save(tmp_path / "rows.npy", ROWS)
    same(taught(tl.parts(tmp_path / f"rows.{kind}", recorded, TRUTH, window=60)), taught(tl.parts(ROWS, recorded, TRUTH, window=60)))


def test_most_probable_classes_values_and_validation_rows_come_along(tmp_path):
    data = tl.parts(ROWS, tl.record(teacher(), ROWS, tmp_path / "top", top_k=2, shard_rows=50))
    student = tl.TorchStudent(network()).fit(data, epochs=2, validation=(ROWS[:40], TRUTH[:40]))
    assert student.fit_.scores.shape == (2, 1)
    values = tl.as_teacher(lambda rows: rows[:, 0] - rows[:, 1], kind="values")
    data = tl.parts(ROWS, tl.record(values, ROWS, tmp_path / "values", shard_rows=50))
    student = tl.TorchStudent(torch.nn.Linear(4, 1), tl.losses.squared_error()).fit(data, epochs=40, lr=0.05)
    np.testing.assert_allclose(student.predict(ROWS), values.answer(ROWS)[:, 0], atol=0.2)


def test_several_inputs_are_learnt_from_parts(tmp_path):
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, left, right):
            return self.layer(torch.cat([left, right], dim=1))

    inputs = {"left": ROWS[:, :2], "right": ROWS[:, 2:]}
    with torch_runtime.seeded(3):
        model, student = tl.as_teacher(Two(), classes=range(3)), Two()
    labels = tl.record(model, inputs, tmp_path / "labels", shard_rows=50)
    losses = tl.TorchStudent(student).fit(tl.parts(inputs, labels, window=100), epochs=10, lr=0.05).fit_.losses
    assert losses[-1] < losses[0]


class Stopped(Exception):
    """What interrupts a training."""


def test_a_training_that_is_stopped_goes_on_at_a_batch_to_the_same_weights(recorded, tmp_path):
    data, taken = tl.parts(ROWS, recorded, TRUTH, window=60), []

    def step():
        taken.append(1)
        if len(taken) == 20:
            raise Stopped

    with pytest.raises(Stopped):
        taught(data, checkpoints=tmp_path / "c", checkpoint_steps=3, advance=step)
    resumed = taught(tl.parts(ROWS, recorded, TRUTH, window=60), checkpoints=tmp_path / "c", checkpoint_steps=3, advance=step)
    assert len(taken) == 20 + 3 * 13 - 19  # from the checkpoint after step 19, the sixth of its epoch
    same(resumed, taught(data))
    for other in (tl.parts(ROWS, recorded, TRUTH, window=60, seed=1), tl.parts(ROWS, recorded, TRUTH[::-1], window=60)):
        with pytest.raises(LabelMismatch, match="is the checkpoint of another training: its data"):
            taught(other, checkpoints=tmp_path / "c", checkpoint_steps=3)


def test_long_epochs_are_planned_some_steps_at_a_time(recorded, monkeypatch):
    data = tl.parts(ROWS, recorded, TRUTH, window=60)
    whole = taught(data, batch_size=5, max_steps=100)
    monkeypatch.setattr("tutelage.training.loop.STEPS_AT_ONCE", 7)
    parted = taught(data, batch_size=5, max_steps=100)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, parted.network.state_dict()[name])
    np.testing.assert_allclose(parted.fit_.losses, whole.fit_.losses)


def test_what_parts_cannot_be_trained_with_is_refused_in_one_sentence(recorded):
    data = tl.parts(ROWS, recorded)
    for arguments, message in [
        ({"labels": recorded}, "parts hold their answers and their ground truth, and labels is given too"),
        ({"class_weight": "balanced"}, "class_weight needs the classes of all rows before the training"),
        ({"validation": 0.2}, "validation=0.2 of a Parts"),
        ({}, "labels"),  # the objective reads the ground truth, and there is none
    ]:
        with pytest.raises(BadInput, match=message):
            taught(data, **arguments)


def teach_in_process(folder, recorded_in, environment=None):
    """Teach a student, in the process that the environment names if there is one, and save it with the shards that were read."""
    from tutelage.softlabels.streaming.parts import Parts

    read, shard = set(), Parts.shard
    Parts.shard = lambda self, index: read.add(index) or shard(self, index)
    data, backend = tl.parts(ROWS, tl.open_labels(recorded_in), TRUTH, window=40), None
    read.clear()
    if environment is None:
        data = data.interleaved(2)
    else:
        from accelerate import Accelerator

        os.environ.update(environment)
        backend = tl.training.Accelerated(Accelerator(cpu=True))
    student = tl.TorchStudent(torch.nn.Sequential(network()[0], *network()[2:]), OBJECTIVE).fit(
        data, epochs=1, batch_size=16, threads=1, backend=backend
    )
    name = "one" if environment is None else environment["RANK"]
    save_file({**student.network.state_dict(), "read": torch.tensor(sorted(read))}, folder / name)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_with_shards_of_their_own_teach_the_same_student_as_one(tmp_path, recorded):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started_both = [started(teach_in_process, tmp_path, recorded.path, {**group, "RANK": r, "LOCAL_RANK": r}) for r in "01"]
    for process in started_both:
        assert_finishes(process)
    teach_in_process(tmp_path, recorded.path)
    one, first, second = (load_file(tmp_path / name) for name in ("one", "0", "1"))
    assert set(one.pop("read").tolist()) == set(range(11))
    reads = [set(each.pop("read").tolist()) for each in (first, second)]
    assert len(reads[0] & reads[1]) <= 2  # the shard at the cut, and the first, which the network is tried on
    for name, value in one.items():
        np.testing.assert_allclose(first[name], value, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(first[name], second[name])


def test_weights_of_rows_count_as_in_memory(recorded):
    weights = RNG.uniform(0.2, 2, len(ROWS))
    data = tl.parts(ROWS, recorded, TRUTH, window=70)
    memory = DataLoader(Pairs(), 16, sampler=InOrder(data))
    same(taught(data, sample_weight=weights), taught(memory, recorded, sample_weight=weights))


def test_labels_that_are_each_on_or_off_are_found_by_the_names_of_a_frame(tmp_path):
    import pandas as pd

    model = tl.as_teacher(lambda rows: rows[:, :2], kind="logits", task="multilabel", classes=["wet", "cold"], version="1")
    on = pd.DataFrame({"cold": ROWS[:, 1] > 0, "wet": ROWS[:, 0] > 0}).astype(int)
    data = tl.parts(ROWS, tl.record(model, ROWS, tmp_path / "labels", shard_rows=50), on, window=100)
    objective = tl.losses.soft_bernoulli() + tl.losses.hard_bernoulli()
    student = tl.TorchStudent(torch.nn.Linear(4, 2), objective).fit(data, epochs=30, lr=0.05)
    found = tl.evaluate(student, data, budget_seconds=None)
    assert found.against_truth["accuracy"].value > 0.9
