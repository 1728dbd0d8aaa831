"""A process that times the file of a network of several inputs: each call has some rows, padded to the longest of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import require
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.targets.timed_process import PYTHON_LOOP
from tutelage.teachers.adapters.onnx_inputs import typed

_TIMED = (
    PYTHON_LOOP
    + """
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
names = [one.name for one in session.get_inputs()]
with np.load(sys.argv[2]) as stored:
    arrays = [stored[f"array_{place}"] for place in range(len(names))]
    lengths = [stored[f"lengths_{place}"] if f"lengths_{place}" in stored else None for place in range(len(names))]
def feeds(start, rows):
    some = slice(start, start + rows)
    longest = [None if every is None else max(int(every[some].max()), 1) for every in lengths]
    return {n: a[some] if most is None else a[some, :most] for n, a, most in zip(names, arrays, longest)}
serve(lambda start, rows: session.run(None, feeds(start, rows)), len(arrays[0]))
"""
)


def timing_command(path: Path, rows: StructuredRows, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it.

    Args:
        path: the file.
        rows: that it is asked.
        folder: for the rows.
    """
    session = require("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    stored: dict[str, NDArray[Any]] = {}
    for place, (graph_input, name) in enumerate(zip(session.get_inputs(), rows.fields, strict=True)):
        stored[f"array_{place}"] = typed(rows.padded_field(name), graph_input)
        field = rows.fields[name]
        if isinstance(field, Ragged):
            stored[f"lengths_{place}"] = field.lengths
    np.savez(folder / "rows.npz", **stored)  # type: ignore[arg-type]
    return [sys.executable, "-W", "ignore", "-c", _TIMED, str(path), str(folder / "rows.npz")]
