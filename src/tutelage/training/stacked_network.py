"""What marks a network as a stack of copies; any other network is a single one, whatever the shape of its answers."""

from __future__ import annotations

from torch import nn


class StackedNetwork(nn.Module):
    """A network of many copies: (batch, ...) -> (copies, batch, classes).

    Attributes:
        copies: the number of copies.
    """

    copies: int


def copies_of(network: nn.Module) -> int | None:
    """The number of copies of a stack; None for a single network."""
    return network.copies if isinstance(network, StackedNetwork) else None
