import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, SequentialSampler, TensorDataset, WeightedRandomSampler
from torch.utils.data.distributed import DistributedSampler

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.training.feeding.feeds import TensorFeed
from tutelage.training.feeding.loader_feed import LoaderFeed

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(30, 4)).astype(np.float32)
Y = (ROWS @ RNG.normal(size=(4, 3))).argmax(axis=1)
INPUTS, TRUTH = torch.from_numpy(ROWS), torch.from_numpy(Y)
CPU = torch.device("cpu")
PARTS = [torch.tensor([3, 1, 9, 0]), torch.tensor([7, 2])]


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def weights_of(student):
    return torch.cat([value.flatten() for value in student.network.state_dict().values()])


class Shown(nn.Module):
    """Notes the rows of every step."""

    def __init__(self):
        super().__init__()
        self.inner, self.steps = nn.Linear(4, 3), []

    def forward(self, inputs):
        if self.training:
            self.steps.append([int((row == INPUTS).all(dim=1).nonzero()[0]) for row in inputs])
        return self.inner(inputs)


def steps_of(loader, epochs=1, **training):
    shown = Shown()
    student = tl.TorchStudent(shown, tl.losses.hard_cross_entropy(), classes=[0, 1, 2]).fit(loader, epochs=epochs, **training)
    assert np.isfinite(student.fit_.losses).all()
    return shown.steps


