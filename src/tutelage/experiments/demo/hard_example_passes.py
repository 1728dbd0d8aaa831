"""Passes over the rows that a network still gets wrong, after one over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.training.feeds import Batch, TensorFeed
from tutelage.training.loop import step_count, train
from tutelage.training.settings import one_cycle
from tutelage.training.state import LoopSettings


@dataclass(frozen=True)
class Passes:
    """Adam under a one-cycle schedule: a pass over all rows, then `further` ones over the hardest and a draw of the others.

    The drawn ones count for those that were not, so that the gradient is, on average, that of all rows.

    Source: Qin et al. 2023, arXiv 2303.04947 (InfoBatch); Jiang et al. 2019, arXiv 1910.00762.

    Attributes:
        further: passes after the first.
        hard: share of the rows, those with the largest losses when last seen, that are in each of them.
        easy: share of the others that are drawn for each.
        batch_size: rows a step.
        peak_rate: the learning rate that the schedule rises to.
        warm_up: the share of the steps in which it rises.
    """

    further: int = 8
    hard: float = 0.1
    easy: float = 0.2
    batch_size: int = 256
    peak_rate: float = 1.5e-3
    warm_up: float = 0.2

    def kept(self, rows: int) -> tuple[int, int]:
        """How many hard and how many easy rows a further pass has.

        Raises:
            BadInput: too few rows to draw from.
        """
        hard = int(self.hard * rows)
        easy = int(self.easy * (rows - hard))
        if easy < 1:
            raise BadInput(f"{rows} rows are too few to draw {self.easy:.0%} of the easy ones from.")
        return hard, easy

    def steps(self, rows: int) -> int:
        """Steps of all passes."""
        first = step_count(rows, batch_size=self.batch_size, epochs=1)
        return first + step_count(sum(self.kept(rows)), batch_size=self.batch_size, epochs=self.further)


@dataclass
class HardExampleFeed:
    """The hardest rows, and a draw of the others, chosen anew for each pass.

    Attributes:
        inputs: (rows, ...).
        hard, easy: how many of each a pass has.
        losses: (rows,) of each row when it was last seen; the lesson keeps it true.
        weights: (rows,) what each loss counts in this pass, 1 on average.
    """

    inputs: Tensor
    hard: int
    easy: int
    losses: Tensor = field(init=False)
    weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.losses = torch.zeros(len(self.inputs))
        self.weights = torch.ones(len(self.inputs))

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        return self.hard + self.easy

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`; which row each is, is its place among all rows."""
        picked = self._picked()
        for part in parts:
            rows = picked[part]
            yield Batch(self.inputs.index_select(0, rows), rows)

    def _picked(self) -> Tensor:
        order = self.losses.argsort(descending=True, stable=True)
        others = order[self.hard :]
        drawn = others[torch.randperm(len(others))[: self.easy]]
        share = self.rows / len(self.inputs)
        self.weights.fill_(share)
        self.weights[drawn] = share * len(others) / self.easy
        return torch.cat([order[: self.hard], drawn])


def train_hard_examples(
    network: nn.Module,
    losses: Callable[[Tensor, Tensor], Tensor],
    *,
    inputs: Tensor,
    targets: Tensor,
    passes: Passes,
    freeze: nn.Module,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Train in place.

    Args:
        network: (batch, ...) -> (batch, classes).
        losses: (logits, targets of the batch) -> (batch,).
        inputs: (rows, ...).
        targets: (rows, ...).
        passes: how often, and how fast.
        freeze: the part of the network that is learnt in the first pass and then left as it is, so that no gradient has
            to reach it (Brock et al. 2017, arXiv 1706.04983).
        advance: called after each step.

    Raises:
        BadInput: too few rows. SelfCheckFailed: a loss is not finite.
    """
    rows = len(inputs)
    hard, easy = passes.kept(rows)
    feed = HardExampleFeed(inputs, hard, easy)
    optimizer = torch.optim.Adam(network.parameters(), lr=passes.peak_rate, fused=True)
    schedule = one_cycle(optimizer, passes.steps(rows), warm_up=passes.warm_up)

    def batch_loss(batch: Batch) -> Tensor:
        of_rows = losses(network(batch.inputs), targets[batch.rows])
        feed.losses[batch.rows] = of_rows.detach()
        return of_rows * feed.weights[batch.rows]

    train(network, batch_loss, TensorFeed(inputs), LoopSettings(optimizer, 1, passes.batch_size, schedule=schedule, advance=advance))
    freeze.requires_grad_(False)
    train(network, batch_loss, feed, LoopSettings(optimizer, passes.further, passes.batch_size, schedule=schedule, advance=advance))
    freeze.requires_grad_(True)
