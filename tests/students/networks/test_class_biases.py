import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput
from tutelage.teachers.adapt import as_teacher
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
NAMES = ("cat", "dog", "bird")
LINES = RNG.normal(size=(4, 3))
TEACHER = as_teacher(lambda rows: np.asarray(rows) @ LINES + [0, 2, -1], kind="logits", classes=NAMES)
MEANS = softmax(X @ LINES + [0, 2, -1]).mean(axis=0)


class Own(nn.Module):
    """A network of the user's own code."""

    def __init__(self, *, bias: bool = True):
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), nn.Linear(5, 3, bias=bias)

    def forward(self, rows):
        return SimpleNamespace(logits=self.head(torch.tanh(self.body(rows))))


def student_of(network, **settings):
    return TorchStudent(network, classes=NAMES, **settings)


@pytest.mark.parametrize(
    "network",
    [
        mlp((4, 6, 3)),
        nn.Sequential(nn.Sequential(nn.Linear(4, 3, bias=False)), nn.Identity()),
        Own(),
        Own(bias=False),
        mlp((4, 3)).double(),
    ],
    ids=["layers", "nested", "own", "own without bias", "double"],
)
def test_the_biases_are_those_of_the_last_layer(network):
    student = student_of(network)
    before, weights = student.outputs(X), copy.deepcopy(network.state_dict())
    matched = tl.match_teacher_marginals(student, TEACHER, X)
    np.testing.assert_allclose(matched.predict_proba(X).mean(axis=0), MEANS, atol=1e-6)
    np.testing.assert_allclose(matched.outputs(X) - before, np.tile(matched.biases_, (200, 1)), atol=1e-5)
    assert list(network.state_dict()) == list(weights)
    assert all(torch.equal(network.state_dict()[name], weights[name]) for name in weights)
    assert not hasattr(student, "biases_")
    np.testing.assert_allclose(as_teacher(matched).answer(X), matched.outputs(X))


class Scaled(nn.Linear):
    def forward(self, rows):
        return super().forward(rows) / 2


def tied():
    first, last = nn.Linear(4, 3), nn.Linear(3, 3)
    last.bias = first.bias
    return nn.Sequential(first, last)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(1)),
        nn.Sequential(*[nn.Linear(4, 4)] * 2, nn.Linear(4, 3), nn.ReLU()),
        Scaled(4, 3),
        tied(),
    ],
    ids=["log-softmax", "relu", "scaled", "tied"],
)
def test_logits_that_are_no_result_of_a_linear_layer_are_refused(network):
    with pytest.raises(
        BadInput, match=r"the logits of this \w+ are not the result of a Linear layer .*; end the network in torch.nn.Linear"
    ):
        tl.match_teacher_marginals(student_of(network), TEACHER, X)


def test_a_layer_that_is_used_twice_is_refused():
    layer = nn.Linear(3, 3)
    with pytest.raises(BadInput, match="that computes nothing else"):
        tl.match_teacher_marginals(student_of(nn.Sequential(nn.Linear(4, 3), layer, nn.Tanh(), layer)), TEACHER, X)


def test_whole_numbers_of_an_embedding_are_taken():
    ids = RNG.integers(0, 7, (50, 2))
    network = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(8, 3))
    labels = tl.record(as_teacher(lambda rows: np.eye(3)[rows[:, 0] % 3] * 3, kind="logits", classes=NAMES), ids)
    matched = tl.match_teacher_marginals(student_of(network), labels, ids)
    np.testing.assert_allclose(matched.predict_proba(ids).mean(axis=0), labels.probabilities.mean(axis=0), atol=1e-6)


def test_it_is_saved_exported_and_trained_further(tmp_path):
    student = student_of(mlp((4, 6, 3))).fit(X, TEACHER, epochs=1, seed=0)
    matched = tl.match_teacher_marginals(student, TEACHER, X)
    assert matched.fit_ is student.fit_
    assert repr(matched).startswith("TorchStudent(Sequential, classes=['cat', 'dog', 'bird'], biases=[")
    again = tl.load_student(tl.save_student(matched, tmp_path / "student"))
    np.testing.assert_array_equal(again.predict_proba(X), matched.predict_proba(X))
    np.testing.assert_array_equal(again.biases_, matched.biases_)
    assert tl.export(matched, tmp_path / "student.c", check_on=X[:20], compared_rows=200).proofs[0].decisions_changed == 0
    twice = tl.match_teacher_marginals(again, TEACHER, X)
    np.testing.assert_allclose(twice.biases_, matched.biases_, atol=1e-5)
    assert not hasattr(again.fit(X, TEACHER, epochs=1), "biases_")


def test_labels_have_a_bias_each():
    network = mlp((4, 6, 2))
    student = TorchStudent(network)
    labels = as_teacher(lambda rows: np.asarray(rows)[:, :2] + 1, kind="logits", task="multilabel", classes=["red", "big"])
    student.set_form(labels.form)
    matched = tl.match_teacher_marginals(student, labels, X)
    expected = labels.form.probabilities(labels.answer(X)).mean(axis=0)
    np.testing.assert_allclose(matched.predict_proba(X).mean(axis=0), expected, atol=1e-6)
