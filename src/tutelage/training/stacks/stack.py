"""Many networks of one shape that see the same batch, trained as one network."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import one_line

SAME = 1e-4
"""How far a stack may be from its copies on the batch that proves it, beside the largest of their numbers."""

ELEMENTWISE = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign,
    nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip


class Stack(nn.Module):
    """Networks of one shape as one network; no operation mixes them, so that each trains as it would alone.

    Plain networks of Linear, LayerNorm, Dropout, Flatten and elementwise layers run as few wide products: the first
    Linear is one product of the shared batch. All others run under `torch.vmap`. Dropout masks, like batches, are drawn once
    and shared, so that each network meets those that it would draw alone.

    Args:
        networks: of one architecture; their weights are copied.
        wide: run as wide products; the layers must be those above.
        output: takes the answers out of what a network returns.

    Attributes:
        copies: how many.
    """

    def __init__(self, networks: Sequence[nn.Module], *, wide: bool, output: Callable[[Any], Tensor] | None = None) -> None:
        super().__init__()
        self.copies = len(networks)
        self.inner = _stacked(networks)
        self._output = output or (lambda said: said)
        self._pattern = (copy.deepcopy(networks[0]),)  # in a tuple, so that its weights are none of the stack's
        self._layers = _plain_layers(self.inner) if wide else None

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) -> (copies, batch, classes)."""
        if self._layers is None:
            state = {**dict(self.inner.named_parameters()), **dict(self.inner.named_buffers())}
            answers: Tensor = torch.vmap(self._alone, in_dims=(0, None), randomness="same")(state, inputs)
            return answers
        hidden, shared = inputs, True
        for layer in self._layers:
            hidden, shared = _through(layer, hidden, shared)
        return hidden

    def copy(self, index: int) -> nn.Module:
        """One of the networks, alone, with weights of its own."""
        alone = copy.deepcopy(self._pattern[0])
        with torch.no_grad():
            for own, together in zip(_tensors(alone), _tensors(self.inner), strict=True):
                own.copy_(together[index])
        return alone.to(next(self.inner.parameters()).device)

    def _alone(self, state: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return self._output(torch.func.functional_call(self.inner, state, (inputs,)))


def stack_of(networks: Sequence[nn.Module], inputs: Tensor, *, output: Callable[[Any], Tensor] | None = None) -> tuple[Stack | None, str]:
    """The networks as a stack, proven on a batch to answer as they do alone; or None, and why not.

    Args:
        networks: of one architecture.
        inputs: (batch, ...) a few rows, on the networks' device.
        output: takes the answers out of what a network returns.
    """
    plain = output is None and _plain_layers(networks[0]) is not None
    why = ""
    for wide in (True, False) if plain else (False,):
        try:
            stack = Stack(networks, wide=wide, output=output)
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="There is a performance drop")  # vmap would run copy after copy
                apart = _apart(stack, networks, inputs)
        except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, UserWarning) as error:
            why = f"torch.vmap cannot run a {type(networks[0]).__name__} ({one_line(error)})"
            continue
        if apart <= SAME:
            return stack, ""
        why = f"a stack of {type(networks[0]).__name__}s would not answer as its copies do alone"
    return None, why


def _apart(stack: Stack, networks: Sequence[nn.Module], inputs: Tensor) -> float:
    """How far the stack is from its first and last network, in training and out of it, beside their largest number."""
    trial, apart = copy.deepcopy(stack), 0.0
    with torch.no_grad(), torch_runtime.seeded(0):
        together = trial.train()(inputs)
    training_data = trial.eval()(inputs).detach()
    for index in {0, len(networks) - 1}:
        alone = copy.deepcopy(networks[index]).train()
        with torch.no_grad(), torch_runtime.seeded(0):
            learning = stack._output(alone(inputs))
        with torch.no_grad():
            pairs = [(together[index], learning), (training_data[index], stack._output(alone.eval()(inputs)))]
        pairs += [(mine[index], own) for mine, own in zip(trial.inner.buffers(), alone.buffers(), strict=True)]
        apart = max([apart, *(_gap(*pair) for pair in pairs)])
    return apart


def _gap(mine: Tensor, own: Tensor) -> float:
    if mine.shape != own.shape:
        return float("inf")
    if own.numel() == 0:
        return 0.0
    mine, own = mine.double(), own.double()
    gap = float((mine - own).abs().max() / own.abs().max().clamp(min=1e-3))
    return float("inf") if math.isnan(gap) else gap


def _stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """A network whose every parameter and buffer has an axis of copies in front; tied ones stay tied."""
    inner = copy.deepcopy(networks[0])
    made: dict[int, Tensor] = {}
    for path, module in inner.named_modules():
        for saved in (module._parameters, module._buffers):
            for name, value in saved.items():
                if value is None:
                    continue
                if id(value) not in made:
                    whole = torch.stack([getattr(network.get_submodule(path), name).detach() for network in networks])
                    made[id(value)] = nn.Parameter(whole, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else whole
                saved[name] = made[id(value)]
    return inner


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _plain_layers(network: nn.Module) -> list[nn.Module] | None:
    """The layers in order, if there is a wide product for each; else None."""
    if type(network) is nn.Sequential:
        found = [_plain_layers(part) for part in network]
        return None if None in found else [layer for part in found if part is not None for layer in part]
    return [network] if type(network) in _WIDE else None


def _through(layer: nn.Module, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    """What a layer of every copy says, and whether it is still the same for all: then it lacks the axis of copies."""
    return _WIDE[type(layer)](layer, hidden, shared)


def _linear(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    """The products give (copies, outputs, batch) and are seen transposed: the weights then need no copy in either direction."""
    weight: Tensor = layer.weight
    copies = len(weight)
    bias = weight.new_zeros(copies, weight.shape[1]) if layer.bias is None else layer.bias
    if shared:
        wide = torch.addmm(bias.flatten()[:, None], weight.flatten(0, 1), hidden.t())
        return wide.view(copies, -1, wide.shape[1]).transpose(1, 2), False
    return torch.baddbmm(bias[:, :, None], weight, hidden.transpose(1, 2)).transpose(1, 2), False


def _layer_norm(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    normal = nn.functional.layer_norm(hidden, layer.normalized_shape, eps=layer.eps)
    if layer.weight is None:
        return normal, shared
    # A shared input gets its axis of copies here, from the weights.
    scaled = normal * layer.weight[:, None]
    return (scaled if layer.bias is None else scaled + layer.bias[:, None]), False


def _dropout(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    if shared or not layer.training:
        return layer(hidden), shared
    mask = nn.functional.dropout(torch.ones(hidden.shape[1:], dtype=hidden.dtype, device=hidden.device), layer.p)
    return hidden * mask, False


def _flatten(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    if shared or layer.start_dim < 0:
        return layer(hidden), shared
    return hidden.flatten(layer.start_dim + 1, layer.end_dim + (layer.end_dim >= 0)), False


def _elementwise(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    return layer(hidden), shared


_WIDE: dict[type, Callable[[Any, Tensor, bool], tuple[Tensor, bool]]] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.Dropout: _dropout,
    nn.Flatten: _flatten,
    **dict.fromkeys(ELEMENTWISE, _elementwise),
}
