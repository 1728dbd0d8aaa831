"""The decisions of a file: a name of a class for each row, or 0 and 1 for each label; and which rows it defers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import of_one_type
from tutelage.core.answers import AnswerForm
from tutelage.exporters.subject.threshold import rounded_up
from tutelage.exporters.targets.onnx.graph import BOOL, DOUBLE, DTYPES, FLOAT, INT64, STRING, Graph, Value

PROBABILITIES, LABEL, PREDICTION, DEFERRED = "probabilities", "label", "prediction", "deferred"
Outputs = dict[str, tuple[str, int, list[Any]]]


def outputs_of(graph: Graph, form: AnswerForm, answers: Value, threshold: float | None = None) -> Outputs:
    """The outputs of a graph: probabilities in single precision and labels, or values in the precision that they have.

    The labels are decided, and compared with a threshold, before the probabilities are rounded.
    """
    shape = ["rows", *answers.shape]
    if form.task == "regression":
        answers = answers if answers.kind in (FLOAT, DOUBLE) else graph.cast(answers, FLOAT)
        return {PREDICTION: (answers.name, answers.kind, shape)}
    if form.task == "multilabel":
        over = graph.node("Greater", answers.name, graph.numbers(0.5, answers.kind))
        label, kind, label_shape = graph.node("Cast", over, to=INT64), INT64, shape
    else:
        names, kind = _label_constant(form.classes)
        label, label_shape = graph.node("ArgMax", answers.name, axis=1, keepdims=0), ["rows"]
        if names.tolist() != list(range(len(names))) or kind != INT64:
            label = graph.node("Gather", graph.constant(names), label)
    deferred: Outputs = {} if threshold is None else {DEFERRED: (_deferred(graph, form, answers, threshold), BOOL, ["rows"])}
    return {PROBABILITIES: (graph.cast(answers, FLOAT).name, FLOAT, shape), LABEL: (label, kind, label_shape), **deferred}


def _deferred(graph: Graph, form: AnswerForm, answers: Value, threshold: float) -> str:
    """Whether the confidence of a row is below the threshold, or no number."""
    dtype = DTYPES[answers.kind]
    if form.task == "multilabel":
        other = graph.node("Sub", graph.numbers(1.0, answers.kind), answers.name)
        confidence = graph.reduced("ReduceMin", graph.node("Max", answers.name, other), 1)
    else:
        confidence = graph.reduced("ReduceMax", answers.name, 1)
    below = np.nextafter(dtype(rounded_up(threshold, dtype)), dtype(-np.inf))  # GreaterOrEqual is not in the oldest version
    return graph.node("Not", graph.node("Greater", confidence, graph.constant(below)))


def _label_constant(classes: tuple[Any, ...]) -> tuple[NDArray[Any], int]:
    """Class names as an array that ONNX can hold, and its type."""
    names = of_one_type(classes)
    kind = {str: STRING, bool: BOOL, int: INT64, float: DOUBLE}[type(names[0])]
    return np.array(names, dtype=object if kind == STRING else DTYPES.get(kind)), kind


def label_codes(form: AnswerForm, labels: NDArray[Any]) -> NDArray[np.int64]:
    """The labels of a file as codes of the classes, or (rows, labels) of 0 and 1; -1 for what is no class."""
    if form.task == "multilabel":
        return labels.astype(np.int64)
    stored, _ = _label_constant(form.classes)
    places = {label: place for place, label in enumerate(stored.tolist())}
    return np.array([places.get(label, -1) for label in labels.tolist()], dtype=np.int64)
