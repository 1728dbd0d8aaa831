"""What is minimised where nothing is said, and what is said of data that a student cannot learn from as it is."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.training.arguments import default_objective

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
LABELS = (X[:, :2] > 0).astype(int)


def multilabel(rows):
    return 1 / (1 + np.exp(-5 * np.asarray(rows)[:, :2]))


def doubled(rows):
    return 2 * np.asarray(rows)[:, :1]


OF_LABELS = tl.as_teacher(multilabel, kind="probabilities", task="multilabel", classes=("a", "b"))
OF_VALUES = tl.as_teacher(doubled, kind="values")
QUICK = {"epochs": 120, "batch_size": 40, "lr": 0.1}


@pytest.mark.parametrize(("labels", "y"), [(OF_LABELS, None), (tl.record(OF_LABELS, X), None), (None, LABELS)])
def test_labels_are_learnt_without_naming_an_objective(labels, y):
    student = tl.TorchStudent(nn.Linear(4, 2)).fit(X, labels, y, **QUICK)
    assert (student.predict(X) == LABELS).mean() > 0.95


@pytest.mark.parametrize(("labels", "y"), [(OF_VALUES, None), (tl.record(OF_VALUES, X), None), (None, 2 * X[:, 0])])
def test_values_are_learnt_without_naming_an_objective(labels, y):
    student = tl.TorchStudent(nn.Linear(4, 1)).fit(X, labels, y, **QUICK)
    np.testing.assert_allclose(student.predict(X), 2 * X[:, 0], atol=0.1)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (None, "hard_cross_entropy"),
        (["a", "b"], "hard_cross_entropy"),
        (np.array([0.0, 1.0]), "hard_cross_entropy"),
        (np.array([0.0, np.nan]), "hard_cross_entropy"),
        (torch.tensor([0.5, 1.0]), "squared_error labels"),
        (np.array([[0.5, 2.0], [1.0, 0.0]]), "squared_error labels"),
        ([[0, 1], [1, 0]], "hard_bernoulli"),
        ([np.array([[0, 1]]), np.array([[0, 1]])], "hard_cross_entropy"),
    ],
)
def test_the_truth_says_what_is_minimised(y, expected):
    assert [term.name for term in default_objective(None, y, None).terms] == [expected]


def test_a_share_of_a_dataset_says_how_to_split_it():
    pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(LABELS[:, 0]))
    student = tl.TorchStudent(nn.Linear(4, 2), classes=(0, 1))
    for data, name in ((pairs, "TensorDataset"), (DataLoader(pairs, batch_size=8), "DataLoader")):
        with pytest.raises(BadInput, match=rf"validation=0.25 of a {name}; .*random_split\(dataset, \[0.75, 0.25\]\)"):
            student.fit(data, validation=0.25, epochs=1)


def test_a_list_of_mappings_says_how_to_pass_it():
    rows = [{"input_ids": [1], "attention_mask": [1], "token_type_ids": [0]}] * 2
    says = r"\{'input_ids': \[row\['input_ids'\] for row in rows\], 'attention_mask': .*, \.\.\.\}, or a Dataset"
    student = tl.TorchStudent(nn.Linear(4, 2), classes=(0, 1))
    calls = (student.fit, student.predict, tl.as_teacher(nn.Linear(4, 2), classes=(0, 1)).answer)
    for call in calls:
        with pytest.raises(BadInput, match=says):
            call(rows)


def test_the_void_label_of_a_segmentation_says_how_it_is_left_out():
    pictures, classes = np.zeros((3, 1, 2, 2), np.float32), np.array([[[0, 1], [1, 255]]] * 3)
    student = tl.TorchStudent(nn.Conv2d(1, 2, 1), classes=(0, 1), positions="pixels")
    with pytest.raises(LabelMismatch, match=r"the labels \[255\], .* is given as -100: y = np.where\(y == 255, -100, y\)"):
        student.fit(pictures, y=classes, epochs=1)
    student.fit(pictures, y=np.where(classes == 255, -100, classes), epochs=1)
    findings = tl.preflight(tl.as_teacher(nn.Conv2d(1, 2, 1), classes=(0, 1), positions="pixels"), pictures, classes)
    assert "y = np.where(y == 255, -100, y)" in " ".join(str(findings).split())


def test_a_network_of_fewer_steps_than_positions_says_what_its_mask_cannot_tell():
    class Strided(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = nn.Conv1d(1, 3, 2, stride=2)

        def forward(self, input_values, attention_mask=None):
            return self.steps(input_values[:, None]).transpose(1, 2)

    sounds = {"input_values": np.ones((2, 8), np.float32)}
    teacher = tl.as_teacher(Strided(), classes=("-", "a", "b"), positions="tokens")
    assert [len(row) for row in tl.record(teacher, sounds).answers] == [4, 4]
    masked = sounds | {"attention_mask": np.array([[1] * 8, [1] * 4 + [0] * 4])}
    with pytest.raises(ShapeError, match=r"answers 4 positions of rows of 8 tokens, .* leave the mask out and pass each row"):
        tl.record(teacher, masked)
    alone = {"input_values": [np.ones(8, np.float32), np.ones(4, np.float32)]}
    assert [len(row) for row in tl.record(teacher, alone).answers] == [4, 2]


def test_sounds_beside_a_mask_are_cut_as_tokens_are():
    mask = (np.arange(8) < np.array([[5], [3]])).astype(int)
    rows = tl.StructuredRows.of({"input_values": np.where(mask, 1.5, 0).astype(np.float32), "attention_mask": mask})
    assert rows.lengths.tolist() == [5, 3]
    assert rows.padded()["input_values"].tolist() == [[1.5] * 5, [1.5] * 3 + [0, 0]]


@pytest.mark.parametrize(
    ("y", "sentence"),
    [([[0, 1], [1]], "the rows of y do not have the same number of values"), (5, r"y has shape \(\); expected \(rows,\)")],
)
def test_a_ground_truth_of_no_shape_is_said(y, sentence):
    with pytest.raises(ShapeError, match=sentence):
        tl.TorchStudent(nn.Linear(4, 2)).fit(np.zeros((2, 4), np.float32), y=y, epochs=1)
