"""Many networks of the same architecture that get the same batches, trained as one network."""

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
from tutelage.data.structures.network_answers import answers_in
from tutelage.training.stacked_network import StackedNetwork

TOLERANCE = 1e-4
"""The largest allowed difference between a stack and its copies on the test batch, relative to their largest number."""

ELEMENTWISE = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign,
    nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip


class Stack(StackedNetwork):
    """Networks of the same architecture as one network; no operation mixes them, so that each trains as it would alone.

    Networks of Linear, LayerNorm, Dropout, Flatten and elementwise layers run as a few wide matrix products: the first
    Linear is one product with the shared batch. All others run under `torch.vmap`. Dropout masks, like batches, are drawn once
    and shared, so that each network gets those that it would draw alone.

    Args:
        networks: networks of the same architecture; their weights are copied.
        wide: run as wide products; the layers must be those above.
        output: extracts the answers from what a network returns; its `logits` are found without.

    Attributes:
        copies: the number of networks.
    """

    def __init__(self, networks: Sequence[nn.Module], *, wide: bool, output: Callable[[Any], Tensor] | None = None) -> None:
        super().__init__()
        self.copies = len(networks)
        self.inner = _stacked(networks)
        torch_runtime.set_to_train(self.inner)  # as the copies would be, alone
        self._output = output or answers_in
        self._pattern = (copy.deepcopy(networks[0]),)  # in a tuple, so that its weights are not registered as weights of the stack
        self._layers = _plain_layers(self.inner) if wide else None

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) -> (copies, batch, classes).

        A wide stack also takes (groups, batch, features), other rows for each of `groups` equal parts of the copies, in order: so
        copies with different batches train as one stack.
        """
        if self._layers is None:
            state = {**dict(self.inner.named_parameters()), **dict(self.inner.named_buffers())}
            answers: Tensor = torch.vmap(self._call_one, in_dims=(0, None), randomness="same")(state, inputs)
            return answers
        hidden, shared = inputs, True
        for layer in self._layers:
            hidden, shared = _apply(layer, hidden, shared)
        return hidden

    def copy(self, index: int) -> nn.Module:
        """One of the networks, as an ordinary network with copied weights."""
        network = copy.deepcopy(self._pattern[0])
        with torch.no_grad():
            for tensor, stacked in zip(_tensors(network), _tensors(self.inner), strict=True):
                tensor.copy_(stacked[index])
        return network.to(next(self.inner.parameters()).device)

    def _call_one(self, state: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return self._output(torch.func.functional_call(self.inner, state, (inputs,)))


def stack_of(networks: Sequence[nn.Module], inputs: Tensor, *, output: Callable[[Any], Tensor] | None = None) -> tuple[Stack | None, str]:
    """The networks as a stack, after checking on a batch that it computes what they compute alone.

    Args:
        networks: networks of the same architecture.
        inputs: (batch, ...) a few rows, on the networks' device.
        output: extracts the answers from what a network returns.

    Returns:
        The stack and "", or None and the reason why the networks cannot be stacked.
    """
    plain = output is None and _plain_layers(networks[0]) is not None
    why = ""
    for wide in (True, False) if plain else (False,):
        try:
            stack = Stack(networks, wide=wide, output=output)
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="There is a performance drop")  # vmap would run the copies one by one
                difference = _largest_difference(stack, networks, inputs)
        except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError, UserWarning) as error:
            why = f"torch.vmap cannot run a {type(networks[0]).__name__} ({one_line(error)})"
            continue
        if difference <= TOLERANCE:
            return stack, ""
        why = f"a stack of {type(networks[0]).__name__}s would not give the answers that its copies give alone"
    return None, why


def _largest_difference(stack: Stack, networks: Sequence[nn.Module], inputs: Tensor) -> float:
    """The largest relative difference between the stack and its first and last network: answers in train and eval mode, and buffers."""
    trial, largest = copy.deepcopy(stack), 0.0
    with torch.no_grad(), torch_runtime.seeded(0):
        stack_in_training = trial.train()(inputs)
    with torch.no_grad():
        stack_in_eval = trial.eval()(inputs)
    for index in {0, len(networks) - 1}:
        network = copy.deepcopy(networks[index]).train()
        with torch.no_grad(), torch_runtime.seeded(0):
            in_training = stack._output(network(inputs))
        with torch.no_grad():
            in_eval = stack._output(network.eval()(inputs))
        pairs = [(stack_in_training[index], in_training), (stack_in_eval[index], in_eval)]
        pairs += [(stacked[index], alone) for stacked, alone in zip(trial.inner.buffers(), network.buffers(), strict=True)]
        largest = max([largest, *(_relative_difference(*pair) for pair in pairs)])
    return largest


def _relative_difference(stacked: Tensor, alone: Tensor) -> float:
    if stacked.shape != alone.shape:
        return float("inf")
    if alone.numel() == 0:
        return 0.0
    stacked, alone = stacked.double(), alone.double()
    difference = float((stacked - alone).abs().max() / alone.abs().max().clamp(min=1e-3))
    return float("inf") if math.isnan(difference) else difference


def _stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """A network in which every parameter and buffer has a leading axis of copies; tied parameters stay tied."""
    inner = copy.deepcopy(networks[0])
    done: dict[int, Tensor] = {}
    for path, module in inner.named_modules():
        for tensors in (module._parameters, module._buffers):
            for name, value in tensors.items():
                if value is None:
                    continue
                if id(value) not in done:
                    whole = torch.stack([getattr(network.get_submodule(path), name).detach() for network in networks])
                    done[id(value)] = nn.Parameter(whole, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else whole
                tensors[name] = done[id(value)]
    return inner


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _plain_layers(network: nn.Module) -> list[nn.Module] | None:
    """The layers in order, if each can run as a wide product; else None."""
    if type(network) is nn.Sequential:
        parts = [_plain_layers(part) for part in network]
        return None if None in parts else [layer for part in parts if part is not None for layer in part]
    return [network] if type(network) in _WIDE else None


def _apply(layer: nn.Module, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    """The outputs of a layer of every copy, and whether they are the same for all copies and have no axis of copies."""
    return _WIDE[type(layer)](layer, hidden, shared)


def _linear(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    """The products have shape (copies, outputs, batch) and are viewed transposed, so that forward and backward copy no weights."""
    weight: Tensor = layer.weight
    copies = len(weight)
    bias = weight.new_zeros(copies, weight.shape[1]) if layer.bias is None else layer.bias
    if shared and hidden.ndim == 2:
        wide = torch.addmm(bias.flatten()[:, None], weight.flatten(0, 1), hidden.t())
        return wide.view(copies, -1, wide.shape[1]).transpose(1, 2), False
    if shared:
        groups, batch, features = hidden.shape
        wide = torch.baddbmm(bias.view(groups, -1, 1), weight.view(groups, -1, features), hidden.transpose(1, 2))
        return wide.view(copies, -1, batch).transpose(1, 2), False
    return torch.baddbmm(bias[:, :, None], weight, hidden.transpose(1, 2)).transpose(1, 2), False


def _layer_norm(layer: Any, hidden: Tensor, shared: bool) -> tuple[Tensor, bool]:
    normal = nn.functional.layer_norm(hidden, layer.normalized_shape, eps=layer.eps)
    if layer.weight is None:
        return normal, shared
    # A shared input gets its axis of copies here, by broadcasting with the weights.
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
