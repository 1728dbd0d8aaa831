"""A student as an ONNX graph: written directly for plain layers, by torch's exporter for other networks, by skl2onnx for trees."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.errors import BadInput, require
from tutelage.core.stored.tree_nodes import trees_in
from tutelage.exporters.chain import Chain
from tutelage.exporters.trained_graph import (
    check_numeric_columns,
    finish_tree_graph,
    is_linear_or_mlp,
    linear_or_mlp_graph,
    route_missing_values,
    tree_regressor,
)
from tutelage.students.saved.trained import TrainedStudent

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT = "inputs"
PROBABILITIES = "probabilities"
PREDICTION = "prediction"
_LAST = {"regression": ("", PREDICTION), "multilabel": ("Sigmoid", PROBABILITIES)}
"""The last operator and the output name of a network, by task; classification uses softmax and "probabilities"."""


def onnx_graph(student: Any, features: int) -> ModelProto:
    """The student as an ONNX model: `inputs` (rows, features) float32 to a single output.

    The output of a classifier is `probabilities` (rows, classes) at temperature 1, with its class names as JSON in the
    model's metadata under "classes"; that of a regressor is `prediction` (rows, outputs).

    Args:
        student: a TorchStudent, a SoftTree, a fitted scikit-learn regressor, or a TrainedStudent with numeric columns
            that is a tree, a forest, a linear model or a network.
        features: number of input columns.

    Raises:
        BadInput: the student is of another kind.
        MissingExtra: onnx, onnxscript or skl2onnx is not installed.
    """
    require("onnx")
    if isinstance(student, TrainedStudent):
        model = _trained_graph(student, features)
    elif hasattr(student, "network"):
        model = _network_graph(student, features)
    elif hasattr(student, "classes_") and hasattr(student, "tree_"):
        model = _estimator_graph(student.tree_, features, PROBABILITIES, outputs=len(student.classes_))
    elif hasattr(student, "predict") and not hasattr(student, "classes_"):
        model = _estimator_graph(student, features, PREDICTION, outputs=1)
    else:
        raise BadInput(f"cannot export a {type(student).__name__}; expected a TorchStudent, a SoftTree or a fitted scikit-learn regressor.")
    if hasattr(student, "classes_"):
        model.metadata_props.add(key="classes", value=json.dumps(student.classes_.tolist()))
    return model


def _trained_graph(student: TrainedStudent, features: int) -> ModelProto:
    columns, last = student.student_[0], student.student_[-1]
    check_numeric_columns(columns)
    if is_linear_or_mlp(last):
        return linear_or_mlp_graph(student, features, inputs=INPUT, output=PREDICTION if student.task == "regression" else PROBABILITIES)
    if student.task == "regression":
        outputs = int(student.student_[-1].predict(np.zeros((1, features))).size)
        model = _estimator_graph(last, features, PREDICTION, outputs=outputs)
        route_missing_values(model.graph, last)
        return model
    trees = tree_regressor(last)
    if trees is None:
        raise BadInput(
            f"cannot export a {type(last).__name__}; expected a tree, a forest, a linear model or a network. Serve it from its folder."
        )
    model = _estimator_graph(trees, features, PROBABILITIES, outputs=len(student.labels))
    route_missing_values(model.graph, trees)
    finish_tree_graph(model.graph, student, PROBABILITIES)
    return model


def _network_graph(student: Any, features: int) -> ModelProto:
    torch = require("torch")
    network, task = student.network, getattr(student.form, "task", "multiclass")
    last, output = _LAST.get(task, ("Softmax", PROBABILITIES))
    if type(network) is torch.nn.Sequential and all(type(layer) in (torch.nn.Linear, torch.nn.ReLU) for layer in network):
        return _layers_graph(list(network), features, last=last, output=output)
    require("onnxscript")
    from tutelage.core import torch_runtime

    ends = {"Softmax": [torch.nn.Softmax(dim=-1)], "Sigmoid": [torch.nn.Sigmoid()], "": []}
    whole = torch.nn.Sequential(network, *ends[last])
    with torch_runtime.evaluating(whole), _quiet():
        program = torch.onnx.export(
            whole,
            (torch.zeros(2, features),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[output],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
        )
    model: ModelProto = program.model_proto
    # The exporter records source lines and local paths on every node; they must not end up in an exported file.
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    return model


def _layers_graph(layers: list[Any], features: int, *, last: str, output: str) -> ModelProto:
    """A plain network of Linear and ReLU layers, written directly: loading torch's exporter takes seconds."""
    chain, width = Chain(INPUT), features
    for layer in layers:
        if not hasattr(layer, "weight"):
            chain.then("Relu")
            continue
        weights = layer.weight.detach().cpu().numpy()
        if weights.shape[1] != width:
            raise BadInput(
                f"a layer of the network takes {weights.shape[1]} inputs and would get {width}. Pass rows with the columns of its training."
            )
        width = len(weights)
        others = [] if layer.bias is None else [chain.constant(layer.bias.detach().cpu().numpy())]
        chain.then("Gemm", chain.constant(weights), *others, transB=1)
    if last == "Softmax":
        chain.then(last, axis=-1)
    elif last:
        chain.then(last)
    return chain.model(output, inputs=INPUT, features=features, width=width)


def _estimator_graph(estimator: Any, features: int, output: str, *, outputs: int) -> ModelProto:
    skl2onnx = require("skl2onnx")
    columns = skl2onnx.common.data_types.FloatTensorType([None, features])
    model: ModelProto = skl2onnx.to_onnx(estimator, initial_types=[(INPUT, columns)])
    _rename_output(model, output)
    # skl2onnx declares a single column even for a multi-output tree.
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = outputs
    return model


def _rename_output(model: ModelProto, name: str) -> None:
    old = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [name if out == old else out for out in node.output]
    model.graph.output[0].name = name


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the messages of torch's exporter about optional packages and its own deprecations."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.onnx._internal.exporter._registration", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def thresholds_of(student: Any) -> list[tuple[int, np.float32]]:
    """(feature, threshold) of every split of a tree or forest student, as float32; empty for other students."""
    if hasattr(student, "network"):
        return []
    model = student.student_[-1] if isinstance(student, TrainedStudent) else student
    splits: list[tuple[int, np.float32]] = []
    for tree in trees_in(model):
        inner = (tree.children_left != -1) & np.isfinite(tree.threshold)  # a threshold of inf separates missing from present values
        splits += zip(tree.feature[inner].tolist(), tree.threshold[inner].astype(np.float32), strict=True)
    return splits
