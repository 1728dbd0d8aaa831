"""How the gradient of a step is computed: by torch in one process."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from tutelage.losses.signals import added


class Backend:
    """Torch's own gradients, in one process. `tutelage.training.Accelerated` shares each step between processes."""

    writes_checkpoints = True
    """Whether this process writes checkpoints."""

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network in the form in which the training calls it."""
        return network

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """The rows of each step of this process.

        Args:
            order: (rows,) all rows of an epoch, shuffled.
            batch_size: rows of a step, over all processes.
        """
        return list(torch.split(order, batch_size))

    def step_losses(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) this process's share of the loss of each step: the mean over the batch, summed over copies.

        Args:
            losses: (steps, batch) or (steps, copies, batch).
            steps: their places in the epoch.
        """
        means = losses.mean(dim=-1)
        return means if means.ndim == 1 else means.sum(dim=1)

    def step_loss(self, losses: Collection[Tensor], step: int) -> Tensor:
        """The loss of one step, with gradient, for a backend that starts its gradient there.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            step: its place in the epoch.
        """
        return self.step_losses(added(losses)[None], slice(step, step + 1))[0]

    def backward(self, losses: Collection[Tensor], step: int) -> None:
        """Add the gradient of the loss of a step to the parameters.

        It starts at the losses of each term, which saves autograd the way through their sum and mean.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            step: its place in the epoch.
        """
        with_gradient = [loss for loss in losses if loss.requires_grad] or list(losses)  # the term of a frozen layer has none
        torch.autograd.backward(with_gradient, [torch.full_like(loss, 1 / loss.shape[-1]) for loss in with_gradient])

    def over_processes(self, losses: Tensor) -> Tensor:
        """(steps,) the losses of whole steps, from the shares of the processes."""
        return losses

    def broadcast(self, values: Tensor) -> Tensor:
        """The values of the first process, in every process."""
        return values
