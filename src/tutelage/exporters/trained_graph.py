"""A trained student with numeric columns as an ONNX graph: imputation, scaling, the model, and the temperature of its answers.

Linear models and networks are computed in double precision until the last cast: float32 would lose digits where a
column is far from zero. Trees compare float32, as in scikit-learn, and are converted by skl2onnx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.answers import list_classes
from tutelage.core.errors import BadInput
from tutelage.core.stored.tree_nodes import trees_in
from tutelage.exporters.chain import DOUBLE, FLOAT, Chain
from tutelage.students.linear import SoftLogistic
from tutelage.students.mlp import SoftMLP
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.trees import SoftForest, SoftTree

if TYPE_CHECKING:
    from onnx import ModelProto

TREE_OUTPUT = "trees"
"""Name of the trees' result in a graph where further nodes follow."""


def linear_or_mlp_graph(student: TrainedStudent, features: int, *, inputs: str, output: str) -> ModelProto:
    """The graph of a student that is a linear model or a network.

    Raises:
        BadInput: its columns hold categories or texts.
    """
    columns, model = student.student_[0], student.student_[-1]
    chain = Chain(inputs)
    chain.then("Cast", to=DOUBLE)
    _prepare(chain, columns)
    if isinstance(model, SoftMLP):
        _layers(chain, model)
    else:
        _linear(chain, model, classifier=isinstance(model, SoftLogistic))
    _temper(chain, student.answer_temperature)
    chain.then("Cast", to=FLOAT)
    return chain.model(output, inputs=inputs, features=features, width=len(student.labels) or _outputs(model))


def is_linear_or_mlp(model: Any) -> bool:
    """Whether `linear_or_mlp_graph` supports this model, the last step of a trained student."""
    linear = hasattr(model, "coef_") and hasattr(model, "intercept_") and not hasattr(model, "classes_")
    return isinstance(model, SoftLogistic | SoftMLP) or linear


def tree_regressor(model: Any) -> Any | None:
    """The scikit-learn regressor inside a SoftTree or SoftForest; None for other models."""
    if isinstance(model, SoftTree):
        return model.tree_
    return model.forest_ if isinstance(model, SoftForest) else None


def route_missing_values(graph: Any, regressor: Any) -> None:
    """Route missing values as the trees do; skl2onnx omits this for multi-output trees."""
    from onnx import helper

    trees = list(trees_in(regressor))
    for node in graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
            places = zip(values["nodes_treeids"], values["nodes_nodeids"], strict=True)
            left = [int(trees[tree].missing_go_to_left[index]) for tree, index in places]
            others = [attribute for attribute in node.attribute if attribute.name != "nodes_missing_value_tracks_true"]
            del node.attribute[:]
            node.attribute.extend([*others, helper.make_attribute("nodes_missing_value_tracks_true", left)])


def finish_tree_graph(graph: Any, student: TrainedStudent, output: str) -> None:
    """Append the last steps to a graph of trees: a softmax if the trees predict logits, and the temperature of its answers."""
    chain = Chain(TREE_OUTPUT)
    if getattr(student.student_[-1], "targets", "") == "logits":
        chain.then("Softmax", axis=-1)
    _temper(chain, student.answer_temperature)
    if not chain.nodes:
        return
    for node in graph.node:
        node.output[:] = [chain.nodes[0].input[0] if name == output else name for name in node.output]
    chain.nodes[-1].output[0] = output
    graph.node.extend(chain.nodes)
    graph.initializer.extend(chain.constants)


def check_numeric_columns(columns: Any) -> None:
    """Check that all columns reach the student as numbers, in their original order.

    Raises:
        BadInput: the columns hold texts, categories or dates.
    """
    if hasattr(columns, "vocabulary_"):
        raise BadInput("a student of texts cannot be exported; expected numeric columns. Serve it from its folder.")
    for name, _, chosen in getattr(columns, "transformers_", ()):
        if name in ("categories", "dates") and len(chosen):
            raise BadInput(
                f"a student of {name} (columns {list_classes(tuple(chosen))}) cannot be exported; expected numeric columns. "
                "Serve it from its folder."
            )


def _prepare(chain: Chain, columns: Any) -> None:
    check_numeric_columns(columns)
    steps = columns.named_transformers_["numbers"].steps if hasattr(columns, "transformers_") else [("scaler", columns)]
    for _, step in steps:
        if hasattr(step, "statistics_"):
            rows, filled = chain.last, chain.constant(np.asarray(step.statistics_, dtype=np.float64))
            missing = chain.then("IsNaN")
            chain.then("Where", filled, rows, first=missing)
        elif hasattr(step, "scale_"):
            _shift_and_scale(chain, step.mean_, step.scale_)


def _shift_and_scale(chain: Chain, mean: ArrayLike, scale: ArrayLike) -> None:
    chain.then("Sub", chain.constant(np.asarray(mean, dtype=np.float64)))
    chain.then("Div", chain.constant(np.asarray(scale, dtype=np.float64)))


def _linear(chain: Chain, model: Any, *, classifier: bool) -> None:
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    intercepts = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    if classifier and weights.shape[1] == 1:  # two classes: softmax([0, f]) is the sigmoid of f
        weights, intercepts = np.hstack([np.zeros_like(weights), weights]), np.r_[0.0, intercepts]
    _layer(chain, weights, intercepts)
    if classifier:
        chain.then("Softmax", axis=-1)


def _layers(chain: Chain, model: SoftMLP) -> None:
    _shift_and_scale(chain, model.mean_, model.scale_)
    for index, (weights, intercepts) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if index:
            chain.then("Relu")
        _layer(chain, np.asarray(weights, dtype=np.float64), np.asarray(intercepts, dtype=np.float64))
    chain.then("Softmax", axis=-1)


def _layer(chain: Chain, weights: NDArray[np.float64], intercepts: NDArray[np.float64]) -> None:
    chain.then("Gemm", chain.constant(weights), chain.constant(intercepts))


def _temper(chain: Chain, temperature: float) -> None:
    """Append softmax(log p / temperature); the constant has the dtype of its other operand."""
    if temperature == 1.0:
        return
    chain.then("Log")
    chain.then("Div", chain.constant(np.asarray(temperature, dtype=np.float32 if chain.nodes[0].input[0] == TREE_OUTPUT else np.float64)))
    chain.then("Softmax", axis=-1)


def _outputs(model: Any) -> int:
    return int(np.atleast_2d(model.coef_).shape[0])
