"""Students of several seeds trained side by side, as one stack: each group has rows, an order and initial weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.running.stages import Advance
from tutelage.training.feeding.feeds import Batch, Batching
from tutelage.training.loop import train
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.stack import Stack
from tutelage.training.state import LoopSettings

SEEDS_AT_ONCE = 5


@dataclass(frozen=True)
class Group:
    """Students with the same initial weights and batches, which the seed determines whatever trains beside them.

    Attributes:
        seed: the seed of the weights and of the order of the rows.
        rows: (count,) the numbers of the rows that they train on.
    """

    seed: int
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """How long all groups train: Adam with a one-cycle schedule.

    Attributes:
        steps: number of steps.
        batch_size: rows per step and group.
        peak_rate: peak learning rate of the schedule.
    """

    steps: int
    batch_size: int
    peak_rate: float


@dataclass(frozen=True)
class GroupFeed:
    """Batches of each group's own rows: passes over all of them, each in another order, one after the other.

    Attributes:
        inputs: (rows, features).
        groups: the groups.
        step_count: the number of steps.
    """

    inputs: Tensor
    groups: Sequence[Group]
    step_count: int

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return len(self.inputs)

    def steps(self, batching: Batching) -> int:
        """See `Feed`."""
        return self.step_count

    def plan(self, epoch: int, batching: Batching) -> list[list[Tensor]]:
        """(batch, groups) rows of the batch of each step."""
        orders = torch.stack([_passes(group, self.step_count * batching.step_size) for group in self.groups], dim=1)
        return [[rows] for rows in torch.split(orders, batching.step_size)]

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`; inputs are (groups, batch, features)."""
        for rows in parts:
            found = self.inputs.index_select(0, rows.t().flatten())
            yield Batch(found.view(len(self.groups), len(rows), -1), rows)


def _passes(group: Group, count: int) -> Tensor:
    generator, rows = torch.Generator().manual_seed(group.seed), torch.from_numpy(group.rows)
    passes = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(-(-count // len(rows)))]
    return torch.cat(passes)[:count]


def stack_of_groups(build: Callable[[], nn.Module], groups: Sequence[Group], *, copies: int) -> Stack:
    """A stack of `copies` equal networks for each group, in order, with initial weights by the seed of the group."""
    networks = []
    for group in groups:
        with torch_runtime.seeded(group.seed):
            networks += [build()] * copies
    return Stack(networks, wide=True)


def train_side_by_side(
    stack: Stack,
    losses: Callable[[Tensor, Tensor], Tensor],
    *,
    inputs: Tensor,
    groups: Sequence[Group],
    schedule: Schedule,
    advance: Advance = lambda: None,
) -> None:
    """Train a stack in place to the end of its schedule.

    Args:
        stack: from `stack_of_groups`.
        losses: ((groups, copies, batch, classes) logits, (groups, batch) row numbers) -> (groups, copies, batch).
        inputs: (rows, features).
        groups: the groups of the stack.
        schedule: number, size and learning rate of the steps.
        advance: called after each step.

    Raises:
        SelfCheckFailed: a loss is not finite.
    """

    def batch_loss(batch: Batch) -> Tensor:
        logits = stack(batch.inputs)
        return losses(logits.unflatten(0, (len(groups), -1)), batch.rows.t()).flatten(0, 1)

    optimizer = torch.optim.Adam(stack.parameters(), lr=schedule.peak_rate, fused=True)
    cycle = one_cycle(optimizer, schedule.steps)
    train(
        stack,
        batch_loss,
        GroupFeed(inputs, groups, schedule.steps),
        LoopSettings(optimizer, 1, schedule.batch_size, schedule=cycle, advance=advance),
    )


def in_parts(seeds: Sequence[int]) -> list[tuple[int, ...]]:
    """Seeds in parts that train as one stack each; with more seeds, the first parts stay the same and are found in the cache."""
    return [tuple(seeds[start : start + SEEDS_AT_ONCE]) for start in range(0, len(seeds), SEEDS_AT_ONCE)]
