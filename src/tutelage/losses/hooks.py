"""What a network's hidden layers say, caught by module path while it answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput, did_you_mean


@contextmanager
def capturing(network: nn.Module, paths: Collection[str]) -> Iterator[dict[str, Tensor]]:
    """Catch the outputs of layers in every forward pass of a block; the hooks are gone when it ends, however it ends.

    The mapping is filled by each forward pass: read it before the next. A layer that runs twice in a pass keeps the last,
    one that returns several things its first. Gradient flows as in the network itself: run a teacher under `no_grad`.

    Args:
        network: the network itself, not a wrapper that spreads it over devices.
        paths: as `network.named_modules()` names them, such as "features.3".

    Raises:
        BadInput: no layer of that name (at once); a layer that gives no tensor (when it runs).
    """
    layers = dict(network.named_modules())
    for path in paths:
        if path not in layers:
            raise BadInput(f"{type(network).__name__} has no layer {path!r}.{did_you_mean(path, layers)} named_modules() lists them.")
    caught: dict[str, Tensor] = {}
    hooks = [layers[path].register_forward_hook(_into(caught, path)) for path in paths]
    try:
        yield caught
    finally:
        for hook in hooks:
            hook.remove()


def _into(caught: dict[str, Tensor], path: str) -> Callable[..., None]:
    return partial(_keep, caught, path)


def _keep(caught: dict[str, Tensor], path: str, module: nn.Module, inputs: Any, output: Any) -> None:
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, torch.Tensor):
        raise BadInput(f"layer {path!r} ({type(module).__name__}) gives a {type(first).__name__}, not a tensor; name a layer inside it.")
    caught[path] = first
