import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError

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


SIZES = [4] * 6 + [8] * 6
PICTURES = [torch.from_numpy(RNG.random((1, size, size), dtype=np.float32)) for size in SIZES]
MASKS = [torch.from_numpy(RNG.integers(0, 3, (size, size))) for size in SIZES]
SEQUENCES = [torch.from_numpy(RNG.random((size, 1), dtype=np.float32)) for size in SIZES]


class BySize:
    """Batches of one size; it counts its epochs."""

    epoch = 0

    def __iter__(self):
        self.epoch += 1
        return iter([[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])

    def __len__(self):
        return 2


def layer(positions, columns=3, seed=0):
    torch.manual_seed(seed)
    return nn.Conv2d(1, columns, 3, padding=1, stride=2) if positions == "pixels" else nn.Linear(1, columns)


def after_a_step(network, losses):
    """The weights after a step of rate 1 on the mean of all these losses."""
    mean = torch.cat([loss.flatten() for loss in losses]).mean()
    gradients = torch.autograd.grad(mean, list(network.parameters()))
    return torch.cat([(value - slope).flatten() for value, slope in zip(network.parameters(), gradients, strict=True)]).detach()


def learnt(network, loader, objective, labels=None, positions="pixels", **more):
    student = tl.TorchStudent(network, objective, classes=[0, 1, 2], positions=positions)
    student.fit(loader, labels, epochs=1, optimizer=lambda weights: torch.optim.SGD(weights, 1.0), **more)
    return torch.cat([value.flatten() for value in network.parameters()]).detach()


@pytest.mark.parametrize(("rows", "positions"), [(PICTURES, "pixels"), (SEQUENCES, "tokens")])
@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_step_of_rows_of_several_sizes_is_the_mean_over_what_the_teacher_answers(rows, positions, one_by_one):
    network, of_teacher = layer(positions), layer(positions, seed=1)
    axis, losses = 1 if positions == "pixels" else -1, []
    for row in rows:
        target = of_teacher(row[None]).detach().softmax(axis)
        losses.append((target * (target.log() - network(row[None]).log_softmax(axis))).sum(axis))
    expected, sampler = after_a_step(network, losses), BySize()
    loader = DataLoader(Items(rows), batch_size=1) if one_by_one else DataLoader(Items(rows), batch_sampler=sampler)
    teacher = tl.as_teacher(of_teacher, classes=[0, 1, 2], positions=positions)
    found = learnt(network, loader, tl.losses.kl_divergence(), teacher, positions, accumulate=12 if one_by_one else 2)
    torch.testing.assert_close(found, expected)
    assert sampler.epoch == (0 if one_by_one else 1)


def test_rows_of_several_sizes_are_read_in_batches_of_the_sampler():
    network, pairs = nn.Conv2d(1, 3, 3, padding=1), list(zip(PICTURES, MASKS, strict=True))
    losses = [nn.functional.cross_entropy(network(picture[None]), mask[None], reduction="none") for picture, mask in pairs]
    expected = after_a_step(network, losses)
    torch.testing.assert_close(learnt(network, DataLoader(Items(pairs), batch_sampler=BySize()), HARD, accumulate=2), expected)
    whole = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    labelled = [(picture, place % 3) for place, picture in enumerate(PICTURES)]
    student = tl.TorchStudent(whole, HARD, classes=[0, 1, 2]).fit(DataLoader(Items(labelled), batch_size=1), epochs=1)
    assert np.isfinite(student.fit_.losses).all()


def widened(items):
    """Pictures padded to the widest of their batch, and their masks with -100."""
    widest = max(picture.shape[-1] for picture, _ in items)

    def wide(value, fill):
        return nn.functional.pad(value, (0, widest - value.shape[-1]) * 2, value=fill)

    return torch.stack([wide(picture, 0) for picture, _ in items]), torch.stack([wide(mask, -100) for _, mask in items])


@pytest.mark.parametrize("more", [{}, {"accumulate": 3}, {"accumulate": 3, "sample_weight": np.linspace(0.1, 2, 12)}])
def test_pictures_that_a_collate_function_pads_are_learnt_where_their_labels_count(more):
    torch.manual_seed(0)
    network, weights = nn.Conv2d(1, 3, 1), torch.tensor(more.get("sample_weight", np.ones(12)), dtype=torch.float32)
    weights = weights / np.average(weights, weights=np.square(SIZES))
    expected = after_a_step(
        network,
        [
            weight * nn.functional.cross_entropy(network(picture[None]), mask[None], reduction="none")
            for picture, mask, weight in zip(PICTURES, MASKS, weights, strict=True)
        ],
    )
    items = Items(list(zip(PICTURES, MASKS, strict=True)))
    loader = DataLoader(items, batch_size=12 // more.get("accumulate", 1), shuffle=True, collate_fn=widened)
    torch.testing.assert_close(learnt(network, loader, HARD, **more), expected)


def test_labels_that_do_not_fit_the_rows_of_a_batch_are_refused():
    network = tl.TorchStudent(nn.Linear(1, 3), HARD, classes=[0, 1, 2], positions="tokens")
    tags = [torch.zeros(length, dtype=torch.int64) for length in (3, 5)]

    def together(items):
        return torch.stack([row for row, _ in items]), [tag for _, tag in items]

    with pytest.raises(ShapeError, match="a batch of the Dataset has 3 and 5 labels of rows that were put together"):
        network.fit(DataLoader(Items([(SEQUENCES[0], tag) for tag in tags]), batch_size=2, collate_fn=together), epochs=1)


def test_sizes_drawn_at_random_are_refused_where_batches_were_weighed_before():
    teacher = tl.as_teacher(layer("pixels"), classes=[0, 1, 2], positions="pixels")

    def cropped(items):
        side = int(np.random.randint(3, 8))  # noqa: NPY002 - as collate functions do
        return torch.stack([item[:, :side, :side] for item in items])

    def fit(**more):
        data = DataLoader(Items(PICTURES[6:]), batch_size=2, shuffle=True, collate_fn=cropped)
        return tl.TorchStudent(layer("pixels", seed=1), SOFT).fit(data, teacher, epochs=5, **more).fit_.losses

    assert np.isfinite(fit()).all()
    with pytest.raises(BadInput, match=r"positions that count, and had .*; positions drawn at random take steps of one batch"):
        fit(accumulate=3)
    with pytest.raises(BadInput, match=r"other positions than when it was read before the training.*take no sample_weight"):
        fit(sample_weight=np.ones(6))
