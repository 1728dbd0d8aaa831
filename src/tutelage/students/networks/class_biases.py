"""Biases of the classes in a torch student: added to those of the layer that its logits come from."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.data.structures.network_answers import answers_in
from tutelage.training.outputs import network_outputs
from tutelage.training.student import TorchStudent

_ROUNDINGS = 100
"""How many roundings of its largest number a logit may be off."""


def with_biases(student: TorchStudent, biases: Floats, rows: Any) -> TorchStudent:
    """Another student with a copy of the network, whose logits are larger by the biases.

    Args:
        student: fitted; it is left as it is.
        biases: (classes,).
        rows: one or two rows as the network takes them.

    Raises:
        BadInput: the logits do not come from a Linear layer of their own, or are not larger by the biases afterwards.
    """
    network = torch_runtime.copied(student.network)
    before, layer = _last_layer(network, student, rows)
    _add(layer, biases)
    found = copy.copy(student)
    found.network = network
    found.biases_ = biases + getattr(student, "biases_", 0.0)
    rounding = max(torch.finfo(layer.weight.dtype).eps, torch.finfo(torch.float32).eps)  # in which outputs are returned
    precision = rounding * _ROUNDINGS * (1 + np.abs(before).max() + np.abs(biases).max())
    if not np.allclose(found.outputs(rows) - before, biases, rtol=0, atol=precision):
        raise _no_layer(network)
    return found


def _last_layer(network: nn.Module, student: TorchStudent, rows: Any) -> tuple[Floats, nn.Linear]:
    """The logits of the rows, and the layer whose result they are."""
    called: list[tuple[nn.Linear, Tensor]] = []
    layers: list[nn.Linear] = []
    own = student.output or answers_in

    def note(layer: nn.Module, given: Any, result: Any) -> None:
        if isinstance(layer, nn.Linear):
            called.append((layer, result))

    def output(returned: Any) -> Tensor:
        answers = own(returned)
        layers[:] = [layer for layer, result in called if result is answers]
        return answers

    hooks = [network.register_forward_pre_hook(lambda *given: called.clear())]
    hooks += [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, nn.Linear)]
    try:
        logits = network_outputs(network, rows, form=student.form, output=output, batch_size=student.predict_batch_size)
    finally:
        for hook in hooks:
            hook.remove()
    if not layers or sum(layer is layers[0] for layer, _ in called) > 1 or _shares_bias(network, layers[0]):
        raise _no_layer(network)
    return np.asarray(logits), layers[0]


def _add(layer: nn.Linear, biases: Floats) -> None:
    own = dict(layer.named_parameters()).get("bias")
    with torch.no_grad():
        added = torch.as_tensor(biases, dtype=layer.weight.dtype, device=layer.weight.device)
        layer.bias = nn.Parameter(added if own is None else own + added, (layer.weight if own is None else own).requires_grad)


def _shares_bias(network: nn.Module, layer: nn.Linear) -> bool:
    """Whether another layer uses the same bias."""
    return sum(parameter is layer.bias for _, parameter in network.named_parameters(remove_duplicate=False)) > 1


def _no_layer(network: nn.Module) -> BadInput:
    return BadInput(
        f"the logits of this {type(network).__name__} are not the result of a Linear layer that computes nothing else, so that no bias can "
        "be added to them; end the network in torch.nn.Linear."
    )
