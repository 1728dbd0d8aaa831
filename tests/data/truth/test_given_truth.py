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
