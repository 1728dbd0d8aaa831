"""Passes over the hardest rows: which they are, what they count, what is left frozen."""

import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.experiments.demo.hard_example_passes import HardExampleFeed, Passes, train_hard_examples


def test_a_pass_has_the_hardest_rows_and_a_draw_of_the_others():
    feed = HardExampleFeed(torch.arange(10.0)[:, None], hard=2, easy=4)
    feed.losses[[3, 7]] = torch.tensor([5.0, 9.0])
    seen = [batch.rows for batch in feed.batches(1, list(torch.arange(6).split(4)))]
    assert [len(rows) for rows in seen] == [4, 2]
    rows = torch.cat(seen)
    assert set(rows[:2].tolist()) == {3, 7}
    assert len(set(rows.tolist())) == 6


def test_inputs_are_those_of_the_rows():
    feed = HardExampleFeed(torch.arange(10.0)[:, None], hard=2, easy=4)
    for batch in feed.batches(1, [torch.randperm(6)]):
        assert torch.equal(batch.inputs[:, 0], batch.rows.float())


def test_drawn_rows_count_for_those_left_out():
    feed = HardExampleFeed(torch.zeros(10, 1), hard=2, easy=4)
    feed.losses[:2] = 1.0
    (batch,) = feed.batches(1, [torch.arange(6)])
    weights = feed.weights[batch.rows]
    torch.testing.assert_close(weights[2] / weights[0], torch.tensor(2.0))  # 8 others, of which 4 were drawn
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))


def test_each_pass_draws_anew():
    feed = HardExampleFeed(torch.zeros(100, 1), hard=1, easy=10)
    first, second = (set(batch.rows.tolist()) for _ in range(2) for batch in feed.batches(1, [torch.arange(11)]))
    assert first != second


def problem():
    rows = torch.randn(400, 2)
    return rows, (rows[:, 0] * rows[:, 1] > 0).long()


def test_it_learns_and_leaves_the_frozen_part_as_the_first_pass_left_it():
    with torch_runtime.seeded(0):
        rows, labels = problem()
        network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
        kept = []
        passes = Passes(further=40, batch_size=20, peak_rate=0.02)
        train_hard_examples(
            network,
            lambda logits, wanted: nn.functional.cross_entropy(logits, wanted, reduction="none"),
            inputs=rows,
            targets=labels,
            passes=passes,
            freeze=network[0],
            advance=lambda: kept.append(network[0].weight.detach().clone()),
        )
    assert len(kept) == passes.steps(400) == 20 + 40 * 6
    assert not torch.equal(kept[0], kept[19])
    assert all(torch.equal(weight, kept[19]) for weight in kept[20:])
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert (network(rows).argmax(1) == labels).float().mean() > 0.95


def test_too_few_rows_are_refused():
    with pytest.raises(BadInput, match="4 rows are too few: 20% of the 4 easy ones"):
        Passes().counts(4)
