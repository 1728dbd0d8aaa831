"""Students of several seeds as one stack: each seed as it would train alone."""

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import SelfCheckFailed
from tutelage.experiments.side_by_side import Group, GroupFeed, Schedule, in_parts, stack_of_groups, train_side_by_side
from tutelage.training.feeding.feeds import Batching
from tutelage.training.stacks.networks import mlp

ROWS = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
TRUTH = (ROWS[:, 0] > 0).long()
SCHEDULE = Schedule(60, 8, 0.05)
GROUPS = [Group(0, np.arange(40)), Group(1, np.arange(40)), Group(1, np.arange(5, 17))]


def losses(logits, rows):
    copies = logits.shape[1]
    truth = TRUTH[rows][:, None].expand(-1, copies, -1)
    return nn.functional.cross_entropy(logits.permute(0, 3, 1, 2), truth, reduction="none")


def trained(groups, *, copies=2, schedule=SCHEDULE):
    stack = stack_of_groups(lambda: mlp((4, 3, 2)), groups, copies=copies)
    train_side_by_side(stack, losses, inputs=ROWS, groups=groups, schedule=schedule)
    return stack


def test_a_seed_trains_beside_others_as_it_would_alone():
    together = trained(GROUPS)
    for place, group in enumerate(GROUPS):
        alone = trained([group])
        for copied in range(2):
            torch.testing.assert_close(together.copy(2 * place + copied)(ROWS), alone.copy(copied)(ROWS), rtol=1e-3, atol=1e-4)


def test_groups_differ_by_their_seed_and_by_their_rows_and_copies_of_a_group_by_neither():
    answers = [[trained(GROUPS).copy(2 * place + copied)(ROWS) for copied in range(2)] for place in range(3)]
    for own in answers:
        torch.testing.assert_close(*own)
    assert not torch.allclose(answers[0][0], answers[1][0], atol=0.01)
    assert not torch.allclose(answers[1][0], answers[2][0], atol=0.01)


def test_it_learns():
    stack = trained(GROUPS, schedule=Schedule(300, 8, 0.05))
    assert (stack(ROWS).argmax(dim=-1)[:4] == TRUTH).float().mean() > 0.95


def test_each_group_gets_its_own_rows_equally_often():
    feed = GroupFeed(ROWS, GROUPS, step_count=9)
    plan = [part for (part,) in feed.plan(1, Batching(8))]
    assert [part.shape for part in plan] == [(8, 3)] * 9
    orders = torch.cat(plan)
    assert sorted(orders[:40, 0].tolist()) == list(range(40))  # every row before any row again
    assert orders[:40, 0].tolist() != orders[:40, 1].tolist()
    counts = orders[:, 2].bincount(minlength=40)
    assert set(counts[5:17].tolist()) == {6}
    assert counts.sum() == 72
    (batch,) = feed.batches(1, plan[:1])
    assert torch.equal(batch.inputs[2, 3], ROWS[plan[0][3, 2]])


def test_more_seeds_leave_the_first_parts_as_they_were():
    assert in_parts(range(5)) == [(0, 1, 2, 3, 4)]
    assert in_parts(range(7)) == [(0, 1, 2, 3, 4), (5, 6)]


def test_a_loss_that_is_not_finite_is_refused():
    stack = stack_of_groups(lambda: mlp((4, 3, 2)), GROUPS, copies=1)
    with pytest.raises(SelfCheckFailed, match="the loss of epoch 1 is nan"):
        train_side_by_side(stack, losses, inputs=ROWS * torch.nan, groups=GROUPS, schedule=SCHEDULE)
