"""Answers that have positions, learnt from parts: as from a Dataset in the same order."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, DamagedFile, ShapeError
from tutelage.data.structures.structured import StructuredRows

RNG = np.random.default_rng(0)
COUNT = 40
IDS = RNG.integers(1, 9, (COUNT, 6))
MASK = (np.arange(6) < RNG.integers(2, 7, COUNT)[:, None]).astype(np.int64)
PICTURES = RNG.normal(size=(COUNT, 1, 3, 4)).astype(np.float32)
OBJECTIVE = 0.6 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.4 * tl.losses.hard_cross_entropy()


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedded, self.out = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, input_ids, attention_mask):
        return self.out(self.embedded(input_ids))


def network(kind):
    return Tagger() if kind == "tokens" else nn.Conv2d(1, 3, 1)


def rows_of(kind):
    return {"input_ids": IDS, "attention_mask": MASK} if kind == "tokens" else PICTURES


def truth_of(kind):
    truth = RNG.integers(0, 3, IDS.shape if kind == "tokens" else (COUNT, 3, 4))
    truth[::3, 0] = -100
    return truth


class Items(Dataset):
    """Rows by number, with their truth."""

    def __init__(self, kind, truth):
        self.kind, self.truth = kind, truth

    def __len__(self):
        return COUNT

    def __getitem__(self, row):
        if self.kind == "pixels":
            return torch.from_numpy(PICTURES[row]), torch.from_numpy(self.truth[row])
        return {"input_ids": IDS[row], "attention_mask": MASK[row], "labels": self.truth[row]}


@pytest.fixture(params=["tokens", "pixels"])
def recorded(request, tmp_path):
    kind = request.param
    with torch_runtime.seeded(1):
        teacher = tl.as_teacher(network(kind), classes=range(3), positions=kind)
    return kind, tl.record(teacher, rows_of(kind), tmp_path / "labels", shard_rows=8)


def taught(kind, data, labels=None, **settings):
    with torch_runtime.seeded(2):
        student = tl.TorchStudent(network(kind), OBJECTIVE)
    return student.fit(data, labels, **{"epochs": 3, "batch_size": 7, "seed": 5, "threads": 1, **settings})


def close(one, other):
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(other.network.state_dict()[name], value)
    np.testing.assert_allclose(one.fit_.losses, other.fit_.losses, rtol=1e-5)


class InOrder:
    def __init__(self, data):
        self.data, self.epoch = data, 0

    def __iter__(self):
        self.epoch += 1
        return iter(self.data.order(self.epoch).whole().tolist())

    def __len__(self):
        return COUNT


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}, {"sample_weight": RNG.uniform(0.2, 2, COUNT)}])
def test_answers_with_positions_are_learnt_as_from_a_dataset(recorded, more):
    kind, labels = recorded
    truth = truth_of(kind)
    data = tl.parts(rows_of(kind), labels, truth, window=16)
    memory = taught(kind, DataLoader(Items(kind, truth), 7, sampler=InOrder(data)), labels, **more)
    close(memory, taught(kind, data, **more))


def test_a_share_for_validation_has_positions_too(recorded):
    kind, labels = recorded
    truth, settings = truth_of(kind), {"validation": 0.3, "lr": 1e-30, "sample_weight": RNG.uniform(0.2, 2, COUNT)}
    found = taught(kind, tl.parts(rows_of(kind), labels, truth, window=16), **settings)
    memory = taught(kind, rows_of(kind), labels, y=truth, **settings)
    np.testing.assert_allclose(found.fit_.scores, memory.fit_.scores, rtol=1e-5)


def test_a_training_with_positions_goes_on_to_the_same_weights(recorded, tmp_path):
    kind, labels = recorded
    data, settings = tl.parts(rows_of(kind), labels, list(truth_of(kind)), window=16), {"validation": 0.3}
    checkpoints = {"checkpoints": tmp_path / "c", "checkpoint_steps": 2}
    taught(kind, data, max_steps=5, **settings, **checkpoints)
    close(taught(kind, data, max_steps=9, **settings), taught(kind, data, max_steps=9, **settings, **checkpoints))


def test_without_truth_every_position_is_learnt(recorded):
    kind, labels = recorded
    with torch_runtime.seeded(2):
        student = tl.TorchStudent(network(kind))
    losses = student.fit(tl.parts(rows_of(kind), labels, window=16), epochs=10, lr=0.05).fit_.losses
    assert losses[-1] < losses[0]


def test_what_positions_cannot_be_trained_with_is_refused_in_one_sentence(recorded):
    kind, labels = recorded
    truth = truth_of(kind)
    with pytest.raises(BadInput, match=r"class_weight weighs each position \((tokens|pixels)\) by its class"):
        taught(kind, tl.parts(rows_of(kind), labels, truth), class_weight="balanced")
    with pytest.raises(ShapeError, match=r"y has shape \(39,.*\); expected the class names of each of 40 rows"):
        tl.parts(rows_of(kind), labels, truth[:39])
    with pytest.raises(ShapeError, match=r"y has shape \(40,\); expected the class names of each of 40 rows"):
        tl.parts(rows_of(kind), labels, np.zeros(40, int))
    with pytest.raises(ShapeError):
        taught(kind, tl.parts(rows_of(kind), labels, [row[:1] for row in truth]))


def test_several_inputs_of_a_window_are_gathered_once(recorded):
    kind, labels = recorded
    data = tl.parts(rows_of(kind), labels, window=16)
    part = next(iter(data.batches(5)))
    assert isinstance(part.rows, StructuredRows) == (kind == "tokens")
    assert len(part.answers) == 5


def test_a_reader_that_fails_ahead_ends_the_training_with_its_error_and_leaves_no_thread(tmp_path):
    import threading

    rows = RNG.normal(size=(COUNT, 4)).astype(np.float32)
    labels = tl.record(tl.as_teacher(nn.Linear(4, 3), classes=range(3)), rows, tmp_path / "labels", shard_rows=8)
    data = tl.parts(rows, labels, window=8)
    damaged = int(data.order(1).window(2)[0]) // 8
    path = labels.path / f"part-{damaged:05d}.parquet"
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    steps, before = [], threading.active_count()
    with pytest.raises(DamagedFile, match=path.name):
        tl.TorchStudent(nn.Linear(4, 3)).fit(data, epochs=1, batch_size=4, advance=lambda: steps.append(1))
    assert len(steps) == 4  # those of the two windows before
    assert threading.active_count() == before


def test_windows_are_read_ahead_in_every_epoch_though_the_last_rows_fill_no_step(monkeypatch):
    from tutelage.softlabels.streaming import windows

    X, started = np.arange(100.0).reshape(100, 1), []
    begin = windows._Reading.__init__
    monkeypatch.setattr(windows._Reading, "__init__", lambda reading, *given: started.append(given[0]) or begin(reading, *given))
    teacher = tl.as_teacher(lambda rows: np.column_stack([rows, -rows]), kind="logits", classes=["low", "high"])
    data = tl.parts(X, tl.record(teacher, X), window=10)
    tl.TorchStudent(nn.Linear(1, 2)).fit(data, epochs=3, batch_size=60, drop_last=True)
    assert len(started) == 3 * 6  # all but the first of the six that fill a step, and the next one, which is given up
