from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.rows import as_rows
from tutelage.data.truth.given_truth import rows_and_truth

RNG = np.random.default_rng(0)
ROWS, Y = RNG.normal(size=(25, 4)).astype(np.float32), RNG.integers(0, 3, 25)
PAIRS = TensorDataset(torch.from_numpy(ROWS), torch.from_numpy(Y))
LENGTHS = RNG.integers(1, 7, 25)
TEXTS = [{"ids": RNG.integers(1, 9, length), "attention_mask": np.ones(length, int)} for length in LENGTHS]


def inputs_and_truths(data):
    rows, truth = rows_and_truth(data, None)
    return rows.part(0, rows.count), truth


class Stream(IterableDataset):
    def __init__(self, items):
        self.items, self.reads = items, 0

    def __iter__(self):
        self.reads += 1
        return iter(self.items)


def padded(items):
    """A batch of texts, padded to the longest of the batch, with the first id of each as its truth."""
    longest = max(len(item["ids"]) for item in items)
    batch = {name: torch.tensor(np.array([np.pad(item[name], (0, longest - len(item[name]))) for item in items])) for name in items[0]}
    return {**batch, "labels": torch.tensor([int(item["ids"][0]) for item in items])}


@pytest.mark.parametrize("workers", [0, 2])
def test_the_rows_of_a_loader_are_those_of_its_dataset_in_any_parts(workers):
    rows = as_rows(DataLoader(PAIRS, batch_size=4, num_workers=workers))
    assert (rows.count, rows.kind) == (25, "DataLoader")
    np.testing.assert_array_equal(rows.part(0, 25), ROWS)
    np.testing.assert_array_equal(rows.part(3, 9), ROWS[3:9])
    np.testing.assert_array_equal(np.concatenate([part for *_, part in rows.parts(7)]), ROWS)


def test_several_inputs_are_padded_as_the_collate_function_does_and_joined_without():
    rows = as_rows(DataLoader(TEXTS, batch_size=4, collate_fn=padded))
    part = rows.part(2, 11)
    assert part.lengths.tolist() == LENGTHS[2:11].tolist()
    np.testing.assert_array_equal(part.fields["ids"].values, np.concatenate([text["ids"] for text in TEXTS[2:11]]))
    inputs, truth = inputs_and_truths(DataLoader(TEXTS, batch_size=4, collate_fn=padded))
    assert len(inputs) == 25
    assert [int(label) for label in truth] == [int(text["ids"][0]) for text in TEXTS]


def test_a_stream_is_read_once_and_the_batches_of_one_too():
    stream = Stream(list(PAIRS))
    rows = as_rows(stream)
    np.testing.assert_array_equal(np.concatenate([part for *_, part in rows.parts(7)]), ROWS)
    np.testing.assert_array_equal(rows.part(0, 25), ROWS)
    assert stream.reads == 1
    np.testing.assert_array_equal(as_rows(DataLoader(Stream(list(PAIRS)), batch_size=4)).part(3, 20), ROWS[3:20])
    found, truth = inputs_and_truths(Stream(list(PAIRS)))
    np.testing.assert_array_equal(found, ROWS)
    assert truth == Y.tolist()


def test_a_stream_of_hugging_face_is_read_once():
    datasets = pytest.importorskip("datasets")
    stream = datasets.Dataset.from_list([{"ids": text["ids"].tolist()} for text in TEXTS]).to_iterable_dataset()
    assert as_rows(stream).part(0, 25).lengths.tolist() == LENGTHS.tolist()
    named = datasets.Dataset.from_list(
        [{**{name: list(map(int, text[name])) for name in text}, "labels": int(text["ids"][0] % 3)} for text in TEXTS]
    )
    student = tl.TorchStudent(Classifier(), classes=[0, 1, 2]).fit(named, epochs=1, validation=named)
    assert student.fit_.scores.shape == (1, 1)


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (
            lambda: DataLoader(PAIRS, batch_size=4, shuffle=True),
            "the DataLoader shuffles .*RandomSampler.*pass its dataset, or a DataLoader",
        ),
        (lambda: DataLoader(PAIRS, batch_sampler=BatchSampler(RandomSampler(PAIRS), 4, False)), "the DataLoader shuffles"),
        (lambda: DataLoader(PAIRS, batch_size=4, drop_last=True), r"leaves out the last rows \(drop_last\)"),
        (lambda: DataLoader(PAIRS, batch_sampler=[[0, 1], [2]]), "has a list, so that the order of its rows is not known"),
        (lambda: DataLoader(PAIRS, batch_size=None, shuffle=True), "the DataLoader shuffles"),
    ],
)
def test_a_loader_whose_order_is_not_known_is_refused(loader, message):
    for use in (as_rows, lambda data: tl.record(tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2]), data), inputs_and_truths):
        with pytest.raises(BadInput, match=message):
            use(loader())


def test_batches_that_cannot_be_joined_or_read_are_named():
    class Failing(Stream):
        def __iter__(self):
            raise RuntimeError("no network")

    ragged = DataLoader([torch.zeros(2), torch.zeros(2), torch.zeros(3)], batch_size=2)
    for make, error, message in (
        (lambda: as_rows(ragged).part(0, 3), ShapeError, "the batches of the DataLoader do not have the same shape"),
        (
            lambda: as_rows(DataLoader([torch.zeros(2), torch.zeros(3)], batch_size=2)).part(0, 2),
            BadInput,
            "the items of list cannot be read",
        ),
        (lambda: as_rows(Failing([])), BadInput, r"the items of Failing cannot be read \(.*no network"),
        (lambda: as_rows(Stream([])), ShapeError, "the IterableDataset has no rows"),
        (lambda: as_rows(DataLoader(Stream([]), batch_size=2)), ShapeError, "the DataLoader has no rows"),
    ):
        with pytest.raises(error, match=message):
            make()


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(9, 3)

    def forward(self, ids, attention_mask):
        return self.embed(ids)


