"""What marks a network as a stack of copies; any other network is a single one, whatever the shape of its answers."""

from __future__ import annotations

from torch import nn


class StackedNetwork(nn.Module):
    """A network of many copies: (batch, ...) -> (copies, batch, classes). Every loss is computed for each copy.

    Validation rows choose an epoch for each copy, for which every weight needs a leading axis of copies; others are refused with them.

    Attributes:
        copies: the number of copies.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> from torch import nn
        >>> class Peers(tl.training.StackedNetwork, nn.ModuleList):
        ...     copies = 2
        ...     def forward(self, inputs):
        ...         return torch.stack([peer(inputs) for peer in self])
        >>> Peers([nn.Linear(4, 3), nn.Linear(4, 3)])(torch.zeros(5, 4)).shape
        torch.Size([2, 5, 3])
    """

    copies: int


def copies_of(network: nn.Module) -> int | None:
    """The number of copies of a stack; None for a single network."""
    return network.copies if isinstance(network, StackedNetwork) else None
