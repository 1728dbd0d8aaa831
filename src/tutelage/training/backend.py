"""Where gradients are made."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.losses.signals import Product, added


class Backend:
    """Where gradients are made: torch's own, in one process. `students.several` has the one for many."""

    writes_checkpoints = True
    """Whether this process writes checkpoints."""

    def __init__(self) -> None:
        self._slopes: dict[tuple[Any, ...], Tensor] = {}

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called."""
        return network

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """The rows of each step of this process, from all rows of an epoch in their order."""
        return list(torch.split(order, batch_size))

    def cost(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) this process's part of what each step costs: mean over the batch, summed over copies.

        Args:
            losses: (steps, batch) or (steps, copies, batch).
            steps: which of the epoch's.
        """
        means = losses.mean(dim=-1)
        return means if means.ndim == 1 else means.sum(dim=1)

    def cost_of(self, products: Collection[Product], step: int) -> Tensor:
        """What one step costs, with gradient, for a backend whose gradient begins there."""
        losses = added(product.losses() for product in products)
        return self.cost(losses[None], slice(step, step + 1))[0]

    def backward(self, products: Collection[Product], step: int) -> None:
        """Add the gradient of a step's cost. It starts at the losses, not at their mean, or below them at the carriers of products."""
        learnt = [product for product in products if product.carrier.requires_grad] or products  # a frozen layer's has none
        torch.autograd.backward([product.carrier for product in learnt], [self._slope(product) for product in learnt])

    def _slope(self, product: Product) -> Tensor:
        """The gradient of the batch's mean at the carrier. One that is the same for every batch is made once."""
        carrier, slope, weight = product
        if slope is not None:
            rows = carrier.shape[-2]
            if isinstance(weight, float):
                return (slope / rows if weight == 1.0 else slope * (weight / rows)).expand_as(carrier)
            return (slope * weight[..., None] / rows).expand_as(carrier)
        if not isinstance(weight, float):
            return (weight / carrier.shape[-1]).expand_as(carrier)
        about = (carrier.shape, carrier.dtype, carrier.device, weight)
        if about not in self._slopes:
            self._slopes[about] = torch.full_like(carrier, weight / carrier.shape[-1])
        return self._slopes[about]

    def total(self, losses: Tensor) -> Tensor:
        """(steps,) the losses of whole steps, from this process's parts of them."""
        return losses

    def broadcast(self, values: Tensor) -> Tensor:
        """The same in every process."""
        return values
