"""Export with proof: the file is compared with its student before it takes its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.arrays import as_matrix
from tutelage.core.errors import DamagedFile, ParityError, require
from tutelage.core.files import whole_file
from tutelage.core.records import Parity
from tutelage.exporters.onnx_graph import onnx_graph, thresholds_of

TOLERANCE = 1e-5
"""Largest difference allowed, relative to the larger of 1 and the answer: float32 sums in another order."""
EDGE_SPLITS = 1000


@dataclass(frozen=True)
class OnnxStudent:
    """An exported file, asked through onnxruntime on one thread."""

    session: Any

    @classmethod
    def load(cls, path: Path) -> OnnxStudent:
        """Open a file.

        Raises:
            DamagedFile: not an ONNX model. MissingExtra: onnxruntime is not installed.
        """
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return cls(runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # onnxruntime's own exceptions share no public root
            raise DamagedFile(f"{path} is not an ONNX model that onnxruntime can run ({str(error).splitlines()[0]}).") from error

    def answer(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, features) float32 -> (rows, classes) probabilities, or (rows, 1) values."""
        answers: NDArray[np.float32] = self.session.run(None, {self.session.get_inputs()[0].name: rows})[0]
        return answers


def export_onnx(student: Any, path: str | Path, *, check_on: ArrayLike) -> Parity:
    """Write a student as ONNX, after comparing the file with the student.

    Args:
        student: a TorchStudent, a SoftTree, or a fitted scikit-learn regressor.
        path: the file to write; it appears only if the comparison holds.
        check_on: (rows, features) to compare on, taken as float32. Edge rows are added to them: rows at the
            splits of a tree and at the next float32 on either side, rows of zeros, and rows a thousand times as large, where a
            difference of a network counts a thousandth: what float32 rounds away grows with what is added up.

    Returns:
        The rows compared, the worst difference, and how many decisions it changed.

    Raises:
        ParityError: the file answers differently. CannotWrite: the place cannot be written.
        BadInput: a student that cannot be exported. MissingExtra: an export package is not installed.
    """
    rows = as_matrix(np.asarray(check_on, dtype=np.float32), "check_on")
    model = onnx_graph(student, rows.shape[1])
    with whole_file(Path(path)) as draft:
        draft.write_bytes(model.SerializeToString())
        return check_parity(OnnxStudent.load(draft), student, rows)


def check_parity(file: OnnxStudent, student: Any, rows: NDArray[np.float32]) -> Parity:
    """Compare an exported file with its student on ordinary rows and edge rows.

    Raises:
        ParityError: they differ by more than the tolerance.
    """
    edges = edge_rows(student, rows)
    every = np.concatenate([rows, edges])
    ours = _answers(student, every)
    theirs = file.answer(every)
    if ours.shape != theirs.shape:
        raise ParityError(f"the exported file answers {theirs.shape}, the student {ours.shape}; nothing was written.")
    gap = np.abs(ours - theirs) / np.maximum(1, np.abs(ours))
    if hasattr(student, "network"):
        largest = np.fmax.reduce(np.abs(every), axis=1, keepdims=True)  # missing numbers aside
        gap /= np.fmax(1, largest / np.fmax(np.fmax.reduce(largest[: len(rows)], axis=None), np.float32(1e-30)))
    worst = float(gap.max())
    changed = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    parity = Parity(rows=len(rows), edge_rows=len(edges), worst_difference=worst, tolerance=TOLERANCE, decisions_changed=changed)
    if not worst <= TOLERANCE:  # also refuses NaN
        row = int(np.nanargmax(gap.max(axis=1))) if np.isfinite(gap).any() else 0
        raise ParityError(
            f"the exported file differs from its student by {worst:.3g} (allowed {TOLERANCE:g}), worst at row {row} of {len(every)}; "
            "nothing was written. Please report this with the student's file."
        )
    return parity


def edge_rows(student: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows where an export is likeliest to be wrong; see `export_onnx`."""
    plain = [np.zeros_like(rows[:1]), rows.min(axis=0, keepdims=True), rows.max(axis=0, keepdims=True), rows[:10] * np.float32(1000)]
    splits = thresholds_of(student)
    chosen = [splits[i] for i in np.linspace(0, len(splits) - 1, min(EDGE_SPLITS, len(splits)), dtype=int)] if splits else []
    for direction in (None, -np.inf, np.inf):
        for start in range(0, len(chosen), len(rows)):
            part = chosen[start : start + len(rows)]
            tied = rows[: len(part)].copy()
            for row, (feature, threshold) in zip(tied, part, strict=True):
                row[feature] = threshold if direction is None else np.nextafter(threshold, np.float32(direction))
            plain.append(tied)
    return np.concatenate(plain)


def _answers(student: Any, rows: NDArray[np.float32]) -> NDArray[Any]:
    if hasattr(student, "predict_proba") and getattr(getattr(student, "form", None), "task", "") != "regression":
        return np.asarray(student.predict_proba(rows))
    return np.asarray(student.predict(rows)).reshape(len(rows), -1)