def test_the_batches_of_a_dataset_are_those_of_a_tensor_with_the_ground_truth():
    loader = DataLoader(TensorDataset(INPUTS, TRUTH), batch_size=3, shuffle=True)
    feed = LoaderFeed.of(loader, CPU, truth=lambda labels, inputs: labels)
    for one, other, rows in zip(TensorFeed(INPUTS).batches(1, PARTS), feed.batches(1, PARTS), PARTS, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(other.rows, rows)
        assert torch.equal(other.labels, TRUTH[rows])
    assert feed.rows == 30
    (alone, _) = LoaderFeed.of(TensorDataset(INPUTS), CPU).batches(1, PARTS)
    assert alone.labels is None
    assert torch.equal(alone.inputs, INPUTS[PARTS[0]])


def test_ground_truth_from_a_dataset_is_mapped_to_the_classes_as_y_is():
    names = np.array(["c", "a", "b"])[Y]
    for classes, y in (([2, 1, 0], Y), (["b", "c", "a"], names)):
        of_y = tl.TorchStudent(network(), classes=classes).fit(ROWS, y=y, epochs=3, batch_size=8)
        loader = DataLoader(list(zip(INPUTS, y, strict=True)), batch_size=8, shuffle=True)
        assert torch.equal(weights_of(tl.TorchStudent(network(), classes=classes).fit(loader, epochs=3)), weights_of(of_y))


@pytest.mark.parametrize("truth", [TRUTH + 1, torch.where(torch.arange(30) < 20, -100, TRUTH)], ids=["other classes", "ignored rows"])
def test_ground_truth_of_other_classes_is_refused(truth):
    with pytest.raises(LabelMismatch, match="which are not among the classes"):
        tl.TorchStudent(network(), classes=[0, 1, 2]).fit(TensorDataset(INPUTS, truth), epochs=1)


def test_labels_and_values_from_a_dataset_are_checked():
    several = TensorDataset(INPUTS, torch.nn.functional.one_hot(TRUTH, 3) * 2)
    form = tl.AnswerForm("logits", "multilabel", ("a", "b", "c"))
    teacher = tl.as_teacher(network(), classes=form.classes, task="multilabel")
    objective = tl.losses.hard_bernoulli() + tl.losses.soft_bernoulli()
    with pytest.raises(BadInput, match="numbers other than 0 and 1"):
        tl.TorchStudent(network(), objective).fit(several, teacher, epochs=1)
    values = TensorDataset(INPUTS, INPUTS.sum(dim=1))
    student = tl.TorchStudent(nn.Linear(4, 1), tl.losses.squared_error(against="labels")).fit(
        values, epochs=300, optimizer=lambda p: torch.optim.Adam(p, 0.05)
    )
    np.testing.assert_allclose(student.predict(ROWS), ROWS.sum(axis=1), atol=0.1)


def test_the_sampler_the_batch_size_and_the_last_batch_of_a_loader_are_honoured():
    pairs = TensorDataset(INPUTS, TRUTH)
    assert steps_of(DataLoader(pairs, batch_size=7)) == [list(range(start, min(start + 7, 30))) for start in range(0, 30, 7)]
    assert [len(rows) for rows in steps_of(DataLoader(pairs, batch_size=7, drop_last=True))] == [7] * 4
    assert [len(rows) for rows in steps_of(DataLoader(pairs, batch_size=29))] == [30]  # a single last row joins the batch before it
    chosen = WeightedRandomSampler((TRUTH == 0).double(), 50)
    steps = steps_of(DataLoader(pairs, batch_size=10, sampler=chosen), epochs=2)
    assert [len(rows) for rows in steps] == [10] * 10
    assert {int(TRUTH[row]) for rows in steps for row in rows} == {0}
    assert steps[:5] != steps[5:]
    assert steps == steps_of(DataLoader(pairs, batch_size=10, sampler=chosen), epochs=2)
    assert steps != steps_of(DataLoader(pairs, batch_size=10, sampler=chosen), epochs=2, seed=1)
    own = BatchSampler(SequentialSampler(range(12)), 4, drop_last=False)
    own = [list(rows) for rows in own]
    assert steps_of(DataLoader(pairs, batch_sampler=own)) == own
    rising = tl.training.TrainingSettings.of({"schedule": tl.training.one_cycle}, DataLoader(pairs, batch_size=6))
    assert rising.batch_size == 6


@pytest.mark.parametrize(
    ("loader", "training", "message"),
    [
        (lambda pairs: DataLoader(pairs, batch_size=4), {"batch_size": 5}, "batch_size is 5, and the DataLoader's is 4"),
        (lambda pairs: DataLoader(pairs, batch_size=None), {}, "has batch_size=None"),
        (lambda pairs: DataLoader(pairs, shuffle=True, generator=torch.Generator()), {}, "has a generator"),
        (
            lambda pairs: DataLoader(pairs, sampler=WeightedRandomSampler(torch.ones(30), 9, generator=torch.Generator())),
            {},
            "its sampler has a generator",
        ),
    ],
)
def test_settings_of_a_loader_that_cannot_be_honoured_are_refused(loader, training, message):
    with pytest.raises(BadInput, match=message):
        tl.TorchStudent(network(), classes=[0, 1, 2]).fit(loader(TensorDataset(INPUTS, TRUTH)), epochs=1, **training)


class Noisy(Dataset):
    """Draws noise from one of the global generators."""

    def __init__(self, draw):
        self.draw = draw

    def __len__(self):
        return 30

    def __getitem__(self, row):
        return INPUTS[row] + self.draw(), TRUTH[row]


DRAWS = {"random": random.random, "numpy": np.random.rand, "torch": lambda: torch.rand(()).item()}


@pytest.mark.parametrize("source", DRAWS)
def test_what_a_dataset_draws_is_settled_by_the_seed_and_leaves_no_trace(source):
    def trained(**settings):
        return weights_of(tl.TorchStudent(network(), classes=[0, 1, 2]).fit(Noisy(DRAWS[source]), epochs=2, batch_size=8, **settings))

    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = trained(seed=3)
    DRAWS[source]()
    assert torch.equal(trained(seed=3), first)
    assert not torch.equal(trained(seed=4), first)
    if source == "torch":
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


class Drawing(nn.Module):
    """Scales its rows by what it draws in each step, and in each validation, from a global generator."""

    def __init__(self, source):
        super().__init__()
        self.source, self.inner = source, nn.Linear(4, 3)

    def forward(self, inputs):
        return self.inner(inputs) * DRAWS[self.source]()


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("source", DRAWS)
@pytest.mark.parametrize("kind", ["in memory", "Dataset"])
def test_what_a_network_draws_is_settled_by_the_seed_also_after_an_interruption(tmp_path, source, kind):
    def trained(stop=False, **settings):
        steps = []

        def advance():
            steps.append(1)
            if stop and len(steps) == 6:
                raise Interrupted

        torch.manual_seed(1)
        student = tl.TorchStudent(Drawing(source), tl.losses.hard_cross_entropy(), classes=[0, 1, 2])
        given = {"X": TensorDataset(INPUTS, TRUTH)} if kind == "Dataset" else {"X": ROWS, "y": Y}
        settings = {"epochs": 3, "batch_size": 8, "validation": (ROWS, Y), "seed": 3, **settings}
        return weights_of(student.fit(**given, **settings, advance=advance))

    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = trained()
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert not torch.equal(trained(seed=4), first)
    DRAWS[source]()
    with pytest.raises(Interrupted):
        trained(stop=True, checkpoints=tmp_path, checkpoint_steps=1)
    DRAWS[source]()
    assert torch.equal(trained(checkpoints=tmp_path, checkpoint_steps=1), first)


@pytest.mark.slow
def test_a_network_draws_the_same_with_any_number_of_workers():
    def trained(workers):
        torch.manual_seed(1)
        student = tl.TorchStudent(Drawing("random"), tl.losses.hard_cross_entropy(), classes=[0, 1, 2])
        return weights_of(student.fit(DataLoader(Noisy(np.random.rand), batch_size=8, num_workers=workers), epochs=2))

    assert torch.equal(trained(0), trained(2))


def test_samplers_that_count_epochs_are_told_them_and_left_as_they_were():
    pairs = TensorDataset(INPUTS, TRUTH)
    sampler = DistributedSampler(pairs, num_replicas=1, rank=0, seed=7)
    expected = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        expected += [list(rows) for rows in BatchSampler(sampler, 10, drop_last=False)]
    sampler.set_epoch(5)

    class Own(BatchSampler):
        pass

    for loader in (DataLoader(pairs, 10, sampler=sampler), DataLoader(pairs, batch_sampler=Own(sampler, 10, drop_last=False))):
        assert steps_of(loader, epochs=3) == expected
        assert sampler.epoch == 5
    assert expected[:3] != expected[3:6]


def test_the_items_of_a_random_stream_are_settled_by_the_seed(tmp_path):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(row + sum(draw() for draw in DRAWS.values()), code) for row, code in zip(INPUTS, TRUTH, strict=True)])

    def trained(**settings):
        given = {"epochs": 2, "validation": Stream(), "seed": 3, **settings}
        return weights_of(tl.TorchStudent(network(), tl.losses.hard_cross_entropy(), classes=[0, 1, 2]).fit(Stream(), **given))

    first = trained()
    assert torch.equal(trained(epochs=1, checkpoints=tmp_path), trained(epochs=1))
    [draw() for draw in DRAWS.values()]
    assert torch.equal(trained(checkpoints=tmp_path, checkpoint_steps=1), first)
    assert not torch.equal(trained(seed=4), first)


