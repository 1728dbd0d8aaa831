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
from tutelage.softlabels.streaming.sample import drawn_rows

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


def taught(data, labels=None, y=None, **settings):
    given = {"epochs": 3, "batch_size": 16, "seed": 5, "threads": 1, **settings}
    return tl.TorchStudent(network(), OBJECTIVE).fit(data, labels, y, **given)


def same(one, other):
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    np.testing.assert_array_equal(one.fit_.losses, other.fit_.losses)


class Pairs(Dataset):
    def __init__(self, rows=ROWS, truth=TRUTH):
        self.rows, self.truth = rows, truth

    def __len__(self):
        return len(self.truth)

    def __getitem__(self, row):
        return torch.from_numpy(self.rows[row]), int(self.truth[row])


class InOrder:
    """The order in which parts are read, epoch by epoch."""

    def __init__(self, data):
        self.data, self.epoch = data, 0

    def __iter__(self):
        self.epoch += 1
        order = self.data.order(self.epoch).whole()
        return iter(np.searchsorted(np.sort(order), order).tolist())

    def __len__(self):
        return len(self.data) - len(self.data.held_out)


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


@pytest.mark.exhaustive
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
    data = tl.parts(ROWS, recorded, window=40)
    for arguments, message in [
        ({"labels": recorded}, "parts hold their answers and their ground truth, and labels is given too"),
        ({"class_weight": "balanced"}, "class_weight is 'balanced', and there is no ground truth whose classes could be counted"),
        ({"validation": 0.001}, "validation=0.001 of 203 rows gives 0 validation rows and 203 training rows"),
        ({"validation": 0.2}, "a share of 41 validation rows is more than the window of 40 rows"),
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


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0}])
def test_weights_of_classes_count_as_in_memory(recorded, class_weight):
    data = tl.parts(ROWS, recorded, TRUTH, window=70)
    of_row = (len(ROWS) / 3 / np.bincount(TRUTH) if class_weight == "balanced" else np.array([3.0, 1, 1]))[TRUTH]
    memory = taught(DataLoader(Pairs(), 16, sampler=InOrder(data)), recorded, sample_weight=of_row)
    same(taught(data, class_weight=class_weight), memory)


def test_weights_of_classes_are_read_from_a_column_and_without_truth_from_the_answers(recorded, tmp_path):
    import pandas as pd

    table = pd.DataFrame(ROWS, columns=list("abcd")).assign(truth=TRUTH)
    table.to_parquet(tmp_path / "rows.parquet", row_group_size=20)
    labels = tl.record(tl.as_teacher(answering, kind="logits", classes=range(3), version="1"), table, tmp_path / "labels", shard_rows=20)
    by_column = tl.parts(tmp_path / "rows.parquet", labels, "truth", window=70)
    same(taught(by_column, class_weight="balanced"), taught(tl.parts(ROWS, recorded, TRUTH, window=70), class_weight="balanced"))
    soft = {"objective": tl.losses.soft_cross_entropy(), "epochs": 2, "seed": 5, "threads": 1}
    expected = recorded.form.probabilities(recorded.labels.answers) @ np.array([3.0, 1, 1])
    data = tl.parts(ROWS, recorded, window=70)
    found = [learnt(data, **soft, **weights) for weights in ({"class_weight": {0: 3.0}}, {"sample_weight": expected})]
    for name, value in found[0].network.state_dict().items():
        torch.testing.assert_close(value, found[1].network.state_dict()[name])


class Bare(Dataset):
    """Rows without truth."""

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, row):
        return torch.from_numpy(ROWS[row])


def test_weights_of_classes_of_a_dataset_are_those_of_its_truth(recorded):
    of_pairs, of_rows = (tl.parts(data, recorded, window=70) for data in (Pairs(), Bare()))
    expected = taught(tl.parts(ROWS, recorded, TRUTH, window=70), class_weight="balanced")
    same(taught(of_pairs, class_weight="balanced"), expected)
    with pytest.raises(BadInput, match="class_weight is 'balanced', and there is no ground truth"):
        taught(of_rows, class_weight="balanced")


