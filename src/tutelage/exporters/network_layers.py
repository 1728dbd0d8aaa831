"""Common layers of torch, each as nodes of a chain. Torch's exporter would take seconds for any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn

from tutelage.exporters.chain import Chain


def plain_layers(network: nn.Module) -> list[nn.Module] | None:
    """The layers that run one after another in a network, if each can be written directly; None for any other network."""
    if any(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module) for module in network.modules()):
        return None
    layers = list(_one_after_another(network))
    return layers if all(type(layer) in _LAYERS and _is_plain(layer) for layer in layers) else None


def append_layers(chain: Chain, layers: list[nn.Module], sample: Tensor) -> None:
    """Append layers as they compute in eval mode.

    Args:
        chain: at rows in the type of the weights.
        layers: as from `plain_layers`; they are run on the sample, in the mode that they are in.
        sample: some rows.
    """
    rows = sample.clone()
    for layer in layers:
        _LAYERS[type(layer)](chain, layer, rows)
        rows = layer(rows)


def needs_single_precision(layers: list[nn.Module]) -> bool:
    """Whether the runtime has no double precision for one of the layers."""
    return any(not isinstance(layer, nn.Linear | nn.ReLU | nn.Dropout | nn.Identity | nn.Flatten) for layer in layers)


def _one_after_another(network: nn.Module) -> Iterator[nn.Module]:
    if type(network) is nn.Sequential:
        for layer in network:
            yield from _one_after_another(layer)
    else:
        yield network


def _is_plain(layer: Any) -> bool:
    """Whether the settings of a layer are among those that are written."""
    settings = {name: getattr(layer, name) for name in _WRITTEN if hasattr(layer, name)}
    return all(value in _WRITTEN[name] for name, value in settings.items()) and not isinstance(getattr(layer, "padding", 0), str)


_WRITTEN: dict[str, tuple[Any, ...]] = {
    "padding_mode": ("zeros",),
    "ceil_mode": (False,),
    "return_indices": (False,),
    "divisor_override": (None,),
    "track_running_stats": (True,),
    "output_size": (1, (1,), (1, 1)),
    "start_dim": (1,),
    "end_dim": (-1,),
    "dim": (1,),
}
"""Values of settings that are written, for the layers that have them."""


def _each(value: Any, axes: int) -> list[int]:
    return [int(value)] * axes if isinstance(value, int) else [int(one) for one in value]


def _array(values: Tensor) -> Any:
    return values.detach().cpu().numpy()


def _linear(chain: Chain, layer: nn.Linear, rows: Tensor) -> None:
    weights, bias = _array(layer.weight), None if layer.bias is None else chain.numbers(_array(layer.bias))
    if rows.ndim == 2:
        chain.then("Gemm", chain.numbers(weights), *([] if bias is None else [bias]), transB=1)
        return
    chain.then("MatMul", chain.numbers(weights.T))
    if bias is not None:
        chain.then("Add", bias)


def _convolution(chain: Chain, layer: nn.Conv1d | nn.Conv2d, rows: Tensor) -> None:
    axes = rows.ndim - 2
    bias = [] if layer.bias is None else [chain.numbers(_array(layer.bias))]
    chain.then(
        "Conv",
        chain.numbers(_array(layer.weight)),
        *bias,
        kernel_shape=_each(layer.kernel_size, axes),
        strides=_each(layer.stride, axes),
        pads=_each(layer.padding, axes) * 2,
        dilations=_each(layer.dilation, axes),
        group=layer.groups,
    )


def _batch_norm(chain: Chain, layer: nn.BatchNorm1d | nn.BatchNorm2d, rows: Tensor) -> None:
    mean, variance = _array(layer.running_mean), _array(layer.running_var)  # type: ignore[arg-type]
    scale, shift = (_array(layer.weight), _array(layer.bias)) if layer.affine else (np.ones_like(mean), np.zeros_like(mean))
    chain.then("BatchNormalization", *map(chain.numbers, (scale, shift, mean, variance)), epsilon=layer.eps)


def _layer_norm(chain: Chain, layer: nn.LayerNorm, rows: Tensor) -> None:
    scale = np.ones(tuple(layer.normalized_shape)) if layer.weight is None else _array(layer.weight)
    bias = [] if layer.bias is None else [chain.numbers(_array(layer.bias))]
    chain.then("LayerNormalization", chain.numbers(scale), *bias, axis=-len(layer.normalized_shape), epsilon=layer.eps)


def _max_pool(chain: Chain, layer: Any, rows: Tensor) -> None:
    chain.then("MaxPool", **_window(layer, rows.ndim - 2), dilations=_each(layer.dilation, rows.ndim - 2))


def _average_pool(chain: Chain, layer: Any, rows: Tensor) -> None:
    chain.then("AveragePool", **_window(layer, rows.ndim - 2), count_include_pad=int(layer.count_include_pad))


def _window(layer: Any, axes: int) -> dict[str, Any]:
    return {
        "kernel_shape": _each(layer.kernel_size, axes),
        "strides": _each(layer.stride, axes),
        "pads": _each(layer.padding, axes) * 2,
    }


def _unflatten(chain: Chain, layer: nn.Unflatten, rows: Tensor) -> None:
    chain.then("Reshape", chain.constant(np.array([-1, *layer.unflattened_size, *rows.shape[2:]], dtype=np.int64)))


def _gelu(chain: Chain, layer: nn.GELU, rows: Tensor) -> None:
    x = chain.last
    if layer.approximate == "tanh":
        square = chain.then("Mul", x)
        cube = chain.then("Mul", x, first=square)
        chain.then("Mul", chain.numbers(0.044715), first=cube)
        chain.then("Add", x)
        chain.then("Mul", chain.numbers(math.sqrt(2 / math.pi)))
        chain.then("Tanh")
    else:
        chain.then("Mul", chain.numbers(math.sqrt(0.5)))
        chain.then("Erf")
    chain.then("Add", chain.numbers(1.0))
    chain.then("Mul", chain.numbers(0.5))
    chain.then("Mul", x)


def _silu(chain: Chain, layer: nn.SiLU, rows: Tensor) -> None:
    x = chain.last
    chain.then("Mul", chain.then("Sigmoid"), first=x)


def _node(operator: str, **settings: Callable[[Any], Any]) -> Callable[[Chain, Any, Tensor], None]:
    """A layer that is one node; its settings are read from the layer."""

    def append(chain: Chain, layer: Any, rows: Tensor) -> None:
        chain.then(operator, **{name: read(layer) for name, read in settings.items()})

    return append


def _nothing(chain: Chain, layer: nn.Module, rows: Tensor) -> None:
    """A layer that does nothing in eval mode."""


_LAYERS: dict[type[nn.Module], Callable[[Chain, Any, Tensor], None]] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.MaxPool1d: _max_pool,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool1d: _average_pool,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool1d: _node("GlobalAveragePool"),
    nn.AdaptiveAvgPool2d: _node("GlobalAveragePool"),
    nn.Flatten: _node("Flatten", axis=lambda layer: 1),
    nn.Unflatten: _unflatten,
    nn.ReLU: _node("Relu"),
    nn.LeakyReLU: _node("LeakyRelu", alpha=lambda layer: layer.negative_slope),
    nn.ELU: _node("Elu", alpha=lambda layer: layer.alpha),
    nn.GELU: _gelu,
    nn.SiLU: _silu,
    nn.Tanh: _node("Tanh"),
    nn.Sigmoid: _node("Sigmoid"),
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
    nn.Identity: _nothing,
}
