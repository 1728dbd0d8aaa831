"""A checkpoint is continued by the same training only: each variant here differs from the first call in one thing."""

from functools import partial
from threading import Lock

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.views import Affine, Views
from tutelage.training import identity
from tutelage.training.feeding.sources import TrainingData
from tutelage.training.student import TorchStudent

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
LABELS = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0)
PICTURES = np.abs(ROWS.reshape(60, 2, 2))


class Scaled(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale, self._lock = scale, Lock()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 3))

    def forward(self, rows):
        return self.layers(rows.flatten(1)) * self.scale


def network(make=Scaled, seed=1):
    torch.manual_seed(seed)
    return make()


def frozen(seed):
    made = network()
    torch.manual_seed(seed)
    nn.init.normal_(made.layers[0].weight)
    made.layers[0].requires_grad_(False)
    return made


TEACHERS = [tl.as_teacher(network(seed=seed), classes=range(3)) for seed in (5, 6)]


def in_eval_mode():
    made = network(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    made[1].eval()
    return made


def named_rows(classes):
    """A training on pairs of rows and class names, of a student with these classes."""
    names = list(zip(torch.tensor(ROWS), np.array(["a", "b", "c"])[LABELS].tolist(), strict=True))
    return {"X": DataLoader(names, batch_size=10), "labels": None, "y": None, "classes": classes}


def given_answers(kind):
    shares = np.eye(3)[LABELS] * 0.7 + 0.1
    return {"labels": shares, "kind": kind, "classes": range(3)}


def halving(optimizer, steps, *, by=0.5):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: by ** (step / steps))


def own_optimizer(rate):
    def make(parameters):
        return torch.optim.SGD(parameters, lr=rate)

    return make


def loss(weight):
    return tl.losses.soft_cross_entropy(temperature=2.0) * weight + tl.losses.hard_cross_entropy()


def falling(end):
    return tl.losses.linear(1.0, end) * tl.losses.soft_cross_entropy(temperature=tl.losses.linear(4.0, end))


class Pairs(Dataset):
    """Rows with their labels, of a class whose content cannot be read: it holds a generator."""

    def __init__(self, rows, labels, *, random=False):
        self.rows, self.labels, self.random, self.stream = rows, labels, random, (cell for cell in "ab")

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        rows = torch.as_tensor(self.rows[index])
        return (rows + torch.rand(1) if self.random else rows), int(self.labels[index])


class Stopped(Exception):
    pass


def stop(report):
    if report.epoch == 2:  # after the checkpoint of the first epoch, before that of the second
        raise Stopped


def fit(
    place, *, net=None, objective=None, output=None, classes=None, X=ROWS, labels=TEACHERS[0], y=LABELS, epochs=2, callbacks=(), **settings
):
    student = TorchStudent(net or network(), objective, output=output, classes=classes)
    return student.fit(X, labels, y, epochs=epochs, checkpoints=place, callbacks=callbacks, **settings)


def check_refused(place, first, second, message):
    """The second call is refused after the first was interrupted, and the first call still resumes."""
    with pytest.raises(Stopped):
        fit(place, callbacks=[stop], **first())
    with pytest.raises(LabelMismatch, match=f"of another training: its {message} is"):
        fit(place, **second())
    assert len(fit(place, **first()).fit_.losses) == 2


class Holding(nn.Module):
    """Holds what it multiplies by in a list, a dict, a list beside a module, or a buffer that is not saved."""

    def __init__(self, by, how):
        super().__init__()
        self.line = nn.Linear(4, 3)
        held = torch.tensor(by)
        self.held = {"list": [held], "dict": {"by": held}, "beside a module": [self.line, by], "buffer": None}[how]
        self.register_buffer("unsaved", held, persistent=False)
        self.how = how

    def forward(self, rows):
        return self.line(rows) * self.unsaved


class FromFile(Dataset):
    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 60

    def __getitem__(self, index):
        row = np.load(self.path)[index]
        return torch.from_numpy(row), int(row[0] > 0)