@pytest.mark.slow
def test_workers_draw_what_one_process_draws():
    def batches(workers):
        feed = LoaderFeed.of(DataLoader(Noisy(np.random.rand), batch_size=8, num_workers=workers), CPU, seed=5)
        return [batch.inputs for batch in feed.batches(2, PARTS)]

    assert all(torch.equal(one, other) for one, other in zip(batches(0), batches(2), strict=True))


def test_recorded_answers_are_proven_for_every_batch():
    def noisy(items):
        return torch.stack([inputs for inputs, _ in items]) + torch.rand(())

    teacher = tl.as_teacher(network(), classes=[0, 1, 2])
    loader = DataLoader(TensorDataset(INPUTS, TRUTH), batch_size=8, collate_fn=noisy)
    with pytest.raises(LabelMismatch, match="8 of 8 rows in a batch are not those that were recorded"):
        tl.TorchStudent(network()).fit(loader, tl.record(teacher, ROWS), epochs=1)
    assert np.isfinite(tl.TorchStudent(network()).fit(loader, teacher, epochs=1).fit_.losses).all()


class Items(Dataset):
    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 6

    def __getitem__(self, row):
        return self.item


IDS, MASK = torch.tensor([1, 2, 0]), torch.tensor([1, 1, 0])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((IDS, MASK), "a second input, such as a mask"),
        ((IDS, MASK, 1), "of 3 values; expected inputs, or inputs and ground truth"),
        ((torch.zeros(3, 4), torch.zeros(3, 4)), "a second input"),
    ],
    ids=["mask", "three", "maps"],
)
def test_a_second_input_is_neither_taken_for_the_truth_nor_dropped(item, message):
    teacher = tl.as_teacher(lambda rows: np.zeros((len(rows), 2)), kind="logits", classes=[0, 1])
    with pytest.raises(BadInput, match=message):
        tl.TorchStudent(nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), classes=[0, 1]).fit(Items(item), teacher, epochs=1)
    with pytest.raises(BadInput, match=message):
        tl.record(teacher, Items(item))


def test_data_that_is_no_dataset_of_rows_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(INPUTS)

    with pytest.raises(BadInput, match="Stream has no length or no index"):
        LoaderFeed.of(Stream(), CPU)
    with pytest.raises(ShapeError, match="has no rows"):
        LoaderFeed.of(TensorDataset(INPUTS[:0]), CPU)
    texts = DataLoader([("a", 1), ("b", 0)], batch_size=2)
    with pytest.raises(BadInput, match="a collate_fn that returns one"):
        tl.TorchStudent(network(), classes=[0, 1]).fit(texts, epochs=1)
    ragged = DataLoader([(torch.zeros(2), 1), (torch.zeros(3), 0)], batch_size=2)
    with pytest.raises(BadInput, match="the items of list cannot be read as a batch"):
        tl.TorchStudent(network(), classes=[0, 1]).fit(ragged, epochs=1)


