"""Small networks: a single one, or many of the same shape trained as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from itertools import pairwise

from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.arguments import whole_numbers
from tutelage.core.errors import BadInput, reported_as_ours, shown

MOST_WEIGHTS = 2**32
"""Weights of a network; 16 GiB in float32."""


def mlp(sizes: Iterable[int]) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers, from features to logits.

    Args:
        sizes: (features, hidden ..., classes), such as (784, 10, 10, 10), as any list, array or other iterable.

    Returns:
        A `torch.nn.Sequential` of Linear and ReLU layers, with initial weights drawn from torch's random state.

    Raises:
        BadInput: fewer than two sizes, or one that is not a whole number of 1 or more.

    Example:
        >>> import tutelage as tl
        >>> network = tl.training.mlp((4, 8, 3))
        >>> [type(layer).__name__ for layer in network]
        ['Linear', 'ReLU', 'Linear']
    """
    expected = "the units of two layers or more, such as (4, 8, 3)"
    sizes = whole_numbers("sizes", sizes, expected, least=1)
    if len(sizes) < 2:
        raise BadInput(f"sizes is {shown(sizes)}; expected {expected}.")
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))
    if weights > MOST_WEIGHTS:
        raise BadInput(f"layers of {sizes} units have {weights:,} weights; expected at most {MOST_WEIGHTS:,}.")
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def with_new_weights(network: nn.Module | Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network with new initial weights, drawn by the seed.

    Args:
        network: a network to copy, whose layers are initialised again with their `reset_parameters`, as torch does when it creates
            them; or a function that returns a network, for any other initialisation.
        seed: the seed of the weights.

    Raises:
        BadInput: a function that does not return a network; a layer with weights and without `reset_parameters`.
    """
    with torch_runtime.seeded(seed):
        if not isinstance(network, nn.Module):
            with reported_as_ours("the function that creates the student failed"):
                created = network()
            if not isinstance(created, nn.Module):
                raise BadInput(f"the function that creates the student returned a {type(created).__name__}; expected a torch Module.")
            return created
        copied = copy.deepcopy(network)
        for path, layer in copied.named_modules():
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise BadInput(
                    f"{path or 'the student'} is a {type(layer).__name__} without reset_parameters(), "
                    "so its weights cannot be initialised again. Pass a function that creates the student: sweep(lambda: Net(), ...)."
                )
        return copied


def parameter_count(network: nn.Module) -> int:
    """The number of trainable and frozen parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