PLAIN = dict
VARIANTS = {
    "rows": (PLAIN, lambda: {"X": ROWS + 1}, "data"),
    "ground truth": (PLAIN, lambda: {"y": 2 - LABELS, "objective": None}, "data"),
    "teacher": (PLAIN, lambda: {"labels": TEACHERS[1]}, "data"),
    "sample weights": (lambda: {"sample_weight": np.ones(60)}, lambda: {"sample_weight": np.arange(60.0)}, "sample weights"),
    "no sample weights": (lambda: {"sample_weight": np.ones(60)}, PLAIN, "sample weights"),
    "width": (PLAIN, lambda: {"net": network(lambda: nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3)))}, "network"),
    "attribute": (PLAIN, lambda: {"net": network(lambda: Scaled(2.0))}, "network"),
    "dropout": (
        lambda: {"net": network(lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.1)))},
        lambda: {"net": network(lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.2)))},
        "network",
    ),
    "frozen layer": (PLAIN, lambda: {"net": frozen(1)}, "network"),
    "frozen weights": (lambda: {"net": frozen(1)}, lambda: {"net": frozen(2)}, "network"),
    "mode of a layer": (
        lambda: {"net": in_eval_mode()},
        lambda: {"net": in_eval_mode().train()},
        "network",
    ),
    "order of the classes": (lambda: named_rows("abc"), lambda: named_rows("cba"), "answer of the student"),
    "kind of the answers": (lambda: given_answers("probabilities"), lambda: given_answers("logits"), "answer of the teacher"),
    "output": (lambda: {"output": lambda z: z * 1}, lambda: {"output": lambda z: z * 2}, "output"),
    "weight of a term": (lambda: {"objective": loss(0.5)}, lambda: {"objective": loss(0.6)}, "objective"),
    "given validation rows": (
        lambda: {"validation": (ROWS[:9], LABELS[:9])},
        lambda: {"validation": (ROWS[:10], LABELS[:10])},
        "validation rows",
    ),
    "no validation rows": (lambda: {"validation": (ROWS[:9], LABELS[:9])}, PLAIN, "validation rows"),
    "share of validation rows": (lambda: {"validation": 0.2}, lambda: {"validation": 0.3}, "data"),
    "seed": (PLAIN, lambda: {"seed": 1}, "seed"),
    "batch size": (PLAIN, lambda: {"batch_size": 7}, "batch_size"),
    "optimizer": (PLAIN, lambda: {"optimizer": torch.optim.SGD}, "optimizer"),
    "argument of the optimizer": (
        lambda: {"optimizer": partial(torch.optim.SGD, lr=0.1)},
        lambda: {"optimizer": partial(torch.optim.SGD, lr=0.2)},
        "optimizer",
    ),
    "closure of the optimizer": (lambda: {"optimizer": own_optimizer(0.1)}, lambda: {"optimizer": own_optimizer(0.2)}, "optimizer"),
    "schedule": (lambda: {"schedule": halving}, lambda: {"schedule": partial(halving, by=0.25)}, "schedule"),
    "batches of a step": (lambda: {"accumulate": 2}, lambda: {"accumulate": 3}, "accumulate"),
    "last batch": (lambda: {"drop_last": True, "batch_size": 8}, lambda: {"batch_size": 8}, "drop_last"),
    "rate": (lambda: {"lr": 0.1}, lambda: {"lr": 0.2}, "lr"),
    "class weights": (lambda: {"class_weight": "balanced"}, lambda: {"class_weight": {1: 3}}, "sample weights"),
    "falling weight": (lambda: {"objective": falling(0.1)}, lambda: {"objective": falling(0.2)}, "objective"),
    "dataset": (
        lambda: {"X": TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)), "y": None},
        lambda: {"X": TensorDataset(torch.tensor(ROWS) * 5, torch.tensor(2 - LABELS)), "y": None},
        "data",
    ),
    "ground truth of a dataset": (
        lambda: {"X": TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)), "y": None},
        lambda: {"X": TensorDataset(torch.tensor(ROWS), torch.tensor(2 - LABELS)), "y": None},
        "data",
    ),
    "dataset without content": (
        lambda: {"X": Pairs(ROWS, LABELS), "y": None},
        lambda: {"X": Pairs(ROWS, 2 - LABELS), "y": None},
        "data",
    ),
    "loader": (
        lambda: {"X": DataLoader(TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS))), "y": None},
        lambda: {"X": DataLoader(TensorDataset(torch.tensor(ROWS) + 1, torch.tensor(LABELS))), "y": None},
        "data",
    ),
    "order of a loader": (
        lambda: {"X": DataLoader(TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)), batch_size=8, shuffle=True), "y": None},
        lambda: {"X": DataLoader(TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)), batch_size=8), "y": None},
        "data",
    ),
    "views": (
        lambda: {"X": Views(PICTURES, Affine(shift=1), count=2)},
        lambda: {"X": Views(PICTURES, Affine(shift=1), count=2, seed=1)},
        "data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", ["list", "dict", "beside a module", "buffer"])
