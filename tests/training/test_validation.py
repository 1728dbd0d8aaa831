import torch
from torch import nn

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
