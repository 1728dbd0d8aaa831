"""A program as an ONNX model that says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.arrays import Integers
from tutelage.core.errors import BadInput, require, shown
from tutelage.core.stored.checksums import onnx_with_checksum
from tutelage.data.schema import Column, Schema, listed
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.targets.job import NOT_FINITE, Booleans, Job
from tutelage.exporters.targets.onnx import columns, forest, functions, layers, parts, words
from tutelage.exporters.targets.onnx.columns import Row
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, HALF, NEWEST, OLDEST, OPSET, Graph, Value
from tutelage.exporters.targets.onnx.labels import outputs_of
from tutelage.exporters.targets.onnx.runtime import OnnxRuntime, timing_command
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription

if TYPE_CHECKING:
    from onnx import ModelProto

PRECISIONS = ("half", "int8", "int8-dynamic")
_WEIGHTED = (op.Dense, op.Convolution)
_SUMMING = (*_WEIGHTED, op.OnnxPart)


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The model, by file name.

    A table with columns of texts has one input a column, (rows, 1), by the name of the column; other rows have one input `inputs`. A
    classifier has the outputs `probabilities` at temperature 1 and `label`, a regressor `prediction`; the student of a cascade has
    `deferred` besides, (rows,) of truth values.

    Args:
        job: what to write.
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: the program has an operation, or the settings have a precision or a version, that a runtime does not have.
        MissingExtra: onnx or onnxruntime is not installed.
    """
    require("onnx")
    job.settings.check("ONNX", PRECISIONS)
    _check_weights(job)
    try:
        return _written(job, header)
    except UnicodeEncodeError as error:  # the name of a class or a column, a category or a word
        raise BadInput(f"{shown(error.object)} is no valid Unicode text, and cannot be written in ONNX.") from None


