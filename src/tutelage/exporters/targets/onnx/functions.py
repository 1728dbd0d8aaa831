"""Functions of each number, and what makes probabilities, in ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, Graph, Value


def apply(graph: Graph, operation: op.Apply, x: Value) -> Value:
    """A function of each number, in the type of the numbers."""
    return Value(_FUNCTIONS[operation.function](graph, operation, x), x.kind, x.shape)


def softmax(graph: Graph, operation: op.Softmax, x: Value) -> Value:
    """Probabilities from logits."""
    x = _exact(graph, x)
    return Value(graph.node("Softmax", x.name, axis=-1), x.kind, x.shape)


def largest(graph: Graph, operation: op.Largest, x: Value) -> Value:
    """1 at the place of the largest number; a sum that is NaN if a number is NaN, and else 0, is added to each."""
    x = _exact(graph, x)
    places = graph.constant(np.arange(x.shape[0], dtype=np.int64)[None])
    found = graph.node("Cast", graph.node("Equal", graph.node("ArgMax", x.name, axis=1, keepdims=1), places), to=x.kind)
    lost = graph.reduced("ReduceSum", graph.node("Mul", x.name, graph.numbers(0.0, x.kind)), 1, keep=True)
    return Value(graph.node("Add", found, lost), x.kind, x.shape)


def both_classes(graph: Graph, operation: op.BothClasses, x: Value) -> Value:
    """The probability of the first class, and that of the second."""
    x = _exact(graph, x)
    return Value(graph.node("Concat", graph.node("Sub", graph.numbers(1.0, x.kind), x.name), x.name, axis=1), x.kind, (2,))


def _exact(graph: Graph, x: Value) -> Value:
    """Numbers in half precision as those of single precision."""
    return x if x.kind in (FLOAT, DOUBLE) else graph.cast(x, FLOAT)


def _one_node(operator: str) -> Callable[[Graph, op.Apply, Value], str]:
    return lambda graph, operation, x: graph.node(operator, x.name)


def _leaky_relu(graph: Graph, operation: op.Apply, x: Value) -> str:
    if x.kind != DOUBLE:
        return graph.node("LeakyRelu", x.name, alpha=operation.alpha)
    negative = graph.node("Mul", x.name, graph.numbers(operation.alpha, x.kind))
    return graph.node("Where", _is_positive(graph, x), x.name, negative)


def _elu(graph: Graph, operation: op.Apply, x: Value) -> str:
    if x.kind != DOUBLE:
        return graph.node("Elu", x.name, alpha=operation.alpha)
    fallen = graph.node("Sub", graph.node("Exp", x.name), graph.numbers(1.0, x.kind))
    return graph.node("Where", _is_positive(graph, x), x.name, graph.node("Mul", fallen, graph.numbers(operation.alpha, x.kind)))


def _is_positive(graph: Graph, x: Value) -> str:
    return graph.node("Greater", x.name, graph.numbers(0.0, x.kind))


def _gelu(graph: Graph, operation: op.Apply, x: Value) -> str:
    scaled = Value(graph.node("Mul", x.name, graph.numbers(math.sqrt(0.5), x.kind)), x.kind, x.shape)
    error = graph.node("Erf", graph.cast(scaled, FLOAT if x.kind == DOUBLE else x.kind).name)  # no runtime has it in double precision
    return _half_of(graph, graph.node("Cast", error, to=DOUBLE) if x.kind == DOUBLE else error, x)


def _gelu_tanh(graph: Graph, operation: op.Apply, x: Value) -> str:
    cube = graph.node("Mul", graph.node("Mul", x.name, x.name), x.name)
    inner = graph.node("Add", graph.node("Mul", cube, graph.numbers(0.044715, x.kind)), x.name)
    return _half_of(graph, graph.node("Tanh", graph.node("Mul", inner, graph.numbers(math.sqrt(2 / math.pi), x.kind))), x)


def _half_of(graph: Graph, share: str, x: Value) -> str:
    """Half of x * (share + 1)."""
    raised = graph.node("Add", share, graph.numbers(1.0, x.kind))
    return graph.node("Mul", graph.node("Mul", raised, graph.numbers(0.5, x.kind)), x.name)


def _silu(graph: Graph, operation: op.Apply, x: Value) -> str:
    return graph.node("Mul", x.name, graph.node("Sigmoid", x.name))


def _logit(graph: Graph, operation: op.Apply, x: Value) -> str:
    off = graph.node("Sub", graph.numbers(1.0, x.kind), x.name)
    return graph.node("Sub", graph.node("Log", x.name), graph.node("Log", off))


_FUNCTIONS: dict[op.Function, Callable[[Graph, op.Apply, Value], str]] = {
    "relu": _one_node("Relu"),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "tanh": _one_node("Tanh"),
    "sigmoid": _one_node("Sigmoid"),
    "log": _one_node("Log"),
    "logit": _logit,
}
