"""Trees as nodes of an ONNX graph, exactly: the operator finds the leaf of each tree, and a table in double precision has its values."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    places = graph.node("Cast", graph.node("TreeEnsembleRegressor", x.name, domain=ML, **_attributes(trees)), to=INT64)
    table = np.concatenate([tree.values[~tree.inner] for tree in trees.trees])
    answers = graph.node("Gather", graph.constant(table), places)  # (rows, trees, width)
    if len(trees.trees) * table.shape[1] == trees.outputs:
        answers = graph.node("Reshape", answers, graph.places(-1, trees.outputs))
    else:
        answers = graph.reduced("ReduceSum", graph.node("Reshape", answers, graph.places(0, -1, trees.outputs)), 1)
    if trees.divisor != 1:
        answers = graph.node("Div", answers, graph.numbers(trees.divisor, DOUBLE))
    if trees.start.any():
        answers = graph.node("Add", answers, graph.numbers(trees.start, DOUBLE))
    return Value(answers, DOUBLE, (trees.outputs,))


def _attributes(trees: Trees) -> dict[str, Any]:
    """The attributes of the operator; the weight of a leaf is its number in the table, and each tree has a target of its own."""
    from onnx import numpy_helper

    counts = [len(tree.left) for tree in trees.trees]
    numbers = np.concatenate([np.arange(count) for count in counts])
    owners = np.repeat(np.arange(len(counts)), counts)
    inner = np.concatenate([tree.inner for tree in trees.trees])

    def joined(name: str) -> list[int]:
        return np.where(inner, np.concatenate([getattr(tree, name) for tree in trees.trees]), 0).astype(np.int64).tolist()  # type: ignore[no-any-return]

    values = np.where(inner, np.concatenate([trees.threshold(tree) for tree in trees.trees]), 0)
    leaves = np.arange(int((~inner).sum()))
    settings: dict[str, Any] = {
        "n_targets": len(counts),
        "nodes_treeids": owners.tolist(),
        "nodes_nodeids": numbers.tolist(),
        "nodes_featureids": joined("feature"),
        "nodes_modes": np.where(inner, "BRANCH_LT" if trees.strict else "BRANCH_LEQ", "LEAF").tolist(),
        "nodes_truenodeids": joined("left"),
        "nodes_falsenodeids": joined("right"),
        "nodes_missing_value_tracks_true": joined("missing_left"),
        "target_treeids": owners[~inner].tolist(),
        "target_nodeids": numbers[~inner].tolist(),
        "target_ids": owners[~inner].tolist(),
    }
    if trees.single:
        return settings | {"nodes_values": values.astype(np.float32).tolist(), "target_weights": leaves.astype(np.float32).tolist()}
    return settings | {
        "nodes_values_as_tensor": numpy_helper.from_array(values.astype(np.float64), "thresholds"),
        "target_weights_as_tensor": numpy_helper.from_array(leaves.astype(np.float64), "leaves"),
    }
