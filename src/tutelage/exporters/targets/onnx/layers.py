"""The layers of networks in ONNX. Runtimes have no convolutions in double precision: there they become products of matrices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.core.arrays import Integers
from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.job import Booleans
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, Graph, Value


def dense(graph: Graph, operation: op.Dense, x: Value) -> Value:
    """A weighted sum."""
    x = graph.cast(x, graph.layers)
    weights, shape = graph.numbers(operation.weights, x.kind), operation.shape(x.shape)
    intercepts = [graph.numbers(operation.intercepts, x.kind)] if operation.intercepts.any() else []
    if len(x.shape) == 1 and graph.gemm:
        return Value(graph.node("Gemm", x.name, weights, *intercepts), x.kind, shape)
    product = graph.node("MatMul", x.name, weights)
    return Value(graph.node("Add", product, *intercepts) if intercepts else product, x.kind, shape)


def convolution(graph: Graph, operation: op.Convolution, x: Value) -> Value:
    """A convolution over one or two axes."""
    x, shape = graph.cast(x, graph.layers), operation.shape(x.shape)
    if x.kind == DOUBLE:
        return _as_product(graph, operation, x)
    intercepts = [graph.numbers(operation.intercepts, x.kind)] if operation.intercepts.any() else []
    name = graph.node(
        "Conv",
        x.name,
        graph.numbers(operation.weights, x.kind),
        *intercepts,
        **_window(operation.weights.shape[2:], operation),
        dilations=list(operation.dilation),
        group=operation.groups,
    )
    return Value(name, x.kind, shape)


def pooling(graph: Graph, operation: op.Pooling, x: Value) -> Value:
    """The largest number or the mean of each window."""
    x, shape = graph.cast(x, graph.layers), operation.shape(x.shape)
    if operation.name == "max":
        settings = _window(operation.window, operation) | {"dilations": list(operation.dilation)}
        return Value(graph.node("MaxPool", x.name, **settings), x.kind, shape)
    if x.kind == DOUBLE:
        return _as_mean(graph, operation, x)
    if operation.window == x.shape[1:] and not any(operation.padding):
        return Value(graph.node("GlobalAveragePool", x.name), x.kind, shape)
    settings = _window(operation.window, operation)
    return Value(graph.node("AveragePool", x.name, **settings, count_include_pad=int(operation.counts_padding)), x.kind, shape)


def _window(window: op.Shape, operation: op.Convolution | op.Pooling) -> dict[str, Any]:
    return {"kernel_shape": list(window), "strides": list(operation.stride), "pads": list(operation.padding) * 2}


def _as_product(graph: Graph, operation: op.Convolution, x: Value) -> Value:
    """A convolution as a product with the numbers of each window."""
    shape, groups = operation.shape(x.shape), operation.groups
    outputs, inputs, *window = operation.weights.shape
    places = _places(x.shape[1:], tuple(window), operation)
    many, each = len(places), places.shape[1]
    seen = graph.node("Reshape", _windows(graph, x, places), graph.places(-1, groups, inputs, many, each))
    seen = graph.node("Reshape", graph.node("Transpose", seen, perm=[0, 1, 3, 2, 4]), graph.places(-1, groups, many, inputs * each))
    weights = operation.weights.reshape(groups, outputs // groups, inputs * each).transpose(0, 2, 1)
    sums = graph.node("Transpose", graph.node("MatMul", seen, graph.numbers(weights, x.kind)), perm=[0, 1, 3, 2])
    sums = graph.node("Reshape", sums, graph.places(-1, *shape))
    intercepts = operation.intercepts.reshape(-1, *(1 for _ in window))
    return Value(graph.node("Add", sums, graph.numbers(intercepts, x.kind)), x.kind, shape)


def _as_mean(graph: Graph, operation: op.Pooling, x: Value) -> Value:
    shape = operation.shape(x.shape)
    places = _places(x.shape[1:], operation.window, operation)
    counts = np.full(len(places), places.shape[1]) if operation.counts_padding else (places < np.prod(x.shape[1:])).sum(axis=1)
    sums = graph.reduced("ReduceSum", _windows(graph, x, places), 3)
    means = graph.node("Div", sums, graph.numbers(counts, x.kind))
    return Value(graph.node("Reshape", means, graph.places(-1, *shape)), x.kind, shape)


def _windows(graph: Graph, x: Value, places: Integers) -> str:
    """(rows, channels, windows, numbers of each): the numbers at these places, and zeros at the place after the last."""
    flat = graph.node("Reshape", x.name, graph.places(-1, x.shape[0], int(np.prod(x.shape[1:]))))
    return graph.node("Gather", graph.node("Pad", flat, graph.places(0, 0, 0, 0, 0, 1)), graph.constant(places), axis=2)


def _places(size: op.Shape, window: op.Shape, operation: op.Convolution | op.Pooling) -> Integers:
    """(windows, numbers of each) positions among the flat numbers of a channel; the one after the last stands for padding."""
    shape = operation.shape((1, *size))[1:]
    found = []
    for corner in itertools.product(*map(range, shape)):
        for offset in itertools.product(*map(range, window)):
            axes = zip(corner, offset, operation.stride, operation.padding, operation.dilation, strict=True)
            place = [start * stride - padding + within * dilation for start, within, stride, padding, dilation in axes]
            inside = all(0 <= one < length for one, length in zip(place, size, strict=True))
            found.append(int(np.ravel_multi_index(place, size)) if inside else int(np.prod(size)))
    return np.array(found, dtype=np.int64).reshape(int(np.prod(shape)), -1)


def channel_norm(graph: Graph, operation: op.ChannelNorm, x: Value) -> Value:
    """A batch norm whose variances are in its factors."""
    x = graph.cast(x, graph.layers)
    variance = np.ones_like(operation.mean)
    numbers = [graph.numbers(one, x.kind) for one in (operation.factor, operation.shift, operation.mean, variance)]
    return Value(graph.node("BatchNormalization", x.name, *numbers, epsilon=0.0), x.kind, x.shape)


def layer_norm(graph: Graph, operation: op.LayerNorm, x: Value) -> Value:
    """A norm over the last axes."""
    graph.needs(17, "a LayerNorm")
    x = graph.cast(x, graph.layers)
    numbers = [graph.numbers(one, x.kind) for one in (operation.factor, operation.shift)]
    settings: dict[str, Any] = {"axis": -operation.factor.ndim, "epsilon": operation.epsilon}
    return Value(graph.node("LayerNormalization", x.name, *numbers, **settings), x.kind, x.shape)


def reshape(graph: Graph, operation: op.Reshape, x: Value) -> Value:
    """The same numbers in another shape."""
    if len(operation.to) == 1:
        return Value(graph.node("Flatten", x.name, axis=1), x.kind, operation.to)
    return Value(graph.node("Reshape", x.name, graph.places(-1, *operation.to)), x.kind, operation.to)


_FINDERS: tuple[tuple[str, dict[str, Any]], ...] = (("IsNaN", {}), ("IsInf", {"detect_negative": 0}), ("IsInf", {"detect_positive": 0}))
"""The operator and its settings that find each number of `NOT_FINITE`."""


def without_numbers(graph: Graph, answers: Value, entering: Sequence[tuple[Value, Sequence[Booleans]]]) -> Value:
    """The answers, with NaN in rows that have numbers which the student refuses: in 8 bits, they would become ordinary ones.

    Args:
        graph: the graph so far.
        answers: (rows, outputs).
        entering: what enters the first weighted sums, and where each number of `NOT_FINITE` is refused in it.
    """
    for x, refused in entering:
        if x.kind not in (FLOAT, DOUBLE):
            continue
        marks = _marks(graph, x, refused)
        marks = graph.reduced("ReduceSum", marks, *range(1, len(x.shape) + 1))
        total = graph.cast(Value(graph.node("Reshape", marks, graph.places(-1, 1)), x.kind, (1,)), answers.kind)
        answers = Value(graph.node("Add", answers.name, total.name), answers.kind, answers.shape)
    return answers


def _marks(graph: Graph, x: Value, refused: Sequence[Booleans]) -> str:
    """NaN where a number is refused, otherwise zero."""
    if all(where.all() for where in refused):
        return graph.node("Sub", x.name, x.name)
    found: list[str] = []
    for (operator, settings), where in zip(_FINDERS, refused, strict=True):
        if where.any():
            hits = graph.node(operator, x.name, **settings)
            found.append(hits if where.all() else graph.node("And", hits, graph.constant(where[None])))
    hits, *others = found
    for other in others:
        hits = graph.node("Or", hits, other)
    return graph.node("Where", hits, graph.numbers(np.nan, x.kind), graph.numbers(0.0, x.kind))
