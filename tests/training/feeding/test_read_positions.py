import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(2, 9, 24)
TEXTS = [
    {"ids": RNG.integers(1, 9, length), "attention_mask": np.ones(length, int), "labels": np.r_[-100, RNG.integers(0, 3, length - 1)]}
    for length in LENGTHS
]
ROWS = {name: [text[name] for text in TEXTS] for name in TEXTS[0]}
INPUTS = [{name: text[name] for name in ("ids", "attention_mask")} for text in TEXTS]
CLASSES = ["O", "B", "I"]
SOFT, HARD = tl.losses.soft_cross_entropy(), tl.losses.hard_cross_entropy()


class Tagger(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(9, 3)

    def forward(self, ids, attention_mask):
        return self.embed(ids)


TEACHER = tl.as_teacher(Tagger(1), classes=[0, 1, 2], positions="tokens")


def padded(items):
    longest = max(len(item["ids"]) for item in items)

    def filled(name, values):
        return np.pad(values, (0, longest - len(values)), constant_values=-100 if name == "labels" else 0)

    return {name: torch.tensor(np.array([filled(name, item[name]) for item in items])) for name in items[0]}


def fitted(X, labels=None, objective=None, *, batch_size=24, **settings):
    student = tl.TorchStudent(Tagger(), objective or SOFT, classes=[0, 1, 2], positions="tokens")
    sizes = {} if isinstance(X, DataLoader) else {"batch_size": batch_size}
    student.fit(X, labels, epochs=3, optimizer=lambda weights: torch.optim.SGD(weights, 1.0), **sizes, **settings)
    return student.fit_.losses


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, row):
        return self.items[row]


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("settings", [{}, {"sample_weight": np.linspace(0.1, 2, 24)}, {"accumulate": 4}])
@pytest.mark.parametrize("kind", ["recorded", "live", "truth"])
def test_a_dataset_and_a_loader_train_as_rows_in_memory(kind, settings, labelled):
    if kind == "truth" and not labelled:
        return
    items = TEXTS if labelled else INPUTS
    rows = {name: [item[name] for item in items] for name in items[0]}
    labels = {"recorded": tl.record(TEACHER, rows), "live": TEACHER, "truth": None}[kind]
    objective, size = HARD if kind == "truth" else SOFT, 24 // settings.get("accumulate", 1)
    weights = {name: value for name, value in settings.items() if name == "sample_weight"}
    expected = fitted(rows, labels, objective, **weights)
    for data in (Items(items), DataLoader(Items(items), batch_size=size, shuffle=True, collate_fn=padded)):
        np.testing.assert_allclose(fitted(data, labels, objective, batch_size=size, **settings), expected, rtol=1e-5)


def in_words(items):
    return [{**item, "labels": [None if code == -100 else CLASSES[code] for code in item["labels"]]} for item in items]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(in_words(TEXTS))


@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("kind", ["dataset", "loader", "iterable", "parts"])
def test_labels_by_the_names_of_their_classes_are_learnt_as_their_codes(kind, taught):
    rows = {name: [item[name] for item in TEXTS] for name in ("ids", "attention_mask")}
    words = [item["labels"] for item in in_words(TEXTS)]
    teacher = tl.as_teacher(Tagger(1), classes=CLASSES, positions="tokens")
    data = {
        "dataset": lambda: Items(in_words(TEXTS)),
        "loader": lambda: DataLoader(Items(in_words(TEXTS)), batch_size=24),
        "iterable": Stream,
        "parts": lambda: tl.parts(rows, tl.record(teacher, rows), words),
    }[kind]()
    labels, objective = (tl.record(teacher, rows), 0.5 * SOFT + 0.5 * HARD) if taught else (None, HARD)

    def learnt(X, labels, y=None):
        student = tl.TorchStudent(Tagger(), objective, classes=CLASSES, positions="tokens")
        student.fit(X, labels, y, epochs=2, **({} if kind == "loader" and y is None else {"batch_size": 24}))
        return student.fit_.losses

    expected = learnt(rows, labels, words)
    np.testing.assert_allclose(learnt(data, None if kind == "parts" else labels), expected, rtol=1e-5)


