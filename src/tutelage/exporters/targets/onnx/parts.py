"""Parts that other libraries wrote in ONNX, in the version of the operators that the file has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tutelage.core.errors import BadInput, require
from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, Graph, Value

if TYPE_CHECKING:
    from onnx import ModelProto


def part(graph: Graph, operation: op.OnnxPart, x: Value, *, half: bool = False) -> Value:
    """The result of a part.

    Args:
        graph: the graph so far.
        operation: the part.
        x: its input.
        half: whether a network computes in half precision.

    Raises:
        BadInput: the part does not exist in the version that was asked for.
    """
    model = _in_version(operation, graph.opset)
    if operation.estimator is None and half:
        model = _in_half(model)
    x = graph.cast(x, model.graph.input[0].type.tensor_type.elem_type)
    return Value(graph.absorb(model, x, operation.output), FLOAT if operation.single else DOUBLE, operation.to)


def opset_of(operation: op.OnnxPart) -> int:
    """The version of the operators of a part."""
    return int(next(one.version for one in operation.model.opset_import if one.domain == ""))


def _in_version(operation: op.OnnxPart, opset: int) -> Any:
    written = opset_of(operation)
    if written == opset:
        return operation.model
    from onnx import version_converter

    try:
        return version_converter.convert_version(operation.model, opset)
    except Exception as error:  # whatever the converter raises
        raise BadInput(
            f"target_opset is {opset}; {operation.name} is written in version {written} by another library, and has no other form. "
            "Pass that, or leave target_opset out."
        ) from error


def _in_half(model: ModelProto) -> Any:
    require("onnxruntime")
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copied = type(model)()
    copied.CopyFrom(model)
    return convert_float_to_float16(copied, keep_io_types=True)
