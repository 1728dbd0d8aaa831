"""The steps of a stack: gradient clipping, learning rates and divergence are handled separately for each copy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from tutelage.training.backend import Backend


class DivergenceTolerant(Backend):
    """Tolerates losses that are not finite: such a copy contributes nothing to the loss, and its later weights are of no use."""

    def batch_losses(self, losses: Tensor, places: slice) -> Tensor:
        """(batches,) the mean over the batch, summed over the copies where it is finite."""
        means = losses.mean(dim=-1)
        finite = means.where(means.isfinite(), 0.0)
        return finite if finite.ndim == 1 else finite.sum(dim=1)

    def backward(self, losses: Collection[Tensor], place: int, share: float = 1.0) -> None:
        """Add the gradient of the loss of a batch."""
        torch.autograd.backward([self.batch_loss(losses, place) * share])


class StackSteps(DivergenceTolerant):
    """Steps with a learning rate and a gradient norm for each copy of a stack.

    Copies with the same rate form a parameter group of the optimizer, of views into the stack's weights; so optimizer and schedule
    treat the rates separately.

    Args:
        optimizer: creates an optimizer from parameters.
        rates: (copies,) learning rates, equal ones adjacent; None is the optimizer's default.
        clip_norm: the gradients of each copy with a larger norm are scaled down to this norm.
    """

    def __init__(
        self,
        optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        rates: Sequence[float | None],
        *,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__()
        self._create = optimizer
        self._rates = [(rate, len(list(same))) for rate, same in groupby(rates)]
        self._clip_norm = clip_norm
        self._parameters: list[nn.Parameter] = []
        self._views: list[tuple[slice, list[nn.Parameter]]] = []

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """One optimizer for all copies, as `TrainingSettings` takes it."""
        self._parameters, self._views = parameters, []
        if len(self._rates) == 1:
            return at_rate(self._create, self._rates[0][0])(parameters)
        optimizers, start = [], 0
        for rate, copies in self._rates:
            part = slice(start, start + copies)
            views = [nn.Parameter(parameter.detach()[part], requires_grad=parameter.requires_grad) for parameter in parameters]
            self._views.append((part, views))
            optimizers.append(at_rate(self._create, rate)(views))
            start += copies
        first, *others = optimizers
        for other in others:
            for group in other.param_groups:
                first.add_param_group(group)
        return first

    def complete_gradients(self, outside: Iterable[nn.Parameter]) -> None:
        """Clip the gradients copy by copy, and pass them to the views."""
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
    """The same optimizer with another learning rate in all its parameter groups; None changes nothing."""

    def create(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        created = optimizer(parameters)
        for group in created.param_groups if rate is not None else []:
            group["lr"] = rate
        return created

    return create


def clip_copies(gradients: list[Tensor], norm: float) -> None:
    """Scale the gradients of each copy down to a norm, in place, as `clip_grad_norm_` does for one network; (copies, ...) each."""
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
    scale = (norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.ndim - 1)))
