import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.losses.top_targets import TopTargets
from tutelage.training.stacked_network import StackedNetwork
from tutelage.training.validation import BestWeights, Validation


def test_validation_counts_errors_or_averages_the_loss():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [0.0, 1.0]]])

    class Stack(StackedNetwork):
        copies = 2

        def forward(self, inputs):
            return logits

    labels = torch.tensor([0, 1])
    assert Validation(torch.zeros(2, 1), labels).score(Stack()).tolist() == [0.0, 1.0]
    loss = Validation(torch.zeros(2, 1), labels, by="loss").score(Stack())
    expected = [nn.functional.cross_entropy(copy, labels).item() for copy in logits]
    torch.testing.assert_close(loss, torch.tensor(expected).double(), rtol=1e-6, atol=1e-6)
    soft = Validation(torch.zeros(2, 1), nn.functional.one_hot(labels, 2).float(), by="loss").score(Stack())
    torch.testing.assert_close(soft, loss)


def test_values_are_scored_by_their_squared_error():
    class Half(nn.Module):
        def forward(self, inputs):
            return inputs / 2

    score = Validation(torch.tensor([[2.0], [6.0]]), torch.tensor([[0.0], [5.0]]), by="squares").score(Half())
    assert score.tolist() == [2.5]


def test_a_copy_that_answers_nan_has_an_infinite_score():
    class Stack(StackedNetwork):
        copies = 2

        def forward(self, inputs):
            return torch.tensor([[[2.0, 0.0], [2.0, 0.0]], [[2.0, 0.0], [float("nan"), 0.0]]])

    assert Validation(torch.zeros(2, 1), torch.tensor([0, 0])).score(Stack()).tolist() == [0.0, torch.inf]


def test_a_copy_whose_patience_has_run_out_ignores_later_epochs():
    class Stack(StackedNetwork):
        copies = 2

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))

    stack = Stack()
    best = BestWeights(stack)
    for epoch, scores in enumerate(([3.0, 3.0], [4.0, 2.0], [4.0, 3.0], [1.0, 1.0]), start=1):
        nn.init.constant_(stack.weight, float(epoch))
        best.update(torch.tensor(scores, dtype=torch.float64), epoch, patience=2)
    best.restore()
    assert best.epoch.tolist() == stack.weight.tolist() == [1, 4]


def test_the_most_probable_classes_are_scored_as_all_of_them_where_all_but_one_are_known():
    network, inputs, logits = nn.Linear(3, 5), torch.randn(8, 3), torch.randn(8, 5)
    log_probs, ids = torch.log_softmax(logits, dim=1).topk(4, dim=1)
    rest = torch.log1p(-log_probs.exp().sum(dim=1))
    whole = Validation(inputs, torch.softmax(logits, dim=1), by="loss").score(network)
    torch.testing.assert_close(Validation(inputs, TopTargets(ids, log_probs, rest, 5), by="loss").score(network), whole)


class Centred(nn.Module):
    """Subtracts a running mean, which its state_dict may leave out, and which it changes in place or replaces."""

    def __init__(self, persistent, in_place):
        super().__init__()
        torch.manual_seed(1)
        self.linear, self.in_place = nn.Linear(5, 4), in_place
        self.register_buffer("centre", torch.zeros(4), persistent=persistent)

    def forward(self, inputs):
        answers = self.linear(inputs)
        if self.training:
            moved = 0.9 * self.centre + 0.1 * answers.detach().mean(0)
            if self.in_place:
                self.centre.copy_(moved)
            else:
                self.centre = moved
        return answers - self.centre


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_buffers_belong_to_the_best_epoch_and_to_a_resumed_training(persistent, in_place, tmp_path):
    random = np.random.default_rng(0)
    X, soft = random.normal(size=(40, 5)).astype(np.float32), random.dirichlet(np.ones(4), 40)
    y = soft.argmax(axis=1)

    def trained(**options):
        student = tl.TorchStudent(Centred(persistent, in_place), classes=range(4))
        return student.fit(X[:28], soft[:28], epochs=6, batch_size=8, lr=0.05, validation=(X[28:], y[28:]), **options)

    student = trained()
    assert student.fit_.best_epoch[0] < 6
    assert (student.predict(X[28:]) != y[28:]).sum() == student.fit_.scores.min()
    steps = []

    def stop():
        steps.append(0)
        if len(steps) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(checkpoints=tmp_path, advance=stop)
    np.testing.assert_array_equal(trained(checkpoints=tmp_path).predict_proba(X), student.predict_proba(X))


def test_a_cache_that_grows_is_that_of_the_best_epoch():
    class Growing(nn.Linear):
        def forward(self, inputs):
            self.seen = torch.zeros(len(self.seen) + 1)
            return super().forward(inputs)

    network = Growing(1, 2)
    network.register_buffer("seen", torch.zeros(0), persistent=False)
    best = BestWeights(network)
    network(torch.zeros(1, 1))
    best.update(torch.tensor([1.0]), 1)
    network(torch.zeros(1, 1))
    best.restore()
    assert len(network.seen) == 1


def test_a_network_that_keeps_a_state_of_its_own_is_refused():
    class Counting(nn.Linear):
        def get_extra_state(self):
            return {"calls": 1}

        def set_extra_state(self, state):
            raise AssertionError

    with pytest.raises(BadInput, match=r"keeps a state of its own \(_extra_state\).*hold it in a buffer, or train without validation"):
        tl.TorchStudent(Counting(3, 2)).fit(np.zeros((8, 3), np.float32), y=np.arange(8) % 2, epochs=1, validation=0.5)


def test_a_buffer_that_the_copies_of_a_stack_share_is_kept_whole():
    class Shared(StackedNetwork):
        copies = 2

        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.zeros(2, 3))
            self.register_buffer("mean", torch.zeros(4), persistent=False)

    network = Shared()
    best = BestWeights(network)
    for epoch, scores in enumerate(([1.0, 5.0], [3.0, 2.0]), start=1):
        with torch.no_grad():
            network.weights.fill_(epoch)
            network.mean.fill_(epoch)
        best.update(torch.tensor(scores, dtype=torch.float64), epoch)
    network.mean.fill_(9)
    best.restore()
    assert network.weights[:, 0].tolist() == [1, 2]
    assert network.mean.tolist() == [2] * 4


def test_a_saved_buffer_that_grows_is_that_of_the_best_epoch():
    class Growing(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.register_buffer("seen", torch.zeros(0))

        def forward(self, inputs):
            if self.training:
                self.seen = torch.cat([self.seen, inputs.detach()[:, 0]])
            return super().forward(inputs)

    X, y = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    student = tl.TorchStudent(Growing()).fit(X, y=y, epochs=4, batch_size=8, validation=0.2, seed=0)
    assert len(student.network.seen) == 32 * student.fit_.best_epoch[0]


def test_a_stack_without_an_axis_of_copies_keeps_no_best_epochs():
    class Peers(StackedNetwork, nn.ModuleList):
        copies = 2

        def forward(self, inputs):
            return torch.stack([peer(inputs) for peer in self])

    with pytest.raises(BadInput, match=r"of the 2 copies of Peers, whose weights have no leading axis of copies; train without validation"):
        BestWeights(Peers([nn.Linear(4, 2), nn.Linear(4, 2)]))
