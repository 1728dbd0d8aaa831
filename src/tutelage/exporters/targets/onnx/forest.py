"""Trees as nodes of an ONNX graph, exactly: the operator finds the leaf of each tree, and a table in double precision has its values.

The answers of a single tree may be those of the operator itself, which has them in single precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.trees import Trees
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, INT64, ML, Graph, Value

MOST_LEAVES = 2**24
"""The operator gives the number of a leaf in single precision, which is exact up to here."""


def tree_sum(graph: Graph, operation: op.TreeSum, x: Value) -> Value:
    """The answers of trees, in double precision.

    Raises:
        BadInput: too many leaves.
    """
    trees = operation.trees
    leaves = sum(int((~tree.inner).sum()) for tree in trees.trees)
    if leaves > MOST_LEAVES:
        raise BadInput(f"the trees have {leaves:,} leaves; a file can hold {MOST_LEAVES:,}. Train fewer or smaller trees.")
    x = graph.cast(x, FLOAT if trees.single else DOUBLE)
    table, numbers = _values(trees), np.arange(leaves)[:, None]
    owners = np.repeat(np.arange(len(trees.trees)), [int((~tree.inner).sum()) for tree in trees.trees])[:, None]
    places = graph.cast(_found(graph, trees, x, numbers, owners), INT64).name
    answers = graph.node("Gather", graph.constant(table), places)  # (rows, trees, width)
    if len(trees.trees) * table.shape[1] == trees.outputs:
        answers = graph.node("Reshape", answers, graph.places(-1, trees.outputs))
    else:
        if table.shape[1] != trees.outputs:
            rounds = len(trees.trees) * table.shape[1] // trees.outputs  # a number, so that there may be no rows
            answers = graph.node("Reshape", answers, graph.places(-1, rounds, trees.outputs))
        answers = graph.reduced("ReduceSum", answers, 1)
    if trees.divisor != 1:
        answers = graph.node("Div", answers, graph.numbers(trees.divisor, DOUBLE))
    if trees.start.any():
        answers = graph.node("Add", answers, graph.numbers(trees.start, DOUBLE))
    return Value(answers, DOUBLE, (trees.outputs,))


def decides_in_single(trees: Trees, form: AnswerForm) -> bool:
    """Whether the answers of trees, rounded to single precision, are those of one leaf and lead to its decision in double precision."""
    if form.task not in ("binary", "multiclass") or len(trees.trees) > 1 or not trees.single or trees.divisor != 1 or trees.start.any():
        return False
    values = _values(trees)
    return values.shape[1] == trees.outputs and np.array_equal(values.argmax(axis=1), values.astype(np.float32).argmax(axis=1))


def single_tree(graph: Graph, operation: op.TreeSum, x: Value) -> Value:
    """The answers of trees for which `decides_in_single`, in single precision."""
    trees = operation.trees
    values = _values(trees)
    targets = np.broadcast_to(np.arange(trees.outputs), values.shape)
    return _found(graph, trees, graph.cast(x, FLOAT), values, targets)


def _values(trees: Trees) -> Floats:
    """(leaves, width) the values of the leaves of each tree in turn."""
    return np.concatenate([tree.values[~tree.inner] for tree in trees.trees])


def _found(graph: Graph, trees: Trees, x: Value, weights: NDArray[Any], targets: NDArray[Any]) -> Value:
    """The sum of the weights of the leaves that a row falls into, for each target.

    Args:
        graph: the graph so far.
        trees: the trees.
        x: numbers in their precision.
        weights: (leaves, width) of each leaf.
        targets: (leaves, width) what the weights are for.
    """
    outputs = int(targets.max()) + 1
    name = graph.node("TreeEnsembleRegressor", x.name, domain=ML, n_targets=outputs, **_attributes(trees, weights, targets))
    return Value(name, FLOAT, (outputs,))


def _attributes(trees: Trees, weights: NDArray[Any], targets: NDArray[Any]) -> dict[str, Any]:
    """The attributes of the operator."""
    from onnx import numpy_helper

    counts = [len(tree.left) for tree in trees.trees]
    numbers = np.concatenate([np.arange(count) for count in counts])
    owners = np.repeat(np.arange(len(counts)), counts)
    inner = np.concatenate([tree.inner for tree in trees.trees])

    def joined(name: str) -> list[int]:
        return np.where(inner, np.concatenate([getattr(tree, name) for tree in trees.trees]), 0).astype(np.int64).tolist()  # type: ignore[no-any-return]

    values = np.where(inner, np.concatenate([trees.threshold(tree) for tree in trees.trees]), 0)
    width, flat = weights.shape[1], weights.ravel()
    settings: dict[str, Any] = {
        "nodes_treeids": owners.tolist(),
        "nodes_nodeids": numbers.tolist(),
        "nodes_featureids": joined("feature"),
        "nodes_modes": np.where(inner, "BRANCH_LT" if trees.strict else "BRANCH_LEQ", "LEAF").tolist(),
        "nodes_truenodeids": joined("left"),
        "nodes_falsenodeids": joined("right"),
        "nodes_missing_value_tracks_true": joined("missing_left"),
        "target_treeids": np.repeat(owners[~inner], width).tolist(),
        "target_nodeids": np.repeat(numbers[~inner], width).tolist(),
        "target_ids": targets.ravel().tolist(),
    }
    if trees.single:
        return settings | {"nodes_values": values.astype(np.float32).tolist(), "target_weights": flat.astype(np.float32).tolist()}
    return settings | {
        "nodes_values_as_tensor": numpy_helper.from_array(values.astype(np.float64), "thresholds"),
        "target_weights_as_tensor": numpy_helper.from_array(flat.astype(np.float64), "leaves"),
    }