class Classifier(Tagger):
    def forward(self, ids, attention_mask):
        return (self.embed(ids) * attention_mask[..., None]).sum(1)


def tagged(items):
    """A batch of texts with the truth of every token, padded by -100 to the longest of the batch."""
    batch = padded(items)
    tags = torch.where(batch["attention_mask"] > 0, batch["ids"] % 3, -100)
    return {**batch, "labels": tags}


def test_the_truth_of_positions_is_read_from_batches_of_different_widths():
    tags = [text["ids"] % 3 for text in TEXTS]
    rows = {name: [text[name] for text in TEXTS] for name in TEXTS[0]}
    scores = [
        tl.TorchStudent(Tagger(), classes=[0, 1, 2], positions="tokens")
        .fit(rows, y=tags, epochs=2, validation=validation)
        .fit_.scores.tolist()
        for validation in (DataLoader(TEXTS, batch_size=4, collate_fn=tagged), (rows, tags))
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("shuffle", [False, True])
def test_recorded_answers_are_found_for_what_a_collate_function_makes_of_the_items(shuffle):
    teacher = tl.as_teacher(Classifier(), classes=[0, 1, 2])
    recorded = tl.record(teacher, {name: [text[name] for text in TEXTS] for name in TEXTS[0]})
    loader = DataLoader(TEXTS, batch_size=4, shuffle=shuffle, collate_fn=padded)

    def fitted(labels, data=loader):
        return tl.TorchStudent(Classifier(), classes=[0, 1, 2]).fit(data, labels, epochs=2).network.embed.weight

    assert torch.equal(fitted(recorded), fitted(teacher))
    state = torch.get_rng_state()
    as_rows(DataLoader(TEXTS, batch_size=4, collate_fn=padded)).part(0, 25)
    assert torch.equal(torch.get_rng_state(), state)

    def noisy(items):
        batch = padded(items)
        return {**batch, "ids": (batch["ids"] + torch.randint(1, 4, batch["ids"].shape)) % 9 * batch["attention_mask"]}

    with pytest.raises(LabelMismatch):
        fitted(recorded, DataLoader(TEXTS, batch_size=4, collate_fn=noisy))


def test_recorded_answers_and_predictions_are_in_the_order_of_the_loader():
    torch.manual_seed(0)
    teacher = tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2])
    loader = DataLoader(PAIRS, batch_size=4)
    np.testing.assert_array_equal(tl.record(teacher, loader).answers, tl.record(teacher, ROWS).answers)
    student = tl.TorchStudent(nn.Linear(4, 3), classes=[0, 1, 2])
    for data in (loader, PAIRS, Stream(list(PAIRS))):
        np.testing.assert_array_equal(student.predict(data), student.predict(ROWS))
        np.testing.assert_array_equal(student.predict_proba(data), student.predict_proba(ROWS))
    with pytest.raises(BadInput, match="the DataLoader shuffles"):
        student.predict(DataLoader(PAIRS, shuffle=True))


def test_a_loader_of_pairs_selects_the_epoch_as_its_rows_do():
    def fitted(validation):
        torch.manual_seed(0)
        return tl.TorchStudent(nn.Linear(4, 3), classes=[0, 1, 2]).fit(ROWS, y=Y, epochs=4, validation=validation).fit_.scores.tolist()

    expected = fitted((ROWS, Y))
    for validation in (DataLoader(PAIRS, batch_size=4), PAIRS, Stream(list(PAIRS)), (DataLoader(PAIRS, batch_size=4), Y)):
        assert fitted(validation) == expected
    with pytest.raises(BadInput, match="validation rows need ground truth"):
        fitted(TensorDataset(torch.from_numpy(ROWS)))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, a, b):
        return self.first(a) + 2 * self.second(b)


def test_a_tuple_of_inputs_stays_one_where_torch_collates_it_to_a_list():
    a, b = torch.from_numpy(ROWS), torch.from_numpy(ROWS[::-1].copy())
    items = [((left, right), int(label)) for left, right, label in zip(a, b, Y, strict=True)]
    student = tl.TorchStudent(Two(), classes=[0, 1, 2])
    with torch.no_grad():
        expected = Two()(a, b)
    teacher = tl.as_teacher(Two(), classes=[0, 1, 2])
    for data in (items, Stream(items)):
        loader = DataLoader(data, batch_size=4)
        np.testing.assert_allclose(student.outputs(loader), expected, atol=1e-6)
        np.testing.assert_allclose(tl.record(teacher, loader).answers, expected, atol=1e-6)
    found = tl.evaluate(student, teacher, DataLoader(items, batch_size=4), budget_seconds=None)
    assert found.against_truth["accuracy"].value == (expected.argmax(1).numpy() == Y).mean()
    own = partial(torch.utils.data.default_collate)
    listed = DataLoader(items, batch_size=4, collate_fn=own)
    with pytest.raises(BadInput, match="the inputs of a batch of the dataset are a list of 2 arrays"):
        student.predict(listed)


def test_the_labels_of_a_row_are_not_cut_where_they_are_as_many_as_its_padded_tokens():
    def with_labels(items):
        batch = padded(items)
        return {**batch, "labels": torch.ones(len(items), batch["ids"].shape[1], dtype=torch.int64)}

    batch = DataLoader(TEXTS, batch_size=25, collate_fn=with_labels)
    _, truth = inputs_and_truths(batch)
    assert np.shape(truth) == (25, LENGTHS.max())
