"""How the gradient of a step is computed: by default by torch, in one process."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from tutelage.losses.signals import add_all


class Backend:
    """Computes gradients with torch in one process. `tutelage.training.Accelerated` distributes each step over processes."""

    writes_checkpoints = True
    """Whether this process writes checkpoints."""

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as the training loop should call it."""
        return network

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """The rows of each step that this process computes.

        Args:
            order: (rows,) the shuffled rows of an epoch.
            batch_size: rows per step, over all processes.
        """
        return list(torch.split(order, batch_size))

    def step_losses(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) this process's contribution to the loss of each step: the mean over the batch, summed over copies.

        Args:
            losses: (steps, batch) or (steps, copies, batch).
            steps: the positions of these steps in the epoch.
        """
        means = losses.mean(dim=-1)
        return means if means.ndim == 1 else means.sum(dim=1)

    def step_loss(self, losses: Collection[Tensor], step: int) -> Tensor:
        """The loss of one step, with gradient, for a backend that computes gradients from the total loss.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            step: its position in the epoch.
        """
        return self.step_losses(add_all(losses)[None], slice(step, step + 1))[0]

    def backward(self, losses: Collection[Tensor], step: int) -> None:
        """Add the gradient of the loss of a step to the parameters.

        Backpropagation starts at the loss of each term, which spares autograd their sum and mean.

        Args:
            losses: (batch,) or (copies, batch) of each term, weighted.
            step: its position in the epoch.
        """
        with_gradient = [loss for loss in losses if loss.requires_grad] or list(losses)  # the term of a frozen layer has no gradient
        torch.autograd.backward(with_gradient, [torch.full_like(loss, 1 / loss.shape[-1]) for loss in with_gradient])

    def over_processes(self, losses: Tensor) -> Tensor:
        """(steps,) the losses of whole steps, combined from the contributions of the processes."""
        return losses

    def broadcast(self, values: Tensor) -> Tensor:
        """The values of the main process, in every process."""
        return values
