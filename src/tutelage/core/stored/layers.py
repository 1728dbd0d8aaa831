"""Networks of supported layers as plain JSON values, from which they can be rebuilt without executing any code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput, one_line

MOST_LAYERS = 1000
"""Maximum number of layers in a file: a layer takes memory even without weights."""

Rule = Callable[[Any], bool]


def _whole(lowest: int) -> Rule:
    return lambda value: type(value) is int and lowest <= value < 2**31


def _one_or_pair(rule: Rule) -> Rule:
    return lambda value: rule(value) or (type(value) is list and len(value) == 2 and all(map(rule, value)))


def _one_or_single(rule: Rule) -> Rule:
    return lambda value: rule(value) or (type(value) is list and len(value) == 1 and rule(value[0]))


def _or_none(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and type(value) is not bool and abs(value) < 2**31


def _margin(sizes: Callable[[Rule], Rule]) -> Rule:
    return lambda value: value in ("same", "valid") or sizes(_whole(0))(value)


def _is_fill(value: Any) -> bool:
    return value in ("zeros", "reflect", "replicate", "circular")


def _is_shape(value: Any) -> bool:
    return type(value) is list and all(map(_whole(-1), value))


def _is_dimensions(value: Any) -> bool:
    return type(value) is list and 0 < len(value) <= 8 and all(map(_whole(1), value))


_COUNT, _DIMENSION = _whole(1), _whole(-(2**31))
_NORM: dict[str, Rule] = {
    "num_features": _COUNT,
    "eps": _is_number,
    "momentum": _or_none(_is_number),
    "affine": _is_flag,
    "track_running_stats": _is_flag,
}


def _convolution(sizes: Callable[[Rule], Rule]) -> dict[str, Rule]:
    size = sizes(_whole(1))
    return {
        "in_channels": _COUNT,
        "out_channels": _COUNT,
        "kernel_size": size,
        "stride": size,
        "padding": _margin(sizes),
        "dilation": size,
        "groups": _COUNT,
        "bias": _is_flag,
        "padding_mode": _is_fill,
    }


def _pool(sizes: Callable[[Rule], Rule]) -> dict[str, Rule]:
    size = sizes(_whole(1))
    return {"kernel_size": size, "stride": size, "padding": sizes(_whole(0)), "ceil_mode": _is_flag}


_DROPOUT: dict[str, Rule] = {"p": _is_number, "inplace": _is_flag}

# The constructor arguments of each layer type, under torch's names, and the rule that each value must satisfy.
_ARGUMENTS: dict[type[nn.Module], dict[str, Rule]] = {
    nn.Linear: {"in_features": _COUNT, "out_features": _COUNT, "bias": _is_flag},
    nn.Conv1d: _convolution(_one_or_single),
    nn.Conv2d: _convolution(_one_or_pair),
    nn.BatchNorm1d: _NORM,
    nn.BatchNorm2d: _NORM,
    nn.LayerNorm: {"normalized_shape": _is_dimensions, "eps": _is_number, "elementwise_affine": _is_flag, "bias": _is_flag},
    nn.MaxPool1d: _pool(_one_or_single) | {"dilation": _one_or_single(_COUNT)},
    nn.MaxPool2d: _pool(_one_or_pair) | {"dilation": _one_or_pair(_COUNT)},
    nn.AvgPool1d: _pool(_one_or_single) | {"count_include_pad": _is_flag},
    nn.AvgPool2d: _pool(_one_or_pair) | {"count_include_pad": _is_flag, "divisor_override": _or_none(_COUNT)},
    nn.AdaptiveAvgPool1d: {"output_size": _one_or_single(_COUNT)},
    nn.AdaptiveAvgPool2d: {"output_size": _one_or_pair(_or_none(_COUNT))},
    nn.Flatten: {"start_dim": _DIMENSION, "end_dim": _DIMENSION},
    nn.Unflatten: {"dim": _DIMENSION, "unflattened_size": _is_shape},
    nn.ReLU: {"inplace": _is_flag},
    nn.LeakyReLU: {"negative_slope": _is_number, "inplace": _is_flag},
    nn.ELU: {"alpha": _is_number, "inplace": _is_flag},
    nn.GELU: {"approximate": lambda value: value in ("none", "tanh")},
    nn.SiLU: {"inplace": _is_flag},
    nn.Tanh: {},
    nn.Sigmoid: {},
    nn.Dropout: _DROPOUT,
    nn.Dropout2d: _DROPOUT,
    nn.Identity: {},
}
_KEEP_WIDTH = (nn.BatchNorm1d, nn.LayerNorm, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity)
_KINDS = {kind.__name__: kind for kind in _ARGUMENTS}


def flattened(network: nn.Module) -> nn.Sequential:
    """The same layers in one Sequential, including those of nested Sequentials; the layers are shared, not copied."""
    return nn.Sequential(*_layers_of(network))


def described(network: nn.Module) -> list[dict[str, Any]]:
    """The layers of a network, flattened, as JSON values without the weights.

    Args:
        network: a Sequential, possibly nested, of Linear, convolutions and pools in one and two dimensions, BatchNorm, LayerNorm, Flatten,
            Unflatten, the usual activations, Dropout and Identity, as `_ARGUMENTS` names them; or a single such layer.

    Raises:
        BadInput: the network has another layer, or a layer with settings, hooks or weights that `built` would not restore.
    """
    flat = flattened(network)
    description = [_described(index, layer) for index, layer in enumerate(flat)]
    rebuilt = built(description)
    for index, (layer, copy) in enumerate(zip(flat, rebuilt, strict=True)):
        original, restored = _settings(layer), _settings(copy)
        lost = next((name for name, value in original.items() if name not in restored or value != restored[name]), None)
        if lost is not None:
            raise BadInput(f"layer {index} ({type(layer).__name__}) has {lost}={original[lost]!r}, which cannot be described.")
        if layout(layer.state_dict()) != layout(copy.state_dict()):
            raise BadInput(
                f"layer {index} ({type(layer).__name__}) has weights of other names, shapes or dtypes than torch creates in float32."
            )
    state = flat.state_dict()
    if len({value.data_ptr() for value in state.values()}) < len(state):
        raise BadInput("some of its layers share weights, which cannot be described.")
    return description


def built(description: Any) -> nn.Sequential:
    """The layers of a description from `described`, on torch's meta device: they use no memory until weights are assigned.

    Raises:
        BadInput: the description is not valid, or torch refuses its layers.
    """
    if type(description) is not list or len(description) > MOST_LAYERS:
        raise BadInput(f"the layers are not a list of at most {MOST_LAYERS} layers.")
    with torch.device("meta"):
        return nn.Sequential(*(_built(index, entry) for index, entry in enumerate(description)))


def layout(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Names, shapes and dtypes of tensors; two sets of weights with the same layout are interchangeable."""
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def outputs_of(network: nn.Sequential) -> int | None:
    """Number of outputs per row, if a Linear layer at the end of the network determines it; otherwise None."""
    for layer in reversed(network):
        if isinstance(layer, nn.Linear):
            return layer.out_features
        if type(layer) not in _KEEP_WIDTH:
            break
    return None