def _written(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    in_integers = job.settings.precision in ("int8", "int8-dynamic")
    refused = _refused(job) if in_integers else {}
    model = model_of(job.program, job.settings.precision, job.settings.target_opset, refused)
    _check_empty_texts(job)
    if in_integers:
        from tutelage.exporters.targets.onnx.quantise import quantised

        model = quantised(model, job)
    _describe(model, job, header)
    return {f"{job.stem}.onnx": onnx_with_checksum(model)}


def _refused(job: Job) -> dict[int, tuple[Booleans, ...]]:
    """Where integers would hide numbers that the student refuses, or answers with none.

    Returns:
        By step whose result enters the first weighted sums, for each number of `NOT_FINITE`: the numbers of the result in which it is
        refused. Of the row itself these are the cells in which the student refuses it; of other results all, if it refuses a row of them.
    """
    found: dict[int, tuple[Booleans, ...]] = {}
    for source in sorted(set(_before_weights(job.program))):
        shape, cells = job.program.steps[source].shape, _cells_of(job.program, source)
        if cells is None:
            gaps, infinities = job.refuses(np.nan), job.refuses(np.inf) or job.refuses(-np.inf)
            found[source] = tuple(np.full(shape, refused) for refused in (gaps, infinities, infinities))
        else:
            found[source] = tuple(job.refused_cells(value).reshape(-1)[cells].reshape(shape) for value in NOT_FINITE)
    return {source: refused for source, refused in found.items() if any(each.any() for each in refused)}


def _cells_of(program: Program, place: int) -> Integers | None:
    """The positions of a step's numbers among those of the row; None if they are others."""
    operation = program.steps[place].operation
    if isinstance(operation, op.Reshape):
        return _cells_of(program, program.steps[place].sources[0])
    if not isinstance(operation, op.Numbers):
        return None
    return np.arange(int(np.prod(operation.row_shape))) if operation.places is None else np.array(operation.places, dtype=np.intp)


def model_of(
    program: Program,
    precision: str | None = None,
    target_opset: int | None = None,
    refused: Mapping[int, Sequence[Booleans]] = MappingProxyType({}),
) -> ModelProto:
    """A program as a model without a description.

    Args:
        program: what is written.
        precision: of its numbers.
        target_opset: version of the operators.
        refused: as `_refused`: numbers that the student does not answer. Rows where they enter a weighted sum get NaN.
    """
    part_opsets = [parts.opset_of(step.operation) for step in program.steps if isinstance(step.operation, op.OnnxPart)]
    opset = max([OPSET, *part_opsets]) if target_opset is None else target_opset
    if not OLDEST <= opset <= NEWEST:
        raise BadInput(f"target_opset is {opset}; expected {OLDEST} to {NEWEST}, or none for {OPSET} or what the student needs.")
    in_single = precision is not None or (program.single and np.dtype(program.dtype) != np.float64)
    row = Row.of(program)
    graph = Graph(
        opset,
        work=FLOAT if in_single else DOUBLE,
        layers=HALF if precision == "half" else None,
        gemm=not str(precision).startswith("int8"),
        taken=row.names,
    )
    values: list[Value] = []
    for step in program.steps:
        operation, summing = step.operation, isinstance(step.operation, _SUMMING)
        sources = [_apart(graph, values[each]) if summing and each in refused else values[each] for each in step.sources]
        if operation.reads_row:
            value = _READERS[type(operation)](graph, row, operation)
        elif isinstance(operation, op.OnnxPart):
            value = parts.part(graph, operation, *sources, half=precision == "half")
        elif step is program.steps[-1] and isinstance(operation, op.TreeSum) and forest.decides_in_single(operation.trees, program.form):
            value = forest.single_tree(graph, operation, *sources)
        else:
            value = _OPERATIONS[type(operation)](graph, operation, *sources)
        values.append(Value(value.name, value.kind, step.shape))
    inputs = {name: (one.kind, ["rows", *one.shape]) for name, one in row.inputs.items()}
    answers = layers.without_numbers(graph, values[-1], [(values[source], each) for source, each in refused.items()])
    return graph.model(inputs, outputs_of(graph, program.form, answers, program.threshold))


def _apart(graph: Graph, value: Value) -> Value:
    """A value under another name: the tool that quantises rounds a result for all that read it."""
    return replace(value, name=graph.node("Identity", value.name))


def _before_weights(program: Program) -> Iterator[int]:
    """The steps whose results enter the first weighted sums."""
    behind: list[bool] = []  # whether a step is one of them, or comes after
    for step in program.steps:
        weighted = isinstance(step.operation, _SUMMING)
        if weighted:
            yield from (source for source in step.sources if not behind[source])
        behind.append(weighted or any(behind[source] for source in step.sources))


_READERS: dict[type[op.Operation], Callable[[Graph, Row, Any], Value]] = {
    op.Numbers: columns.numbers,
    op.Category: columns.category,
    op.Terms: words.terms,
    op.Constant: columns.constant,
}
_OPERATIONS: dict[type[op.Operation], Callable[..., Value]] = {
    op.Select: columns.select,
    op.Join: columns.join,
    op.FillGaps: columns.fill_gaps,
    op.Arithmetic: columns.arithmetic,
    op.Clip: columns.clip,
    op.OneHot: columns.one_hot,
    op.TreeSum: forest.tree_sum,
    op.Dense: layers.dense,
    op.Apply: functions.apply,
    op.Softmax: functions.softmax,
    op.Largest: functions.largest,
    op.BothClasses: functions.both_classes,
    op.Convolution: layers.convolution,
    op.Pooling: layers.pooling,
    op.ChannelNorm: layers.channel_norm,
    op.LayerNorm: layers.layer_norm,
    op.Reshape: layers.reshape,
}
"""How each operation is written, from the values of its sources."""


def _check_weights(job: Job) -> None:
    """Refuse to round a student that has no weighted sums."""
    weighted = any(
        isinstance(step.operation, _WEIGHTED) or (isinstance(step.operation, op.OnnxPart) and step.operation.estimator is None)
        for step in job.program.steps
    )
    if job.settings.precision is not None and not weighted:
        raise BadInput(
            f"precision is {job.settings.precision!r}, and this student has no weighted sums that could be rounded: trees compare numbers. "
            "Leave precision out."
        )


def _misread(program: Program) -> dict[str, int]:
    """The columns whose empty texts the student tells from missing ones: each name with the position of its texts."""
    names = [str(one.name) for one in program.inputs if one.kind == "text"]
    operations = [step.operation for step in program.steps]
    return {names[one.place]: one.place for one in operations if isinstance(one, op.Category) and one.of_text and not one.empty_is_missing}


def _check_empty_texts(job: Job) -> None:
    """Refuse rows that a file would read otherwise."""
    found = [name for name, place in _misread(job.program).items() if (job.rows.texts[:, place] == "").any()]
    if found:
        raise BadInput(
            f"column {found[0]!r} of check_on has empty texts, which an ONNX file reads as missing and this student as unseen categories. "
            "Leave those rows out and give the file none like them, or export to another format."
        )


def _describe(model: ModelProto, job: Job, header: Sequence[str]) -> None:
    model.producer_name, model.producer_version, model.doc_string = PRODUCER, "", "\n".join(header)
    program = job.program
    if misread := _misread(program):
        model.doc_string += f"\nEmpty texts are read as missing ones, unlike by the student: give it none in {listed(list(misread))}."
    schema = Schema(tuple(Column(one.name, one.type) for one in program.inputs)) if program.inputs else None
    del model.metadata_props[:]
    cascade = None if program.guarantee is None else asdict(program.guarantee)
    row_by_row = job.settings.precision == "int8-dynamic"  # ranges are measured over all rows of a run
    described = FileDescription(program.form, schema, cascade, program.levels, row_by_row).to_metadata()
    if job.proofs:
        described["parity"] = json.dumps(asdict(job.proofs[0]))
    if job.drops:
        described["drop"] = json.dumps(asdict(job.drops[0]))
    for key, value in described.items():
        model.metadata_props.add(key=key, value=value)


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: onnxruntime on this machine.

    Raises:
        MissingExtra: it is not installed.
    """
    return [OnnxRuntime(f"onnxruntime {require('onnxruntime').__version__}")]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file, where it is that of single precision."""
    return float(np.finfo(np.float32).eps) if any(_in_single(step.operation) for step in job.program.steps) else 0.0


def _in_single(operation: op.Operation) -> bool:
    """Whether a runtime has an operation in single precision only."""
    if isinstance(operation, op.OnnxPart):
        return operation.single
    return isinstance(operation, op.Apply) and operation.function == "gelu"


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    return timing_command(path, job, folder)
