"""Hard-example passes: one pass over all rows, then passes over the rows with the largest losses."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.training.feeding.feeds import Batch, EveryRowOnce, TensorFeed, step_count
from tutelage.training.loop import train
from tutelage.training.settings import one_cycle
from tutelage.training.state import LoopSettings


@dataclass(frozen=True)
class Passes:
    """Adam with a one-cycle schedule: one pass over all rows, then `further` passes over hard examples and a sample of the others.

    The sampled rows are weighted to stand for those left out, so that the expected gradient is that of all rows.

    Source: Qin et al. 2023, arXiv 2303.04947 (InfoBatch); Jiang et al. 2019, arXiv 1910.00762.

    Attributes:
        further: number of passes after the first.
        hard: share of all rows in each further pass: those with the largest losses when last seen.
        easy: share of the other rows sampled for each further pass.
        batch_size: rows per step.
        peak_rate: peak learning rate of the schedule.
        warm_up: share of the steps in which the learning rate rises.
    """

    further: int = 4
    hard: float = 0.1
    easy: float = 0.2
    batch_size: int = 128
    peak_rate: float = 1.5e-3
    warm_up: float = 0.2

    def counts(self, rows: int) -> tuple[int, int]:
        """Number of hard and of easy rows in a further pass.

        Raises:
            BadInput: there are too few rows.
        """
        hard = int(self.hard * rows)
        easy = int(self.easy * (rows - hard))
        if easy < 1:
            raise BadInput(f"{rows} rows are too few: {self.easy:.0%} of the {rows - hard} easy ones is less than one row. Use more rows.")
        return hard, easy

    def steps(self, rows: int) -> int:
        """Number of steps in all passes."""
        first = step_count(rows, batch_size=self.batch_size, epochs=1)
        return first + step_count(sum(self.counts(rows)), batch_size=self.batch_size, epochs=self.further)


@dataclass
class HardExampleFeed(EveryRowOnce):
    """A feed of the hardest rows and a sample of the others, chosen again for each pass.

    Attributes:
        inputs: (rows, ...).
        hard, easy: number of hard and of sampled rows in a pass.
        losses: (rows,) the loss of each row when it was last seen; updated by the batch loss.
        weights: (rows,) the weight of each loss in this pass, 1 on average.
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
        """Number of rows in a pass."""
        return self.hard + self.easy

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """Batches as in `Feed`; `Batch.rows` are indices into all rows."""
        chosen = self._chosen()
        for part in parts:
            rows = chosen[part]
            yield Batch(self.inputs.index_select(0, rows), rows)

    def _chosen(self) -> Tensor:
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
    """Train a network in place with hard-example passes.

    Args:
        network: (batch, ...) -> (batch, classes).
        losses: (logits, targets of the batch) -> (batch,).
        inputs: (rows, ...).
        targets: (rows, ...).
        passes: number, size and learning rate of the passes.
        freeze: the part of the network that is trained in the first pass only, so that later passes need no gradient for it
            (Brock et al. 2017, arXiv 1706.04983).
        advance: called after each step.

    Raises:
        BadInput: there are too few rows. SelfCheckFailed: a loss is not finite.
    """
    rows = len(inputs)
    hard, easy = passes.counts(rows)
    feed = HardExampleFeed(inputs, hard, easy)
    optimizer = torch.optim.Adam(network.parameters(), lr=passes.peak_rate, fused=True)
    schedule = one_cycle(optimizer, passes.steps(rows), warm_up=passes.warm_up)

    def batch_loss(batch: Batch) -> Tensor:
        row_losses = losses(network(batch.inputs), targets[batch.rows])
        feed.losses[batch.rows] = row_losses.detach()
        return row_losses * feed.weights[batch.rows]

    train(network, batch_loss, TensorFeed(inputs), LoopSettings(optimizer, 1, passes.batch_size, schedule=schedule, advance=advance))
    freeze.requires_grad_(False)
    train(network, batch_loss, feed, LoopSettings(optimizer, passes.further, passes.batch_size, schedule=schedule, advance=advance))
    freeze.requires_grad_(True)
