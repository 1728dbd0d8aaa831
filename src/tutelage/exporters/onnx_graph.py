"""A student as an ONNX model: what it computes, the labels of its decisions, and what the file says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import ShapeError, require
from tutelage.data.schema import Column, Schema
from tutelage.exporters.chain import BOOL, DOUBLE, DTYPES, FLOAT, INT64, STRING, Chain
from tutelage.exporters.program.trees import Trees
from tutelage.exporters.subject.student_answers import ask, check_student, column_names, form_of
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription

if TYPE_CHECKING:
    from onnx import ModelProto

PROBABILITIES = "probabilities"
PREDICTION = "prediction"
LABEL = "label"


@dataclass(frozen=True, eq=False)
class StudentGraph:
    """A student as an ONNX model.

    Attributes:
        model: the model.
        form: the form of its answers.
        trees: the trees that read the columns as they come.
        rounding: relative error of a weighted sum in the student; 0 if it computes none.
        dtype: of the input.
        foreign: whether skl2onnx wrote a part of it.
    """

    model: ModelProto
    form: AnswerForm
    trees: tuple[Trees, ...]
    rounding: float
    dtype: Any
    foreign: bool


def onnx_graph(student: Any, rows: NDArray[Any]) -> StudentGraph:
    """The student as an ONNX model, from `inputs` to `probabilities` (rows, classes) and `label`, or to `prediction` (rows, outputs).

    Probabilities are float32, at temperature 1; values have the precision of the student. A label is a class name, or 0 and 1 for each
    label of a multilabel student; class names of several types are written as JSON texts. The input has the type that the student reads:
    float32 for trees and most networks, float64 for weighted sums, int64 for token ids.

    Args:
        student: a TorchStudent, any student of tutelage with numeric columns, or a fitted scikit-learn estimator.
        rows: (rows, ...) some rows, of numbers.

    Raises:
        BadInput: the student cannot be exported. MissingExtra: onnx, onnxscript or skl2onnx is not installed.
    """
    require("onnx")
    check_student(student)
    form = form_of(student, rows)
    outputs = ask(student, form, rows[:1]).values.shape[1]
    trees: tuple[Trees, ...] = ()
    foreign = False
    if hasattr(student, "network"):
        chain = _network(student, form, rows)
    else:
        if rows.ndim != 2:
            raise ShapeError(f"check_on has shape {rows.shape}; expected (rows, columns).")
        from tutelage.exporters.lowering import Lowering

        graph = Lowering(rows.shape[1])
        graph.append(student)
        chain, trees, foreign = graph.chain, tuple(graph.trees), graph.foreign
    model = _finished(chain, form, rows, outputs=outputs)
    names = column_names(student) or (None,) * (rows.shape[1] if rows.ndim == 2 else 0)
    columns = Schema(tuple(Column(name, "number") for name in names)) if rows.ndim == 2 else None
    _describe(model, FileDescription(form, columns))
    return StudentGraph(model, form, trees, chain.rounding, DTYPES[chain.input_type or DOUBLE], foreign)


def _network(student: Any, form: AnswerForm, rows: NDArray[Any]) -> Chain:
    from tutelage.core import torch_runtime
    from tutelage.exporters.network_graph import append_network

    sample = torch_runtime.network_input(student.network, torch_runtime.tensor_of(rows[:1].repeat(2, axis=0)))
    chain = Chain()
    append_network(chain, student.network, student.output, sample)
    if form.task != "regression":
        chain.then("Sigmoid") if form.task == "multilabel" else chain.then("Softmax", axis=-1)
    return chain


def _finished(chain: Chain, form: AnswerForm, rows: NDArray[Any], *, outputs: int) -> ModelProto:
    if form.task == "regression":
        return chain.model({PREDICTION: (chain.last, chain.type or DOUBLE, ["rows", outputs])}, row_shape=rows.shape[1:])
    answers = chain.mark()
    kind = _append_label(chain, form)
    label, label_shape = chain.last, ["rows", outputs] if form.task == "multilabel" else ["rows"]
    chain.back(answers)
    chain.cast(FLOAT)
    named = {PROBABILITIES: (chain.last, FLOAT, ["rows", outputs]), LABEL: (label, kind, label_shape)}
    return chain.model(named, row_shape=rows.shape[1:])


def _append_label(chain: Chain, form: AnswerForm) -> int:
    """Append the decisions, which the student makes from its probabilities before they are rounded to float32; the type of a label."""
    if form.task == "multilabel":
        chain.then("Greater", chain.numbers(0.5))
        chain.then("Cast", to=INT64)
        return INT64
    labels, kind = _label_constant(form.classes)
    place = chain.then("ArgMax", axis=1, keepdims=0)
    chain.then("Gather", place, first=chain.constant(labels))
    return kind


def _label_constant(classes: tuple[Any, ...]) -> tuple[NDArray[Any], int]:
    """Class names as an array that ONNX can hold, and its type."""
    types = {type(label) for label in classes}
    if types == {str}:
        return np.array(classes, dtype=object), STRING
    if types == {bool}:
        return np.array(classes), BOOL
    if types == {int} and all(-(2**63) <= label < 2**63 for label in classes):
        return np.array(classes, dtype=np.int64), INT64
    if types == {float}:
        return np.array(classes, dtype=np.float64), DOUBLE
    return np.array([json.dumps(label) for label in classes], dtype=object), STRING


def _describe(model: ModelProto, description: FileDescription) -> None:
    model.producer_name = PRODUCER
    for key, value in description.to_metadata().items():
        model.metadata_props.add(key=key, value=value)


def label_codes(form: AnswerForm, labels: NDArray[Any]) -> NDArray[np.int64]:
    """The labels of a file as codes of the classes, or (rows, labels) of 0 and 1; -1 for what is no class."""
    if form.task == "multilabel":
        return labels.astype(np.int64)
    stored, _ = _label_constant(form.classes)
    places = {label: place for place, label in enumerate(stored.tolist())}
    return np.array([places.get(label, -1) for label in labels.tolist()], dtype=np.int64)
