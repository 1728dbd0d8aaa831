import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput
from tutelage.data.truth.given_truth import given_truth, in_words, named, rows_and_truth

datasets = pytest.importorskip("datasets")
WORDS, NUMBERS = of_classes("logits", ("neg", "pos")), of_classes("logits", (0, 1))
TAGS = AnswerForm("logits", "multiclass", ("O", "B", "I"), positions="tokens")


def rated(column="label"):
    features = datasets.Features({"x": datasets.List(datasets.Value("float32")), column: datasets.ClassLabel(names=["neg", "pos"])})
    return datasets.Dataset.from_dict({"x": [[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]], column: [1, 0, 1]}, features=features)


def test_the_truth_beside_several_inputs_is_the_truth():
    assert given_truth({"input_ids": [[1]], "labels": [[0]]}, None) == [[0]]
    assert given_truth([[1]], [2]) == [2]
    with pytest.raises(BadInput, match="the rows hold labels, and y is given too"):
        given_truth({"input_ids": [[1]], "label": [0]}, [0])


@pytest.mark.parametrize("column", ["label", "labels"])
def test_a_class_label_is_the_name_that_its_dataset_gives(column):
    data = rated(column)
    assert given_truth(data, None, WORDS) == ["pos", "neg", "pos"]
    assert list(given_truth(data, None, NUMBERS)) == [1, 0, 1]
    assert list(given_truth(data, None)) == [1, 0, 1]
    assert in_words(torch.tensor([1, 0]), DataLoader(data), WORDS) == ["pos", "neg"]


def test_tags_are_named_at_any_depth_and_minus_100_stays():
    features = datasets.Features(
        {"ids": datasets.List(datasets.Value("int64")), "labels": datasets.List(datasets.ClassLabel(names=["O", "B", "I"]))}
    )
    data = datasets.Dataset.from_dict({"ids": [[1, 2], [3]], "labels": [[0, 2], [1]]}, features=features)
    assert given_truth(data, None, TAGS) == [["O", "I"], ["B"]]
    assert named(np.array([[0, -100], [1, 5]]), ("O", "B")) == [["O", -100], ["B", 5]]


def test_a_dataset_is_read_once_for_rows_and_truth():
    class Counted(TensorDataset):
        reads = 0

        def __getitem__(self, row):
            Counted.reads += 1
            return super().__getitem__(row)

    data = Counted(torch.arange(8.0).reshape(4, 2), torch.tensor([0, 1, 1, 0]))
    for given in (data, DataLoader(data, batch_size=3)):
        Counted.reads = 0
        rows, truth = rows_and_truth(given, None)
        np.testing.assert_array_equal(rows.part(0, 4), np.arange(8.0).reshape(4, 2))
        assert np.asarray(truth).tolist() == [0, 1, 1, 0]
        assert Counted.reads == 4
    assert rows_and_truth(data, [1, 1, 1, 1])[1] == [1, 1, 1, 1]
    rows, truth = rows_and_truth(TensorDataset(torch.ones(3, 2)), None)
    assert truth is None


def test_names_of_a_dataset_are_learnt_evaluated_and_checked():
    def flat(rows):
        return {"x": torch.tensor([row["x"] for row in rows]), "labels": torch.tensor([row["label"] for row in rows])}

    class Network(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x)

    torch.manual_seed(0)
    data, network = rated(), Network(2, 2)
    rows, y = {"x": np.array(data["x"], np.float32)}, ["pos", "neg", "pos"]
    teacher = tl.as_teacher(Network(2, 2), classes=["neg", "pos"])
    losses = []
    for X, truth in ((rows, y), (data, None), (DataLoader(data, batch_size=3, collate_fn=flat), None)):
        student = tl.TorchStudent(Network(2, 2), tl.losses.hard_cross_entropy(), classes=["neg", "pos"])
        student.network.load_state_dict(network.state_dict())
        sizes = {} if isinstance(X, DataLoader) else {"batch_size": 3}
        losses.append(student.fit(X, y=truth, epochs=1, **sizes).fit_.losses.tolist())
        found = tl.evaluate(student, teacher, X, truth, budget_seconds=None)
        assert found.against_truth["accuracy"].value == (student.predict(rows) == np.array(y)).mean()
        assert not [each for each in tl.preflight(teacher, X, truth).of("error") if each.check == "labels-known"]
    np.testing.assert_allclose(losses, losses[0] * np.ones((3, 1)), rtol=1e-6)


def test_labels_that_nothing_reads_are_no_error():
    rows = {"input": np.ones((4, 2), np.float32), "label": [7, 7, 8, 9]}
    teacher = tl.as_teacher(torch.nn.Linear(2, 2), classes=["a", "b"])
    student = tl.TorchStudent(torch.nn.Linear(2, 2)).fit(rows, teacher, epochs=1)
    assert len(student.fit_.losses) == 1