def _layers_of(network: nn.Module) -> list[nn.Module]:
    if type(network) is nn.Sequential and _settings(network) == _settings(nn.Sequential()):
        return [layer for inner in network for layer in _layers_of(inner)]
    return [network]


def _described(index: int, layer: nn.Module) -> dict[str, Any]:
    arguments = _ARGUMENTS.get(type(layer))
    if arguments is None:
        raise BadInput(f"layer {index} ({type(layer).__name__}) cannot be described; expected one of {', '.join(_KINDS)}.")
    values = {name: getattr(layer, name) for name in arguments}
    if "bias" in values:
        values["bias"] = layer.bias is not None
    return {"layer": type(layer).__name__, **{name: _listed(value) for name, value in values.items()}}


def _built(index: int, entry: Any) -> nn.Module:
    kind = _KINDS.get(str(entry.get("layer"))) if isinstance(entry, dict) else None
    if kind is None or entry.keys() - {"layer"} != _ARGUMENTS[kind].keys():
        raise BadInput(f"layer {index} is not a valid description of a layer.")
    for name, is_valid in _ARGUMENTS[kind].items():
        if not is_valid(entry[name]):
            raise BadInput(f"layer {index} ({kind.__name__}) has {name}={entry[name]!r}, which cannot be described.")
    values = {name: tuple(value) if type(value) is list else value for name, value in entry.items() if name != "layer"}
    try:
        return kind(**values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"layer {index} ({kind.__name__}) cannot be built ({one_line(error)}).") from error


def _settings(layer: nn.Module) -> dict[str, Any]:
    """Everything that distinguishes a layer from others of its type, except its weights and its training mode."""
    settings = {name: _listed(value) for name, value in vars(layer).items() if name[0] != "_" and name != "training"}
    hooks = [*layer._forward_hooks.values(), *layer._forward_pre_hooks.values()]
    return settings | ({"hooks": hooks} if hooks else {})


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
