"""How gradients are computed: by default by torch, in one process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.losses.signals import add_all

NO_GRADIENT = (
    "the loss has no gradient: no weight that may change (requires_grad) takes part in it, so there is nothing to train. Unfreeze the "
    "layers to train, and let the network's answers depend on them without detach() or no_grad."
)


class Backend:
    """Computes gradients with torch in one process. `tutelage.training.Accelerated` distributes each step over processes."""

    writes_checkpoints = True
    """Whether this process writes checkpoints."""
    processes = 1
    """The number of processes that share each batch."""
    device: torch.device | None = None
    """The device to train on; None leaves the network where it is."""

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as the training loop should call it."""
        return network

    def parts(self, plan: list[Tensor], count: Callable[[Tensor], int] = len) -> list[Tensor]:
        """The rows of each batch that this process computes.

        Args:
            plan: the rows of each batch of an epoch, over all processes.
            count: how many losses some rows have.
        """
        return plan

    def batch_losses(self, losses: Tensor, places: slice) -> Tensor:
        """(batches,) this process's contribution to the loss of each batch: the mean over the batch, summed over copies.

        Args:
            losses: (batches, batch) or (batches, copies, batch).
            places: the places of these batches in the epoch.
        """
        means = losses.mean(dim=-1) if losses.shape[-1] else losses.sum(dim=-1)  # a step may have no position that is learnt
        return means if means.ndim == 1 else means.sum(dim=1)

    def batch_loss(self, losses: Collection[Tensor], place: int) -> Tensor:
        """The loss of one batch, with gradient, for a backend that computes gradients from the total loss.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            place: its place in the epoch.
        """
        return self.batch_losses(add_all(losses)[None], slice(place, place + 1))[0]

    def backward(self, losses: Collection[Tensor], place: int, share: float = 1.0) -> None:
        """Add the gradient of the loss of a batch to the parameters.

        Backpropagation starts at the loss of each term, which spares autograd their sum and mean.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            place: the batch's place in the epoch.
            share: the share of the losses of its step that the batch has.

        Raises:
            BadInput: no loss has a gradient.
        """
        with_gradient = [loss for loss in losses if loss.requires_grad]  # the term of a frozen layer has no gradient
        if not with_gradient:
            raise BadInput(NO_GRADIENT)
        torch.autograd.backward(with_gradient, [torch.full_like(loss, share / max(loss.shape[-1], 1)) for loss in with_gradient])

    def exchanging(self, *, last: bool) -> AbstractContextManager[Any]:
        """The block in which a batch is computed; gradients need to be exchanged only after the last batch of a step."""
        return nullcontext()

    def complete_gradients(self, outside: Iterable[nn.Parameter]) -> None:
        """Complete the gradients of a step after its last batch: average those of weights outside the network over the processes."""

    def over_processes(self, losses: Tensor) -> Tensor:
        """(batches,) the losses of whole batches, combined from the contributions of the processes."""
        return losses

    def broadcast(self, values: Tensor) -> Tensor:
        """The values of the main process, in every process."""
        return values
