"""Capture the outputs of a network's hidden layers, by module path, during its forward pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
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
        paths: module paths as listed by `network.named_modules()`, such as "features.3"; what is to be taken out of a tuple or a
            structure follows in brackets, such as "encoder.0.attention[1]", or "[hidden_states][-1]" of what the network returns.

    Yields:
        The outputs by path.

    Raises:
        BadInput: no layer has that path (immediately), or a layer does not return a tensor (when it runs).
    """
    layers = dict(network.named_modules())
    for path in paths:
        module, _ = _parsed(path)
        if module not in layers:
            raise BadInput(f"{type(network).__name__} has no layer {module!r}.{did_you_mean(module, layers)} named_modules() lists them.")
    captured: dict[str, Tensor] = {}
    hooks = [network.register_forward_pre_hook(lambda *_: captured.clear())]
    hooks += [layers[_parsed(path)[0]].register_forward_hook(_storing(captured, path)) for path in paths]
    try:
        yield captured
    finally:
        for hook in hooks:
            hook.remove()


def _storing(captured: dict[str, Tensor], path: str) -> Callable[..., None]:
    return partial(_store, captured, path)


def _parsed(path: str) -> tuple[str, list[str]]:
    """The module of a path, and what is taken out of its output, in order.

    Raises:
        BadInput: brackets that do not fit.
    """
    module, bracket, _ = path.partition("[")
    keys = re.findall(r"\[([^\[\]]+)\]", path[len(module) :])
    if bracket and path != module + "".join(f"[{key}]" for key in keys):
        raise BadInput(f"the layer {path!r} has brackets that do not fit; expected a module path, then keys such as [1].")
    return module, keys


def _taken(output: Any, keys: list[str], path: str) -> Any:
    """What the keys take out of the output of a layer; without keys the first element of a tuple or list."""
    if not keys:
        return output[0] if isinstance(output, tuple | list) and output else output
    found = output
    for key in keys:
        try:
            place: Any = int(key) if re.fullmatch(r"-?\d+", key) else key
            found = getattr(found, key) if isinstance(place, str) and not isinstance(found, Mapping) else found[place]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadInput(
                f"there is no [{key}] in what the layer {path!r} takes it from, a {type(found).__name__}; a network of Hugging Face gives "
                "attentions and hidden_states only if its config says so (output_attentions, output_hidden_states)."
            ) from error
    return found


def _store(captured: dict[str, Tensor], path: str, module: nn.Module, inputs: Any, output: Any) -> None:
    first = _taken(output, _parsed(path)[1], path)
    if not isinstance(first, torch.Tensor):
        raise BadInput(
            f"layer {path!r} ({type(module).__name__}) returns a {type(first).__name__}; expected a tensor. Name a layer inside it, or "
            "what to take out of it, such as [1]; attention needs a network that computes it (attn_implementation='eager')."
        )
    captured[path] = first.clone()
