"""The losses of a training, summed term by term and checked every few steps for values that are not finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tutelage.core.errors import SelfCheckFailed
from tutelage.losses.signals import added
from tutelage.training.backend import Backend
from tutelage.training.state import State

CHECK_STEPS = 64
"""Steps between two checks: a check waits for the device."""


class LossMonitor:
    """Sums losses by term, and checks every few steps whether all were finite.

    Args:
        state: whose totals grow.
        backend: averages the losses of a step, over all processes.
        sizes: rows of each step of the epoch, in all processes.
    """

    def __init__(self, state: State, backend: Backend, sizes: list[int]) -> None:
        self.state, self.backend, self.sizes = state, backend, sizes
        self._rows: list[Tensor] = []
        self._first = state.step
        # Losses are copied into memory of their own: where the step made them they would lie in the middle of the memory that
        # the step frees, and the next step would need new memory.
        self._losses: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, losses: Mapping[str, Tensor], rows: Tensor, step: int) -> None:
        """Record the losses of a step.

        Args:
            losses: (batch,) or (copies, batch) by term, weighted.
            rows: (batch,) which rows of the data they are of.
            step: which of the epoch's.
        """
        # By the size of the whole batch, which is the same in all processes: they must check at the same steps.
        if self.sizes[step] != self.sizes[self._first] or not self._fit(losses):
            self.check()
            count = min(CHECK_STEPS, len(self.sizes) - step)
            self._losses = {name: loss.new_empty((count, *loss.shape)) for name, loss in losses.items()}
        if not self._rows:
            self._first = step
        for name, loss in losses.items():
            self._losses[name][len(self._rows)].copy_(loss)
        self._rows.append(rows)
        if len(self._rows) == CHECK_STEPS:
            self.check()

    def _fit(self, losses: Mapping[str, Tensor]) -> bool:
        """Whether these losses have the terms, shapes and types of those before."""
        return losses.keys() == self._losses.keys() and all(
            loss.shape == self._losses[name].shape[1:] and loss.dtype == self._losses[name].dtype for name, loss in losses.items()
        )

    @torch.no_grad()
    def check(self) -> None:
        """Add the recorded losses to the totals.

        Raises:
            SelfCheckFailed: a loss is not finite; names the rows of the first such batch.
        """
        if not self._rows:
            return
        steps = slice(self._first, self._first + len(self._rows))
        terms = {name: self._means(losses[: len(self._rows)], steps) for name, losses in self._losses.items()}
        means = added(terms.values())
        bad = (~means.isfinite()).nonzero()
        if len(bad):
            rows = self._rows[int(bad[0])].tolist()
            shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
            raise SelfCheckFailed(
                f"the loss of epoch {self.state.epoch} is {means[int(bad[0])].item()}, first in the batch of rows {shown}; "
                "lower the learning rate or look at the targets of these rows."
            )
        sizes = torch.tensor(self.sizes[steps])
        for name, of_term in terms.items():
            self.state.totals[name] = self.state.totals.get(name, 0.0) + float((of_term * sizes).sum())
        self._rows.clear()

    def _means(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) the mean loss of each step by one term, over all processes."""
        return self.backend.over_processes(self.backend.step_losses(losses, steps)).double().cpu()
