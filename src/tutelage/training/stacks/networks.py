"""Small networks: one, or many of the same shape trained as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """A ReLU network from rows of features to logits.

    Args:
        sizes: (features, hidden ..., classes), such as (784, 10, 10, 10).
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPStack(nn.Module):
    """`copies` networks of one shape that see the same batch, as one network: their first layers are one wide product.

    All copies start from the same weights (drawn as torch draws a Linear), so that what they are asked to match
    is all that sets them apart. No operation mixes copies: a stack trains as its copies would alone. Inside, features
    come before the batch, so that no product has to turn its factors around.
    """

    def __init__(self, sizes: Sequence[int], copies: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.copies = copies
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for layer in mlp(sizes):
            if isinstance(layer, nn.Linear):
                self.weights.append(nn.Parameter(layer.weight.detach().repeat(copies, 1, 1)))
                self.biases.append(nn.Parameter(layer.bias.detach().repeat(copies, 1)[:, :, None]))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, features) -> (copies, batch, classes) logits."""
        wide = self.weights[0].flatten(0, 1) @ inputs.T
        hidden: Tensor = wide.unflatten(0, (self.copies, -1)) + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = torch.baddbmm(bias, weight, hidden.relu())
        return hidden.transpose(1, 2)

    def copy(self, index: int) -> nn.Sequential:
        """One of the networks, alone: an ordinary `mlp` with weights of its own."""
        alone = mlp(self.sizes)
        linears = [layer for layer in alone if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(linears, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[index])
                layer.bias.copy_(bias[index, :, 0])
        return alone


def drawn(network: nn.Module | Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network of this kind with initial weights of its own, drawn by the seed.

    Args:
        network: a pattern, of which each layer is drawn anew by its own `reset_parameters`, as torch does when it makes one; or
            a function that makes a network, for initial weights of any other kind.
        seed: of the weights.

    Raises:
        BadInput: a function that makes no network; a pattern with weights of a layer that cannot draw them.
    """
    with torch_runtime.seeded(seed):
        if not isinstance(network, nn.Module):
            made = network()
            if not isinstance(made, nn.Module):
                raise BadInput(f"the function that makes the student returned a {type(made).__name__}; expected a torch Module.")
            return made
        fresh = copy.deepcopy(network)
        for path, layer in fresh.named_modules():
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise BadInput(
                    f"{path or 'the student'} is a {type(layer).__name__} without reset_parameters(), so its weights cannot be drawn anew. "
                    "Pass a function that makes the student: sweep(lambda: Net(), ...)."
                )
        return fresh


def parameters_of(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
