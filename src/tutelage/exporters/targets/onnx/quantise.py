"""Weights in 8 bits, as onnxruntime's quantisation writes them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutelage.core.errors import BadInput, require
from tutelage.exporters.program.foreign import silenced
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.onnx.runtime import OnnxStudent, feeds_of
from tutelage.teachers.adapters.onnx_runs import parts_of

if TYPE_CHECKING:
    from onnx import ModelProto

CALIBRATION_ROWS = 1000
"""Largest number of rows that the ranges of hidden numbers are measured on."""


def quantised(model: ModelProto, job: Job) -> Any:
    """A model with weights in 8 bits.

    Args:
        model: of single precision.
        job: for "int8" the ranges of hidden numbers are measured on its rows; for "int8-dynamic" a file measures them when it runs.

    Raises:
        BadInput: onnxruntime cannot quantise it. MissingExtra: onnxruntime is not installed.
    """
    tool = require("onnxruntime.quantization")
    import onnx

    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "quantised.onnx"
        try:
            if job.settings.precision == "int8":
                reader = _reader(tool, model, job)
                tool.quantize_static(_named(model), path, reader, op_types_to_quantize=["Conv", "Gemm", "MatMul"], per_channel=True)
            else:
                # The integer convolution takes no signed weights.
                kinds = {"op_types_to_quantize": ["Conv", "MatMul"], "weight_type": tool.QuantType.QUInt8}
                tool.quantize_dynamic(_named(model), path, **kinds)
            written = onnx.load(str(path))
        except Exception as error:  # whatever the tool raises
            raise BadInput(
                f"precision is {job.settings.precision!r}, and onnxruntime cannot quantise this student ({type(error).__name__}); leave "
                "precision out, or choose another."
            ) from error
    if not any(node.op_type in _OF_INTEGERS for node in written.graph.node):
        raise BadInput(
            f"precision is {job.settings.precision!r}, and onnxruntime finds no weighted sum in this student that it can quantise; leave "
            "precision out, or choose another."
        )
    return written


_OF_INTEGERS = ("DequantizeLinear", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear")


def _named(model: ModelProto) -> Any:
    """A copy in which every node has a name, by which the tool tells them apart."""
    copied = type(model)()
    copied.CopyFrom(model)
    for place, node in enumerate(copied.graph.node):
        node.name = f"node_{place}"
    return copied


def _reader(tool: Any, model: ModelProto, job: Job) -> Any:
    """The rows that ranges are measured on, as the tool asks for them."""
    session = OnnxStudent.load(model.SerializeToString()).session

    class Reader(tool.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rows = job.drawn(CALIBRATION_ROWS)
            self.parts = parts_of(feeds_of(session, job.program, rows), len(rows))

        def get_next(self) -> Any:
            return next(self.parts, None)

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice of the tool, which it gives about any model."""
    with silenced():
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(disabled)
