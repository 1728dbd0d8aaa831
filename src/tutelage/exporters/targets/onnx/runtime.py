"""An exported ONNX file, run with onnxruntime."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import DamagedFile, one_line, require
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.onnx.labels import DEFERRED, LABEL, label_codes
from tutelage.exporters.targets.timed_process import PYTHON_LOOP
from tutelage.teachers.adapters.onnx_metadata import asked_row_by_row
from tutelage.teachers.adapters.onnx_runs import parts_of

_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class OnnxStudent:
    """An exported file, run with onnxruntime on one thread.

    Attributes:
        session: the onnxruntime InferenceSession.
        row_by_row: whether each row is asked alone, as the file says of itself.
    """

    session: Any
    row_by_row: bool = False

    @classmethod
    def load(cls, path: Path | str | bytes) -> OnnxStudent:
        """Open a file, or its content.

        Raises:
            DamagedFile: the file is not an ONNX model.
            MissingExtra: onnxruntime is not installed.
        """
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no public base class
            name = "the content" if isinstance(path, bytes) else path
            raise DamagedFile(f"{name} is not an ONNX model that onnxruntime can run ({one_line(error)}).") from error
        return cls(session, asked_row_by_row(session.get_modelmeta().custom_metadata_map))

    def answer(self, rows: NDArray[Any]) -> NDArray[Any]:
        """(rows, ...) numbers -> (rows, classes) probabilities, or (rows, outputs) values."""
        (taken,) = self.session.get_inputs()
        answers: NDArray[Any] = self._outputs({taken.name: _typed(rows, taken)}, len(rows))[0]
        return answers

    def answers(self, program: Program, rows: CheckRows) -> Answers:
        """The answers and the decisions of the file of a program."""
        ran = self._outputs(feeds_of(self.session, program, rows), len(rows))
        outputs = dict(zip((one.name for one in self.session.get_outputs()), ran, strict=True))
        values = np.asarray(ran[0], dtype=np.float64)
        labels = label_codes(program.form, outputs[LABEL]) if LABEL in outputs else None
        return Answers(values, labels, outputs.get(DEFERRED))

    def _outputs(self, feeds: Mapping[str, NDArray[Any]], count: int) -> list[NDArray[Any]]:
        """All outputs of the graph for all rows."""
        parts = [self.session.run(None, part) for part in parts_of(feeds, count, most=1 if self.row_by_row else None)]
        return parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts, strict=True)]


def feeds_of(session: Any, program: Program, rows: CheckRows) -> dict[str, NDArray[Any]]:
    """Rows as the inputs of a session take them: a missing text is an empty one."""
    inputs = session.get_inputs()
    if not program.texts:
        return {inputs[0].name: _typed(rows.numbers, inputs[0])}
    texts = np.array(["" if cell is None else cell for cell in rows.texts.ravel()], dtype=object).reshape(rows.texts.shape)
    feeds, number, text = {}, 0, 0
    for one, taken in zip(program.inputs, inputs, strict=True):
        if one.kind == "text":
            feeds[taken.name] = texts[:, text : text + 1]
            text += 1
        else:
            feeds[taken.name] = _typed(rows.numbers[:, number : number + 1], taken)
            number += 1
    return feeds


def _typed(rows: NDArray[Any], taken: Any) -> NDArray[Any]:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(rows, dtype=_DTYPES.get(taken.type, np.float32))


@dataclass
class OnnxRuntime:
    """onnxruntime on this machine; the file that was asked last stays open.

    Attributes:
        name: program and version.
        empty_is_missing: the format has no missing texts.
    """

    name: str
    empty_is_missing: bool = True
    _opened: dict[Path, OnnxStudent] = field(default_factory=dict)

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        if path not in self._opened:
            self._opened = {path: OnnxStudent.load(path)}
        return self._opened[path].answers(program, rows)


_TIMED = (
    PYTHON_LOOP
    + """
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
with np.load(sys.argv[2]) as stored:
    columns = [stored[f"arr_{place}"] for place in range(len(stored.files))]
columns = [column.astype(object) if column.dtype.kind == "U" else column for column in columns]
names = [one.name for one in session.get_inputs()]
serve(lambda start, rows: session.run(None, {n: c[start : start + rows] for n, c in zip(names, columns)}), len(columns[0]))
"""
)


def timing_command(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    feeds = feeds_of(OnnxStudent.load(path).session, job.program, job.rows)
    np.savez(folder / "rows.npz", *(column.astype(str) if column.dtype == object else column for column in feeds.values()))
    return [sys.executable, "-W", "ignore", "-c", _TIMED, str(path), str(folder / "rows.npz")]
