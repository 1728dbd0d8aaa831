"""Export to ONNX; the file is compared with the student before it is written to its final path."""

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
"""Largest allowed difference, relative to the larger of 1 and the answer: float32 sums depend on their order."""
EDGE_SPLITS = 1000
"""Largest number of splits of a tree or forest that edge rows are made for."""


@dataclass(frozen=True)
class OnnxStudent:
    """An exported file, run with onnxruntime on one thread."""

    session: Any

    @classmethod
    def load(cls, path: Path) -> OnnxStudent:
        """Open a file.

        Raises:
            DamagedFile: the file is not an ONNX model.
            MissingExtra: onnxruntime is not installed.
        """
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return cls(runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise DamagedFile(f"{path} is not an ONNX model that onnxruntime can run ({str(error).splitlines()[0]}).") from error

    def answer(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, features) float32 -> (rows, classes) probabilities, or (rows, 1) values."""
        answers: NDArray[np.float32] = self.session.run(None, {self.session.get_inputs()[0].name: rows})[0]
        return answers


def export_onnx(student: Any, path: str | Path, *, check_on: ArrayLike) -> Parity:
    """Write a student as an ONNX file, after comparing the file's answers with the student's.

    Args:
        student: a TorchStudent, a SoftTree, a fitted scikit-learn regressor, or a student trained by `tutelage train`
            with numeric columns.
        path: the file to write; it is created only if the comparison succeeds.
        check_on: (rows, features) to compare on, converted to float32. Edge rows are added: rows at the splits of a tree
            and at the neighbouring float32 on either side, a row of zeros, the minima and the maxima of the features, and
            rows a thousand times as large. On the latter, a difference of a network is divided by a thousand, because the
            rounding errors of float32 grow with the numbers that are summed.

    Returns:
        The number of rows compared, the worst difference, and the number of changed decisions.

    Raises:
        ParityError: the file answers differently from the student.
        CannotWrite: the path cannot be written.
        BadInput: the student cannot be exported.
        MissingExtra: an export package is not installed.

    Example:
        >>> import tempfile
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> student = tl.SoftTree(max_leaf_nodes=4).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     parity = tl.export_onnx(student, f"{folder}/student.onnx", check_on=X)
        >>> parity.rows, parity.decisions_changed, parity.worst_difference < 1e-5
        (150, 0, True)
    """
    rows = as_matrix(np.asarray(check_on, dtype=np.float32), "check_on")
    model = onnx_graph(student, rows.shape[1])
    with whole_file(Path(path)) as draft:
        draft.write_bytes(model.SerializeToString())
        return check_parity(OnnxStudent.load(draft), student, rows)


def check_parity(file: OnnxStudent, student: Any, rows: NDArray[np.float32]) -> Parity:
    """Compare an exported file with its student on ordinary rows and edge rows.

    Raises:
        ParityError: the answers differ by more than the tolerance.
    """
    edges = edge_rows(student, rows)
    all_rows = np.concatenate([rows, edges])
    ours = _answers(student, all_rows)
    theirs = file.answer(all_rows)
    if ours.shape != theirs.shape:
        raise ParityError(
            f"the exported file's answers have shape {theirs.shape} and the student's {ours.shape}; nothing was written. "
            "Please report this with the student's file."
        )
    gap = np.abs(ours - theirs) / np.maximum(1, np.abs(ours))
    if hasattr(student, "network"):
        largest = np.fmax.reduce(np.abs(all_rows), axis=1, keepdims=True)  # fmax ignores NaN
        gap /= np.fmax(1, largest / np.fmax(np.fmax.reduce(largest[: len(rows)], axis=None), np.float32(1e-30)))
    worst = float(gap.max())
    changed = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    parity = Parity(rows=len(rows), edge_rows=len(edges), worst_difference=worst, tolerance=TOLERANCE, decisions_changed=changed)
    if not worst <= TOLERANCE:  # NaN fails too
        row = int(np.nanargmax(gap.max(axis=1))) if np.isfinite(gap).any() else 0
        raise ParityError(
            f"the exported file differs from its student by {worst:.3g} (allowed {TOLERANCE:g}), worst at row {row} of {len(all_rows)}; "
            "nothing was written. Please report this with the student's file."
        )
    return parity


def edge_rows(student: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows where an export is most likely to be wrong; see `export_onnx`."""
    parts = [np.zeros_like(rows[:1]), rows.min(axis=0, keepdims=True), rows.max(axis=0, keepdims=True), rows[:10] * np.float32(1000)]
    splits = thresholds_of(student)
    chosen = [splits[i] for i in np.linspace(0, len(splits) - 1, min(EDGE_SPLITS, len(splits)), dtype=int)] if splits else []
    for direction in (None, -np.inf, np.inf):
        for start in range(0, len(chosen), len(rows)):
            part = chosen[start : start + len(rows)]
            tied = rows[: len(part)].copy()
            for row, (feature, threshold) in zip(tied, part, strict=True):
                row[feature] = threshold if direction is None else np.nextafter(threshold, np.float32(direction))
            parts.append(tied)
    return np.concatenate(parts)


def _answers(student: Any, rows: NDArray[np.float32]) -> NDArray[Any]:
    if hasattr(student, "predict_proba") and getattr(getattr(student, "form", None), "task", "") != "regression":
        return np.asarray(student.predict_proba(rows))
    return np.asarray(student.predict(rows)).reshape(len(rows), -1)