WRITTEN = ["a b", "b", "c a b", "a"] * 3
HEARD = [[1, 2], [2], [3, 1, 2], [1]] * 3
RATED = {"input_ids": HEARD, "attention_mask": [[1] * len(ids) for ids in HEARD]}


def encoded(batch):
    ids = [[ord(word) - 96 for word in text.split()] for text in batch["text"]]
    return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids], "labels": batch["label"]}


def written(form):
    """The same texts in one of the forms in which Datasets of Hugging Face are used, with 0 for a text with a b."""
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"text": WRITTEN, "label": [int("b" not in text) for text in WRITTEN]}, features=features)
    mapped = data.map(encoded, batched=True, remove_columns=["text", "label"])
    return {
        "mapped": lambda: mapped.cast_column("labels", features["label"]),
        "transform": lambda: data.with_transform(encoded),
        "numpy": lambda: mapped.cast_column("labels", features["label"]).with_format("numpy"),
        "torch": lambda: mapped.cast_column("labels", features["label"]).with_format("torch"),
        "stream": lambda: mapped.cast_column("labels", features["label"]).to_iterable_dataset(),
        "generator": lambda: datasets.IterableDataset.from_generator(lambda: ({**row, "labels": "np"[row["labels"]]} for row in mapped)),
    }[form]()


class Bag(torch.nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = torch.nn.Embedding(4, 2)

    def forward(self, input_ids, attention_mask):
        return (self.embed(input_ids) * attention_mask[..., None]).sum(1)


@pytest.mark.parametrize("form", ["mapped", "transform", "numpy", "torch", "stream", "generator"])
def test_every_form_of_a_dataset_has_the_rows_and_the_truth_that_it_has_in_memory(form):
    names = ["n", "p"] if form == "generator" else ["neg", "pos"]
    y = [names["b" not in text] for text in WRITTEN]
    teacher, data = tl.as_teacher(Bag(1), classes=names), written(form)
    recorded = tl.record(teacher, RATED)
    np.testing.assert_array_equal(tl.record(teacher, data).answers, recorded.answers)
    student = tl.TorchStudent(Bag(), 0.5 * tl.losses.soft_cross_entropy() + 0.5 * tl.losses.hard_cross_entropy(), classes=names)
    found = tl.evaluate(student, teacher, data, budget_seconds=None).against_truth["accuracy"].value
    assert found == (student.predict(RATED) == np.array(y)).mean()
    fits = []
    for X, labels, truth, held_out in (
        (RATED, recorded, y, (RATED, y)),
        (data, recorded, None, data),
        (tl.parts(data, recorded), None, None, data),
        (tl.parts(RATED, recorded, y), None, None, (RATED, y)),
    ):
        student.network.load_state_dict(Bag().state_dict())
        fit = student.fit(X, labels, truth, epochs=1, batch_size=12, validation=held_out).fit_
        fits.append([float(fit.losses[0]), float(fit.scores[0, 0])])
    np.testing.assert_allclose(fits, fits[:1] * 4, rtol=1e-6)


def test_what_a_transform_leaves_out_is_no_truth_and_a_table_that_it_makes_is_refused():
    silent = written("transform").with_transform(lambda batch: {"input_ids": [[1, 2]] * len(batch["text"])})
    assert given_truth(silent, None, WORDS) is None
    assert rows_and_truth(silent, None)[1] is None
    louder = written("transform").with_transform(lambda batch: {"words": [text.upper() for text in batch["text"]]})
    assert rows_and_truth(louder, None)[0].part(0, 2) == ["A B", "B"]
    with pytest.raises(BadInput, match=r"has a transform, which would not be applied"):
        rows_and_truth(louder.with_transform(lambda batch: {"size": [1.0] * len(batch["text"])}), None)


def column_of_a_dataset(rows):
    return datasets.Dataset.from_dict({"x": rows})["x"]


def array_of_arrays(rows):
    return np.array([*map(np.array, rows), None], dtype=object)[:-1]


@pytest.mark.parametrize("column", [column_of_a_dataset, array_of_arrays])
def test_columns_of_lists_are_the_rows_and_the_tags_that_they_hold(column):
    rows = {"input_ids": column(HEARD[:2]), "attention_mask": column([[1, 1], [1]])}
    assert [ids.tolist() for ids in np.split(tl.StructuredRows.of(rows).fields["input_ids"].values, [2])] == HEARD[:2]
    answers = tl.PositionAnswers.of_rows([np.eye(3)[:2], np.eye(3)[:1]])
    labels = tl.record(tl.as_teacher(lambda _: answers, kind="probabilities", classes=["O", "B", "I"], positions="tokens"), rows)
    data = tl.parts(rows, labels, column([["O", "I"], ["B"]]))
    assert [[str(tag) for tag in tags] for tags in data.shard(0).y] == [["O", "I"], ["B"]]
