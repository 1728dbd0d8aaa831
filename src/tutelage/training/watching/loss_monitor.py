"""Sums the losses of a training by term, and checks every few steps that they are finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tutelage.core.errors import SelfCheckFailed
from tutelage.losses.signals import add_all
from tutelage.training.backend import Backend
from tutelage.training.state import State

CHECK_BATCHES = 64
"""Batches between two checks; each check waits for the device."""


class LossMonitor:
    """Sums losses by term, and checks every few steps that all are finite.

    Args:
        state: the state whose `totals` it adds to.
        backend: averages the losses of a batch, over all processes.
        sizes: the number of rows of each batch of the epoch, over all processes.
    """

    def __init__(self, state: State, backend: Backend, sizes: list[int]) -> None:
        self.state, self.backend, self.sizes = state, backend, sizes
        self._rows: list[Tensor] = []
        self._first = 0
        # Losses are copied to a buffer: a reference to them would fragment the memory that the step frees, and the next step would
        # have to allocate more.
        self._losses: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, losses: Mapping[str, Tensor], rows: Tensor, place: int) -> None:
        """Record the losses of a batch.

        Args:
            losses: (batch,) or (copies, batch) by term, weighted.
            rows: (batch,) the row numbers of the batch.
            place: its place in the epoch.
        """
        # Compares the size of the whole batch, which is the same in all processes: they must check at the same steps.
        if self.sizes[place] != self.sizes[self._first] or not self._fits_buffers(losses):
            self.check()
            count = min(CHECK_BATCHES, len(self.sizes) - place)
            self._losses = {name: loss.new_empty((count, *loss.shape)) for name, loss in losses.items()}
        if not self._rows:
            self._first = place
        for name, loss in losses.items():
            self._losses[name][len(self._rows)].copy_(loss)
        self._rows.append(rows)
        if len(self._rows) == CHECK_BATCHES:
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
        places = slice(self._first, self._first + len(self._rows))
        terms = {name: self._means(losses[: len(self._rows)], places) for name, losses in self._losses.items()}
        means = add_all(terms.values())
        bad = (~means.isfinite()).nonzero()
        if len(bad):
            rows = self._rows[int(bad[0])].tolist()
            first_rows = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
            raise SelfCheckFailed(
                f"the loss of epoch {self.state.epoch} is {means[int(bad[0])].item()}, first in the batch of rows {first_rows}; "
                "expected a finite number. Lower the learning rate, or check the targets of these rows."
            )
        sizes = torch.tensor(self.sizes[places])
        for name, losses in terms.items():
            self.state.totals[name] = self.state.totals.get(name, 0.0) + float((losses * sizes).sum())
        self._rows.clear()

    def _means(self, losses: Tensor, places: slice) -> Tensor:
        """(batches,) the mean of one term in each batch, over all processes."""
        return self.backend.over_processes(self.backend.batch_losses(losses, places)).double().cpu()
