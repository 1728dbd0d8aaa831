"""Capture the outputs of a network's hidden layers, by module path, during its forward pass."""

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
    """Capture the outputs of layers in every forward pass of a block; the hooks are removed when it ends, also after an error.

    Each forward pass empties and fills the mapping: read it before the next. It holds copies, which an operation in place after the
    layer does not change. For a layer that runs more than once in a pass, the last output is stored; for one that returns a tuple
    or list, its first element; a layer that does not run is missing. Gradient flows as in the network itself: run a teacher under
    `no_grad`.

    Args:
        network: the network itself, not a wrapper that distributes it over devices.
        paths: module paths as listed by `network.named_modules()`, such as "features.3".

    Yields:
        The outputs by path.

    Raises:
        BadInput: no layer has that path (immediately), or a layer does not return a tensor (when it runs).
    """
    layers = dict(network.named_modules())
    for path in paths:
        if path not in layers:
            raise BadInput(f"{type(network).__name__} has no layer {path!r}.{did_you_mean(path, layers)} named_modules() lists them.")
    captured: dict[str, Tensor] = {}
    hooks = [network.register_forward_pre_hook(lambda *_: captured.clear())]
    hooks += [layers[path].register_forward_hook(_storing(captured, path)) for path in paths]
    try:
        yield captured
    finally:
        for hook in hooks:
            hook.remove()


def _storing(captured: dict[str, Tensor], path: str) -> Callable[..., None]:
    return partial(_store, captured, path)


def _store(captured: dict[str, Tensor], path: str, module: nn.Module, inputs: Any, output: Any) -> None:
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, torch.Tensor):
        raise BadInput(
            f"layer {path!r} ({type(module).__name__}) returns a {type(first).__name__}; expected a tensor. Name a layer inside it."
        )
    captured[path] = first.clone()
