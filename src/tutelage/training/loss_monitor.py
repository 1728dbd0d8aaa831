"""Sums the losses of a training by term, and checks every few steps that they are finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tutelage.core.errors import SelfCheckFailed
from tutelage.losses.signals import add_all
from tutelage.training.backend import Backend
from tutelage.training.state import State

CHECK_STEPS = 64
"""Steps between two checks; each check waits for the device."""


class LossMonitor:
    """Sums losses by term, and checks every few steps that all are finite.

    Args:
        state: the state whose `totals` it adds to.
        backend: averages the losses of a step, over all processes.
        sizes: the number of rows of each step of the epoch, over all processes.
    """

    def __init__(self, state: State, backend: Backend, sizes: list[int]) -> None:
        self.state, self.backend, self.sizes = state, backend, sizes
        self._rows: list[Tensor] = []
        self._first = state.step
        # Losses are copied to a buffer: a reference to them would fragment the memory that the step frees, and the next step would
        # have to allocate more.
        self._losses: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, losses: Mapping[str, Tensor], rows: Tensor, step: int) -> None:
        """Record the losses of a step.

        Args:
            losses: (batch,) or (copies, batch) by term, weighted.
            rows: (batch,) the row numbers of the batch.
            step: its position in the epoch.
        """
        # Compares the size of the whole batch, which is the same in all processes: they must check at the same steps.
        if self.sizes[step] != self.sizes[self._first] or not self._fits_buffers(losses):
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

    def _fits_buffers(self, losses: Mapping[str, Tensor]) -> bool:
        """Whether these losses have the terms, shapes and dtypes of the buffers."""
        return losses.keys() == self._losses.keys() and all(
            loss.shape == self._losses[name].shape[1:] and loss.dtype == self._losses[name].dtype for name, loss in losses.items()
        )

    @torch.no_grad()
    def check(self) -> None:
        """Add the recorded losses to the totals.

        Raises:
            SelfCheckFailed: a loss is not finite; the message names the rows of the first such batch.
        """
        if not self._rows:
            return
        steps = slice(self._first, self._first + len(self._rows))
        terms = {name: self._means(losses[: len(self._rows)], steps) for name, losses in self._losses.items()}
        means = add_all(terms.values())
        bad = (~means.isfinite()).nonzero()
        if len(bad):
            rows = self._rows[int(bad[0])].tolist()
            first_rows = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
            raise SelfCheckFailed(
                f"the loss of epoch {self.state.epoch} is {means[int(bad[0])].item()}, first in the batch of rows {first_rows}; "
                "expected a finite number. Lower the learning rate, or check the targets of these rows."
            )
        sizes = torch.tensor(self.sizes[steps])
        for name, losses in terms.items():
            self.state.totals[name] = self.state.totals.get(name, 0.0) + float((losses * sizes).sum())
        self._rows.clear()

    def _means(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) the mean of one term in each step, over all processes."""
        return self.backend.over_processes(self.backend.step_losses(losses, steps)).double().cpu()
