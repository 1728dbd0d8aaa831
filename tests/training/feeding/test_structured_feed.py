import numpy as np
import pytest
import torch
from torch import nn

from tutelage.data.structures.structured import StructuredRows
from tutelage.training.feeding.feeds import Batching
from tutelage.training.feeding.structured_feed import StructuredFeed

LENGTHS = np.random.default_rng(0).integers(1, 30, 400)
IDS = [[row + 1] * length for row, length in enumerate(LENGTHS)]


def feed(*, masked: bool = True, even: bool = False) -> StructuredFeed:
    ids = [[row + 1] * 4 for row in range(400)] if even else IDS
    inputs = {"ids": ids, "attention_mask": [[1] * len(row) for row in ids]} if masked else {"ids": ids}
    return StructuredFeed(StructuredRows.of(inputs), nn.Linear(1, 1))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("even", [True, False])
def test_an_epoch_shows_every_row_once_in_an_order_of_its_own(masked, even):
    rows = feed(masked=masked, even=even)
    torch.manual_seed(0)
    first, second = ([part for (part,) in rows.plan(epoch, Batching(16))] for epoch in (1, 2))
    assert sorted(torch.cat(first).tolist()) == list(range(400))
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    assert len(first) == len(second) == rows.steps(Batching(16))


def test_rows_of_like_length_share_a_batch():
    torch.manual_seed(0)
    spreads = [np.ptp(LENGTHS[part.numpy()]) for (part,) in feed().plan(1, Batching(16))]
    assert np.mean(spreads) < 3  # drawn at random they would differ by 27
    assert all(np.ptp(LENGTHS[part.numpy()]) == 0 for (part,) in feed(masked=False).plan(1, Batching(16)))


@pytest.mark.parametrize("even", [True, False])
def test_batches_hold_the_inputs_of_their_rows(even):
    rows = feed(even=even)
    parts = [torch.tensor([7, 3]), torch.tensor([0])]
    for part, batch in zip(parts, rows.batches(1, parts), strict=True):
        assert isinstance(batch.inputs, dict)
        assert batch.inputs["ids"][:, 0].tolist() == [row + 1 for row in part.tolist()]
        assert batch.inputs["ids"].dtype == torch.int64
        assert batch.rows is part