def test_class_weights_are_those_of_the_labels_in_the_dataset():
    expected = fitted(ROWS, None, HARD, class_weight="balanced")
    np.testing.assert_allclose(fitted(Items(TEXTS), None, HARD, class_weight="balanced"), expected, rtol=1e-5)


class Drawn(Items):
    """Other labels do not count each time that an item is read."""

    def __getitem__(self, row):
        item = dict(super().__getitem__(row))
        item["labels"] = np.where(np.random.rand(len(item["ids"])) < 0.5, -100, item["ids"] % 3)  # noqa: NPY002 - as datasets do
        return item


def test_a_truth_drawn_at_random_is_refused_where_batches_were_weighed_before():
    assert np.isfinite(fitted(Drawn(TEXTS), None, HARD)).all()
    with pytest.raises(BadInput, match=r"labels that count, and had .* when it was read before the training"):
        fitted(Drawn(TEXTS), None, HARD, batch_size=6, accumulate=4)
    with pytest.raises(BadInput, match="another ground truth than when it was read"):
        fitted(Drawn(TEXTS), None, HARD, sample_weight=np.arange(1, 25))


def test_pictures_flipped_with_their_truth_are_learnt_as_they_are_shown():
    class Flipped(Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, row):
            picture = torch.tensor([[[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]]])
            picture = picture.flip(-1) if np.random.rand() < 0.5 else picture  # noqa: NPY002 - as datasets do
            return picture, (picture[0] > 0).long()

    network = nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([-20.0, 20.0]).reshape(2, 1, 1, 1))
    student = tl.TorchStudent(network, HARD, classes=[0, 1], positions="pixels")
    assert (student.fit(Flipped(), epochs=3, batch_size=2, accumulate=2).fit_.losses < 1e-6).all()


def test_a_pair_of_ids_and_tags_and_of_pictures_and_masks_goes_through_every_door():
    ids, tags = torch.from_numpy(RNG.integers(1, 9, (12, 5))), torch.from_numpy(RNG.integers(0, 3, (12, 5)))

    class Plain(Tagger):
        def forward(self, ids):
            return self.embed(ids)

    teacher, data = tl.as_teacher(Plain(1), classes=[0, 1, 2], positions="tokens"), TensorDataset(ids, tags)
    student = tl.TorchStudent(Plain(), HARD, classes=[0, 1, 2], positions="tokens")
    scores = [student.fit(X, y=y, epochs=1, validation=(X, y)).fit_.scores.tolist() for X, y in ((data, None), (ids, tags))]
    recorded = tl.record(teacher, data)
    np.testing.assert_array_equal(recorded.answers.values, tl.record(teacher, ids).answers.values)
    assert np.shape(student.predict(data)) == (12, 5)
    for X in (data, DataLoader(data, batch_size=5)):
        found = tl.evaluate(student, teacher, X, budget_seconds=None)
        assert found.against_truth["accuracy"].value == (np.array(student.predict(ids)) == tags.numpy()).mean()
        assert "accuracy" in {each.check for each in tl.preflight(teacher, X).findings}
    assert np.shape(scores) == (2, 1, 1)


def test_tokens_as_their_own_truth_are_refused_of_a_whole_dataset_and_may_be_chance_in_a_batch():
    class Network(Tagger):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 9)

        def forward(self, input_ids, attention_mask):
            return self.embed(input_ids)

    def items(of_last):
        rows = [np.array([1, 2, 3]) + place for place in range(6)]
        return [
            {"input_ids": ids, "attention_mask": np.ones(3, int), "labels": of_last if place == 5 else ids}
            for place, ids in enumerate(rows)
        ]

    def fit(data):
        return (
            tl.TorchStudent(Network(), HARD, classes=list(range(9)), positions="tokens")
            .fit(data, epochs=1, **({} if isinstance(data, DataLoader) else {"batch_size": 2}))
            .fit_.losses
        )

    with pytest.raises(BadInput, match="every label is the token at its own position"):
        fit(Items(items(np.array([6, 7, 8]))))
    assert np.isfinite(fit(DataLoader(Items(items(np.array([6, 7, 0]))), batch_size=2))).all()
