"""The steps of a stack: gradients clipped, learning rates taken and divergence borne copy by copy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from tutelage.training.backend import Backend


class DivergenceTolerant(Backend):
    """Bears losses that are not finite: such a copy counts nothing, and learns nothing that is worth keeping from then on."""

    def step_losses(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) the mean over the batch, summed over the copies where it is finite; a term alone when it is told."""
        means = losses.mean(dim=-1)
        borne = means.where(means.isfinite(), 0.0)
        return borne if borne.ndim == 1 else borne.sum(dim=1)

    def backward(self, losses: Collection[Tensor], step: int) -> None:
        """Add the gradient of a step's cost."""
        torch.autograd.backward([self.step_loss(losses, step)])


class StackSteps(DivergenceTolerant):
    """Copies of a stack that share their batches, and neither their learning rate nor the norm of their gradients.

    Copies of one rate are a parameter group of the optimizer, made of views into the stack's weights: each rate is
    the optimizer's and its schedule's own.

    Args:
        optimizer: makes an optimizer of parameters.
        rates: (copies,) learning rates, equal ones side by side; None leaves the optimizer's own.
        clip_norm: the gradients of each copy are scaled down to this norm.
    """

    def __init__(
        self,
        optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        rates: Sequence[float | None],
        *,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__()
        self._make = optimizer
        self._rates = [(rate, len(list(same))) for rate, same in groupby(rates)]
        self._clip_norm = clip_norm
        self._parameters: list[nn.Parameter] = []
        self._views: list[tuple[slice, list[nn.Parameter]]] = []

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """One optimizer of all copies; as `TrainingSettings` takes it."""
        self._parameters, self._views = parameters, []
        if len(self._rates) == 1:
            return at_rate(self._make, self._rates[0][0])(parameters)
        made, start = [], 0
        for rate, copies in self._rates:
            part = slice(start, start + copies)
            views = [nn.Parameter(parameter.detach()[part], requires_grad=parameter.requires_grad) for parameter in parameters]
            self._views.append((part, views))
            made.append(at_rate(self._make, rate)(views))
            start += copies
        for other in made[1:]:
            for group in other.param_groups:
                made[0].add_param_group(group)
        return made[0]

    def backward(self, losses: Collection[Tensor], step: int) -> None:
        """Add the gradient, clip it copy by copy, and hand it to the views."""
        super().backward(losses, step)
        if self._clip_norm is not None:
            clip_copies([parameter.grad for parameter in self._parameters if parameter.grad is not None], self._clip_norm)
        for part, views in self._views:
            for view, parameter in zip(views, self._parameters, strict=True):
                view.grad = None if parameter.grad is None else parameter.grad[part]
        if self._views:
            for parameter in self._parameters:
                parameter.grad = None


def at_rate(
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer], rate: float | None
) -> Callable[[list[nn.Parameter]], torch.optim.Optimizer]:
    """The same optimizer at another learning rate, in all its groups; None leaves its own."""

    def made(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        fresh = optimizer(parameters)
        for group in fresh.param_groups if rate is not None else []:
            group["lr"] = rate
        return fresh

    return made


def clip_copies(gradients: list[Tensor], norm: float) -> None:
    """Scale the gradients of each copy down to a norm, in place; (copies, ...) each, as `clip_grad_norm_` does for one network."""
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
    scale = (norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.ndim - 1)))
