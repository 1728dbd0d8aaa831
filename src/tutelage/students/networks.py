"""Small networks: one, or many of the same shape trained as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


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
    is all that sets them apart. No operation mixes copies: a stack trains as its copies would alone.
    """

    def __init__(self, sizes: Sequence[int], copies: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.copies = copies
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for layer in mlp(sizes):
            if isinstance(layer, nn.Linear):
                self.weights.append(nn.Parameter(layer.weight.detach().T.repeat(copies, 1, 1)))
                self.biases.append(nn.Parameter(layer.bias.detach().repeat(copies, 1, 1)))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, features) -> (copies, batch, classes) logits."""
        first = self.weights[0]
        wide = first.permute(1, 0, 2).reshape(first.shape[1], -1)
        hidden: Tensor = (inputs @ wide).unflatten(1, (self.copies, -1)).transpose(0, 1) + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = torch.baddbmm(bias, hidden.relu(), weight)
        return hidden

    def copy(self, index: int) -> nn.Sequential:
        """One of the networks, alone: an ordinary `mlp` with weights of its own."""
        alone = mlp(self.sizes)
        linears = [layer for layer in alone if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(linears, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[index].T)
                layer.bias.copy_(bias[index, 0])
        return alone


def parameters_of(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