def answering(table):
    return teacher().answer(np.asarray(table[list("abcd")], dtype=np.float32))


def learnt(data, labels=None, *, objective, **settings):
    return tl.TorchStudent(network(), objective).fit(data, labels, **settings)


@pytest.mark.parametrize("weights", [None, RNG.uniform(0.2, 2, len(ROWS))])
@pytest.mark.parametrize("window", [60, 1000])
def test_a_share_for_validation_is_that_of_rows_in_memory(recorded, window, weights):
    data = tl.parts(ROWS, recorded, TRUTH, window=window)
    found = taught(data, validation=0.2, sample_weight=weights)
    held = drawn_rows(len(ROWS), 41, 5)
    rest = np.setdiff1d(np.arange(len(ROWS)), held)
    of_rest = None if weights is None else weights[rest] / weights[rest].mean()
    loader = DataLoader(Pairs(ROWS[rest], TRUTH[rest]), 16, sampler=InOrder(data.without(held)))
    memory = taught(loader, recorded, sample_weight=of_rest, validation=(ROWS[held], TRUTH[held]))
    if weights is None:
        same(found, memory)
        np.testing.assert_array_equal(found.fit_.scores, memory.fit_.scores)
    shared = taught(ROWS, recorded, TRUTH, validation=0.2, sample_weight=weights, max_steps=1, lr=1e-30)
    parted = taught(data, validation=0.2, sample_weight=weights, max_steps=1, lr=1e-30)
    np.testing.assert_allclose(shared.fit_.scores, parted.fit_.scores)  # the same rows, in memory or in parts


def test_a_share_for_validation_without_truth_is_scored_by_the_answers(tmp_path):
    for name, teaches, top in (("top", teacher(), 2), ("whole", teacher(), None)):
        labels = tl.record(teaches, ROWS, tmp_path / name, top_k=top, shard_rows=50)
        soft = {"objective": None, "epochs": 2, "validation": 0.2, "seed": 5, "threads": 1, "lr": 1e-30}
        found, memory = learnt(tl.parts(ROWS, labels, window=100), **soft), learnt(ROWS, labels, **soft)
        np.testing.assert_allclose(found.fit_.scores, memory.fit_.scores, rtol=1e-5)


def test_a_training_with_a_share_goes_on_to_the_same_weights(recorded, tmp_path):
    data = tl.parts(ROWS, recorded, TRUTH, window=60)
    settings = {"validation": 0.2, "checkpoints": tmp_path / "c", "checkpoint_steps": 3}
    taught(data, max_steps=14, **settings)
    same(taught(data, max_steps=25, **settings), taught(data, max_steps=25, validation=0.2))
    with pytest.raises(LabelMismatch, match="is the checkpoint of another training: its data"):
        taught(data, max_steps=25, **settings | {"validation": 0.1})


def test_values_of_the_truth_beside_recorded_values_are_learnt_as_in_memory(tmp_path):
    values = tl.as_teacher(lambda rows: rows[:, :1] - rows[:, 1:2], kind="values")
    labels, y = tl.record(values, ROWS, tmp_path / "values", shard_rows=50), ROWS[:, 0] + 0.1
    objective = 0.5 * tl.losses.squared_error() + 0.5 * tl.losses.huber(against="labels")

    def fitted(data, *given, **more):
        with torch_runtime.seeded(2):
            student = tl.TorchStudent(torch.nn.Linear(4, 1), objective)
        return student.fit(data, *given, epochs=2, batch_size=16, seed=5, threads=1, **more)

    data = tl.parts(ROWS, labels, y, window=100)
    same(fitted(data), fitted(DataLoader(OfValues(ROWS, y), 16, sampler=InOrder(data)), labels))
    shared, parted = fitted(ROWS, labels, y, validation=0.2, lr=1e-30), fitted(data, validation=0.2, lr=1e-30)
    np.testing.assert_allclose(shared.fit_.scores, parted.fit_.scores, rtol=1e-5)


class OfValues(Pairs):
    def __getitem__(self, row):
        return torch.from_numpy(self.rows[row]), float(self.truth[row])
