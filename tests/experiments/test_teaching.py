import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import LabelMismatch
from tutelage.experiments.cache import Store
from tutelage.experiments.teaching import cached_labels, cached_network

MADE_FROM = {"what": "a test", "seed": 3}
ROWS = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def nudged(network):
    """Stands for training: random, so that it shows which seed it ran under."""
    with torch.no_grad():
        network.weight.add_(torch.rand_like(network.weight))
    return {"best_epoch": np.array([7])}


def untrained(network):
    raise AssertionError("trained again")


def test_a_network_is_trained_once_and_comes_back_as_it_was(store):
    first, report = cached_network(store, MADE_FROM, lambda: nn.Linear(2, 3), nudged)
    again, reported = cached_network(store, MADE_FROM, lambda: nn.Linear(2, 3), untrained)
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)
    assert report["best_epoch"] == reported["best_epoch"] == 7


def test_the_seed_settles_initial_weights_and_training_whatever_ran_before(tmp_path):
    weights = []
    for place in ("a", "b"):
        torch.rand(len(place) + (place == "b"))
        network, _ = cached_network(Store(tmp_path / place), MADE_FROM, lambda: nn.Linear(2, 3), nudged)
        weights.append(network.weight)
    other, _ = cached_network(Store(tmp_path / "a"), {**MADE_FROM, "seed": 4}, lambda: nn.Linear(2, 3), nudged)
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], other.weight)


def test_answers_are_asked_once_for_the_same_rows_and_again_for_others(store):
    network, _ = cached_network(store, MADE_FROM, lambda: nn.Linear(2, 3), nudged)
    labels = cached_labels(store, network, MADE_FROM, ROWS, ("a", "b", "c"))
    with torch.no_grad():
        np.testing.assert_allclose(labels.logits, network(torch.from_numpy(ROWS)).numpy(), rtol=1e-6)
        network.weight.zero_()  # whoever is asked now would answer otherwise
    again = cached_labels(store, network, MADE_FROM, ROWS, ("a", "b", "c"))
    np.testing.assert_array_equal(again.logits, labels.logits)
    assert again.answer(ROWS) is again.answers
    others = cached_labels(store, network, MADE_FROM, ROWS + 1, ("a", "b", "c"))
    assert not np.allclose(others.logits, labels.logits)
    with pytest.raises(LabelMismatch, match="not among the 5"):
        others.answer(ROWS)


def test_answers_of_another_teacher_are_not_mistaken_for_these(store):
    network, _ = cached_network(store, MADE_FROM, lambda: nn.Linear(2, 3), nudged)
    other_from = {**MADE_FROM, "seed": 9}
    other, _ = cached_network(store, other_from, lambda: nn.Linear(2, 3), nudged)
    first, second = (cached_labels(store, n, made, ROWS, (0, 1, 2)) for n, made in ((network, MADE_FROM), (other, other_from)))
    assert not np.allclose(first.logits, second.logits)
