"""Torch networks as programs: common layers one by one, any other network as the part that torch's exporter writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.lowering import Lowering
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import Subject

DTYPES: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64, torch.int64: np.int64}


def lower_network(program: Lowering, subject: Subject, rows: CheckRows) -> Program:
    """The program of a TorchStudent.

    Raises:
        BadInput: numbers of a precision, or code, that cannot be exported; or rows that do not fit the network. MissingExtra: onnxscript
            is not installed, which other networks than common layers one after another need.
    """
    subject.answers(rows[:1])  # which refuses rows that do not fit
    network, output = subject.student.network, subject.student.output
    sample = torch_runtime.network_input(network, torch_runtime.tensor_of(rows.numbers[:1].repeat(2, axis=0)))
    weights = [value for value in network.state_dict().values() if isinstance(value, Tensor) and value.is_floating_point()]
    if sample.dtype not in DTYPES or any(value.dtype not in DTYPES for value in weights):
        raise BadInput(
            f"a network that takes {str(sample.dtype).removeprefix('torch.')} cannot be exported; expected single or double precision, or "
            "whole numbers. Convert it first: network.float()."
        )
    answers = network_steps(program, network, sample, program.then(op.Numbers(None, subject.row_shape)), output=output)
    if subject.form.task != "regression":
        answers = program.then(op.Apply("sigmoid") if subject.form.task == "multilabel" else op.Softmax(), answers)
    single = all(value.dtype != torch.float64 for value in weights)
    return Program(subject.inputs, subject.row_shape, tuple(program.steps), subject.form, DTYPES[sample.dtype], single)


def network_steps(program: Lowering, network: nn.Module, sample: Tensor, rows: int, *, output: Callable[[Any], Any] | None = None) -> int:
    """Add the steps of a network.

    Args:
        program: the steps before it.
        network: in any mode; it is left as it was.
        sample: two rows, as the network takes them.
        rows: number of the step whose results it takes.
        output: as for `TorchStudent`.

    Raises:
        BadInput: code that cannot be exported. MissingExtra: onnxscript is not installed, for a network that needs it.
    """
    layers = plain_layers(network) if output is None and sample.is_floating_point() else None
    if layers is None:
        from tutelage.exporters.program.foreign import network_part

        return program.then(network_part(network, output, sample), rows)
    with torch_runtime.evaluating(network):
        return _append(program, layers, sample, rows)


def plain_layers(network: nn.Module) -> list[nn.Module] | None:
    """The layers that run one after another in a network, if each is one that is known; None for any other network."""
    if any(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module) for module in network.modules()):
        return None
    layers = list(_one_after_another(network))
    return layers if all(type(layer) in _LAYERS and _is_plain(layer) for layer in layers) else None


def _append(program: Lowering, layers: list[nn.Module], sample: Tensor, rows: int) -> int:
    with torch.no_grad():
        shown = sample.clone()
        for layer in layers:
            shown = layer(shown)
            rows = _LAYERS[type(layer)](program, layer, rows)
            if program.steps[rows].shape != tuple(shown.shape[1:]):
                raise BadInput(f"a layer {type(layer).__name__} cannot be exported for rows of this shape.")
    return rows


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


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(int(one) for one in value)


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu().numpy())


def _intercepts(layer: Any, outputs: int) -> NDArray[Any]:
    weights = _array(layer.weight)
    return np.zeros(outputs, dtype=weights.dtype) if layer.bias is None else _array(layer.bias)


def _linear(program: Lowering, layer: nn.Linear, rows: int) -> int:
    return program.then(op.Dense(_array(layer.weight).T, _intercepts(layer, layer.out_features)), rows)


def _convolution(program: Lowering, layer: nn.Conv1d | nn.Conv2d, rows: int) -> int:
    axes = len(program.steps[rows].shape) - 1
    stride, padding, dilation = (_each(value, axes) for value in (layer.stride, layer.padding, layer.dilation))
    intercepts = _intercepts(layer, layer.out_channels)
    return program.then(op.Convolution(_array(layer.weight), intercepts, stride, padding, dilation, layer.groups), rows)


def _batch_norm(program: Lowering, layer: nn.BatchNorm1d | nn.BatchNorm2d, rows: int) -> int:
    mean, variance = _array(layer.running_mean), _array(layer.running_var).astype(np.float64)
    scale, shift = (_array(layer.weight), _array(layer.bias)) if layer.affine else (np.ones_like(mean), np.zeros_like(mean))
    return program.then(op.ChannelNorm(mean, (scale / np.sqrt(variance + layer.eps)).astype(mean.dtype), shift), rows)


def _layer_norm(program: Lowering, layer: nn.LayerNorm, rows: int) -> int:
    shape = tuple(layer.normalized_shape)
    factor = np.ones(shape, dtype=np.float32) if layer.weight is None else _array(layer.weight)
    return program.then(op.LayerNorm(layer.eps, factor, np.zeros_like(factor) if layer.bias is None else _array(layer.bias)), rows)


def _max_pool(program: Lowering, layer: Any, rows: int) -> int:
    axes = len(program.steps[rows].shape) - 1
    return program.then(op.Pooling("max", *_window(layer, axes), _each(layer.dilation, axes)), rows)


def _average_pool(program: Lowering, layer: Any, rows: int) -> int:
    axes = len(program.steps[rows].shape) - 1
    return program.then(op.Pooling("mean", *_window(layer, axes), (1,) * axes, bool(layer.count_include_pad)), rows)


def _window(layer: Any, axes: int) -> tuple[op.Shape, op.Shape, op.Shape]:
    return _each(layer.kernel_size, axes), _each(layer.stride, axes), _each(layer.padding, axes)


def _global_average(program: Lowering, layer: nn.Module, rows: int) -> int:
    size = program.steps[rows].shape[1:]
    return program.then(op.Pooling("mean", size, size, (0,) * len(size), (1,) * len(size)), rows)


def _flatten(program: Lowering, layer: nn.Module, rows: int) -> int:
    return program.then(op.Reshape((program.width(rows),)), rows)


def _unflatten(program: Lowering, layer: nn.Unflatten, rows: int) -> int:
    return program.then(op.Reshape((*layer.unflattened_size, *program.steps[rows].shape[1:])), rows)


def _function(name: op.Function, alpha: str = "") -> Callable[[Lowering, Any, int], int]:
    """A layer that is one function of each number; its parameter is read from the layer."""

    def append(program: Lowering, layer: Any, rows: int) -> int:
        return program.then(op.Apply(name, float(getattr(layer, alpha)) if alpha else 0.0), rows)

    return append


def _gelu(program: Lowering, layer: nn.GELU, rows: int) -> int:
    return program.then(op.Apply("gelu_tanh" if layer.approximate == "tanh" else "gelu"), rows)


def _nothing(program: Lowering, layer: nn.Module, rows: int) -> int:
    """A layer that does nothing in eval mode."""
    return rows


_LAYERS: dict[type[nn.Module], Callable[[Lowering, Any, int], int]] = {
    nn.Linear: _linear,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d), _convolution),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    nn.LayerNorm: _layer_norm,
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d), _max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d), _average_pool),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), _global_average),
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.ReLU: _function("relu"),
    nn.LeakyReLU: _function("leaky_relu", "negative_slope"),
    nn.ELU: _function("elu", "alpha"),
    nn.GELU: _gelu,
    nn.SiLU: _function("silu"),
    nn.Tanh: _function("tanh"),
    nn.Sigmoid: _function("sigmoid"),
    **dict.fromkeys((nn.Dropout, nn.Dropout2d, nn.Identity), _nothing),
}