def test_a_second_input_that_no_loss_reads_is_refused_and_y_replaces_the_truth_of_the_items():
    teacher = tl.as_teacher(network(), classes=[0, 1, 2])
    with pytest.raises(ShapeError, match=r"numbers of shape \(4,\), which are no ground truth"):
        tl.TorchStudent(network()).fit(TensorDataset(INPUTS, torch.ones(30, 4)), teacher, epochs=1)
    tl.TorchStudent(network()).fit(TensorDataset(INPUTS, torch.nn.functional.one_hot(TRUTH)), teacher, epochs=1)
    students = [
        tl.TorchStudent(network(), classes=[0, 1, 2]).fit(TensorDataset(*given), y=2 - Y, epochs=2)
        for given in ((INPUTS, TRUTH), (INPUTS,))
    ]
    assert torch.equal(*map(weights_of, students))
    both = 0.5 * tl.losses.soft_cross_entropy() + 0.5 * tl.losses.hard_cross_entropy()
    assert tl.TorchStudent(network(), both).fit(TensorDataset(INPUTS), teacher, Y, epochs=1).fit_.losses[0] > 0


def test_a_stream_is_read_once_and_the_batches_of_one_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(INPUTS, TRUTH, strict=True))

    students = [tl.TorchStudent(network(), classes=[0, 1, 2]).fit(data, epochs=2) for data in (Stream(), TensorDataset(INPUTS, TRUTH))]
    assert torch.equal(*map(weights_of, students))
    with pytest.raises(BadInput, match="Stream has no length or no index"):
        tl.TorchStudent(network()).fit(DataLoader(Stream(), batch_size=4), tl.as_teacher(network(), classes=[0, 1, 2]), epochs=1)


@pytest.mark.parametrize("loader", ["random Dataset", "sampler"])
def test_a_training_interrupted_within_an_epoch_continues_with_the_same_draws(tmp_path, loader):
    class Interrupted(Exception):
        pass

    def trained(folder=None, stop_after=None):
        steps = []

        def advance():
            steps.append(1)
            if len(steps) == stop_after:
                raise Interrupted

        torch.manual_seed(1)
        dropping = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 3))
        pairs = TensorDataset(INPUTS, TRUTH)
        data = {
            "random Dataset": DataLoader(pairs, batch_size=7, shuffle=True, collate_fn=noisy_pairs),
            "sampler": DataLoader(pairs, batch_size=7, sampler=WeightedRandomSampler(TRUTH + 1.0, 30)),
        }[loader]
        student = tl.TorchStudent(dropping, classes=[0, 1, 2])
        return weights_of(student.fit(data, epochs=3, checkpoints=folder, checkpoint_steps=2 if folder else 0, advance=advance))

    alone = trained()
    with pytest.raises(Interrupted):
        trained(tmp_path, stop_after=8)
    np.random.rand(3)  # noqa: NPY002 - a new process has another state
    assert torch.equal(trained(tmp_path), alone)


def noisy_pairs(items):
    inputs, truth = zip(*items, strict=True)
    return torch.stack(inputs) + float(np.random.rand()), torch.stack(truth)  # noqa: NPY002


def test_a_batch_sampler_of_torch_settles_the_batches():
    sampler = BatchSampler(SequentialSampler(range(30)), 8, drop_last=False)
    assert list(map(len, steps_of(DataLoader(TensorDataset(INPUTS, TRUTH), batch_sampler=sampler)))) == [8, 8, 8, 6]


def test_rows_that_may_share_a_batch_are_those_of_the_sampler_and_all_are_read():
    data = TensorDataset(torch.arange(6.0)[:, None])

    def together(**loading):
        return [rows.tolist() for rows in LoaderFeed.of(DataLoader(data, **loading), torch.device("cpu"))._together(1)]

    assert together(batch_size=4, shuffle=True) == [[0, 1, 2, 3], [4, 5]]
    assert together(batch_size=4, sampler=[5, 3, 1, 0, 2]) == [[5, 3, 1, 0], [2]]
    assert together(batch_sampler=[[4, 1], [], [1, 3]]) == [[4, 1], [1, 3]]
    one = LoaderFeed.of(DataLoader(data, batch_sampler=[[4, 1, 3]]), torch.device("cpu"))
    assert one.few(2).tolist() == [4, 1]
    assert [rows.tolist() for rows, *_ in one.read()] == [[4, 1, 3], [0], [2], [5]]
    assert LoaderFeed.of(data, torch.device("cpu")).few(8).tolist() == [0, 1, 2, 3, 4, 5]