def test_whatever_holds_a_number_of_the_network(tmp_path, how):
    first, second = (lambda by=by: {"net": network(lambda: Holding(by, how))} for by in (1.0, 5.0))
    check_refused(tmp_path, first, second, "network")


def test_a_dataset_that_reads_a_file_is_identified_by_what_it_reads(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    with pytest.raises(Stopped):
        fit(tmp_path / "c", X=FromFile(tmp_path / "rows.npy"), y=None, callbacks=[stop])
    np.save(tmp_path / "rows.npy", ROWS[::-1] * 3)
    with pytest.raises(LabelMismatch, match="its data is"):
        fit(tmp_path / "c", X=FromFile(tmp_path / "rows.npy"), y=None)


def test_looking_at_a_dataset_draws_nothing_from_the_caller(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    identity.data_identity(TrainingData(TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)), None, None))
    assert identity._items(Pairs(ROWS, LABELS, random=True)) is None
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize(("first", "second", "message"), VARIANTS.values(), ids=VARIANTS)
def test_a_training_that_differs_in_anything_that_settles_it_is_refused(tmp_path, first, second, message):
    check_refused(tmp_path, first, second, message)


@pytest.mark.parametrize(
    "again",
    [
        PLAIN,
        lambda: {"X": ROWS.copy(), "y": LABELS.tolist()},
        lambda: {"labels": tl.record(TEACHERS[0], ROWS)},
        lambda: {"threads": None, "checkpoint_steps": 2},
        lambda: {"callbacks": [lambda report: None], "progress": True},
        lambda: {"epochs": 3},
        lambda: {"net": network().eval()},
        lambda: {"classes": np.arange(3)},
    ],
    ids=["equal", "copies", "recorded", "other ways to save", "with a callback", "longer", "in eval mode as a whole", "named classes"],
)
def test_the_same_training_is_continued_with_the_same_result(tmp_path, again):
    with pytest.raises(Stopped):
        fit(tmp_path, callbacks=[stop])
    options = again()
    resumed = fit(tmp_path, **options)
    alone = fit(None, epochs=options.get("epochs", 2))
    assert all(torch.equal(value, alone.network.state_dict()[name]) for name, value in resumed.network.state_dict().items())


def test_a_network_built_without_a_seed_is_continued_with_a_warning(tmp_path):
    with pytest.raises(Stopped):
        fit(tmp_path, callbacks=[stop])
    with pytest.warns(UserWarning, match="began with other initial weights"):
        resumed = fit(tmp_path, net=network(seed=2))
    assert torch.equal(resumed.network.layers[0].weight, fit(None).network.layers[0].weight)


def test_what_cannot_be_identified_is_refused_before_training(tmp_path):
    stream = (cell for cell in "ab")
    with pytest.raises(BadInput, match=r"optimizer: .*a generator has no content .* Leave checkpoints out"):
        fit(tmp_path, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=len(str(stream))))
    with pytest.raises(BadInput, match=r"this Pairs from another one: its items are random, .* Leave checkpoints out"):
        fit(tmp_path, X=Pairs(ROWS, LABELS, random=True), y=None)
    assert not list(tmp_path.iterdir())
