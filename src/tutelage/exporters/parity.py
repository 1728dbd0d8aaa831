"""Export to ONNX; the file is compared with the student before it is written to its final path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, DamagedFile, ParityError, one_line, require
from tutelage.core.files import whole_file
from tutelage.core.records import Parity
from tutelage.core.stored.checksums import onnx_with_checksum
from tutelage.exporters.onnx_graph import LABEL, StudentGraph, label_codes, onnx_graph
from tutelage.exporters.proof.edges import edge_rows
from tutelage.exporters.subject.student_answers import Answers, ask, check_student, numeric_rows

TOLERANCE = 1e-5
"""Largest allowed difference, relative to the larger of 1 and the answer: float32 sums depend on their order."""
LARGEST_FACTOR = 1000
"""Rows far larger than ordinary ones may differ by up to this many times more, where weighted sums are rounded."""
BATCH = 1000
ASKED_ALONE = 50
"""Rows of a refused group that are asked one by one: a student may take some of them."""
_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class OnnxStudent:
    """An exported file, run with onnxruntime on one thread."""

    session: Any

    @classmethod
    def load(cls, path: Path | str) -> OnnxStudent:
        """Open a file.

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
            return cls(runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise DamagedFile(f"{path} is not an ONNX model that onnxruntime can run ({one_line(error)}).") from error

    def answer(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """(rows, ...) numbers -> (rows, classes) probabilities, or (rows, outputs) values."""
        answers: NDArray[np.float32] = self._run(rows)[0]
        return answers

    def answers(self, form: AnswerForm, rows: NDArray[Any]) -> Answers:
        """The answers and the decisions of the file, of this form."""
        outputs = dict(zip((one.name for one in self.session.get_outputs()), self._run(rows), strict=True))
        values = np.asarray(next(iter(outputs.values())), dtype=np.float64)
        return Answers(values, label_codes(form, outputs[LABEL]) if LABEL in outputs else None)

    def _run(self, rows: NDArray[Any]) -> list[Any]:
        (taken,) = self.session.get_inputs()
        with np.errstate(over="ignore", under="ignore"):
            cast = np.asarray(rows, dtype=_DTYPES.get(taken.type, np.float32))
        outputs: list[Any] = self.session.run(None, {taken.name: cast})
        return outputs


def export_onnx(student: Any, path: str | Path, *, check_on: Any) -> Parity:
    """Write a student as an ONNX file, after comparing the file's answers and decisions with the student's.

    The file says what it is: its metadata holds the "kind" and "task" of its answers, the "classes", the "columns" with their names and
    types, and the "parity" of the comparison, each as JSON. `as_teacher` opens it without further declarations.

    Args:
        student: a TorchStudent with inputs of any shape; any student with numeric columns (`SoftTree`, `SoftForest`, `SoftLogistic`,
            `SoftMLP`, `SoftBoosting`, `SoftTargets`, `PerLabel`), also inside `DistilledClassifier`, `DistilledRegressor` or a
            Pipeline, or trained by `tutelage train`; or a fitted scikit-learn estimator.
        path: the file to write; it is created only if the comparison succeeds.
        check_on: (rows, ...) to compare on: an array, a frame, a tensor, a Dataset or a file of rows. Edge rows are added: on every split
            of a tree and at the neighbouring numbers on either side, zeros, the minima and the maxima of the columns, rows a
            thousand times as large, and missing, infinite and extreme values; those that the student refuses are named in the result.
            Where weighted sums are rounded, the allowed difference grows with the size of a row, up to a thousand times.

    Returns:
        The number of rows compared, the worst difference, the number of changed decisions, and what the student refuses. A decision
        changes only where the student's two best classes are equal within the tolerance.

    Raises:
        ParityError: the file answers differently from the student.
        CannotWrite: the path cannot be written.
        BadInput: the student cannot be exported, or refuses the rows.
        MissingExtra: an export package is not installed.

    Example:
        >>> import tempfile
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> student = tl.SoftTree(max_leaf_nodes=4).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     parity = tl.export_onnx(student, f"{folder}/student.onnx", check_on=X)
        ...     tl.open_teacher(f"{folder}/student.onnx").form.classes
        (0, 1, 2)
        >>> parity.rows, parity.decisions_changed, parity.worst_difference < 1e-5, parity.refused
        (150, 0, True, ('infinite values',))
    """
    require("onnx")
    if not isinstance(path, str | Path):
        raise BadInput(f"path is {path!r}; expected the file to write, such as 'student.onnx'.")
    check_student(student)
    rows = numeric_rows(student, check_on)
    graph = onnx_graph(student, rows)
    with whole_file(Path(path)) as draft:
        draft.write_bytes(graph.model.SerializeToString())
        parity = check_parity(OnnxStudent.load(draft), student, graph, rows)
        graph.model.metadata_props.add(key="parity", value=json.dumps(asdict(parity)))
        draft.write_bytes(onnx_with_checksum(graph.model))
        OnnxStudent.load(draft)
    return parity


def check_parity(file: OnnxStudent, student: Any, graph: StudentGraph, rows: NDArray[Any]) -> Parity:
    """Compare an exported file with its student on ordinary rows and edge rows.

    Raises:
        ParityError: answers or decisions differ by more than the tolerance. BadInput: the student refuses the ordinary rows.
    """
    with np.errstate(all="ignore"):  # edge rows overflow, where the comparison looks
        return _parity(file, student, graph, rows)


def _parity(file: OnnxStudent, student: Any, graph: StudentGraph, rows: NDArray[Any]) -> Parity:
    typical = float(np.fmax.reduce(np.abs(rows[np.isfinite(rows)], dtype=np.float64), initial=1e-30))
    worst, changed = 0.0, 0
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        gap, differing = _compared(file, graph, part, ask(student, graph.form, part), typical, f"rows {start} to {start + len(part) - 1}")
        worst, changed = max(worst, gap), changed + differing
    edges, refused = 0, []
    for name, group in edge_rows(rows.astype(graph.dtype), graph.trees).items():
        taken = 0
        for part, answers in _answered(student, graph.form, group.astype(rows.dtype) if rows.dtype.kind == "f" else group):
            gap, differing = _compared(file, graph, part, answers, typical, f"edge rows ({name})")
            worst, changed, taken = max(worst, gap), changed + differing, taken + len(part)
        edges += taken
        if len(group) and not taken:
            refused.append(name)
    return Parity(len(rows), edges, worst, TOLERANCE, changed, tuple(refused))


def _answered(student: Any, form: AnswerForm, rows: NDArray[Any]) -> Iterator[tuple[NDArray[Any], Answers]]:
    """The rows of a group that the student answers, with finite numbers, in parts."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        try:
            yield from _finite(part, ask(student, form, part))
        except BadInput:
            for place in np.unique(np.linspace(0, len(part) - 1, min(len(part), ASKED_ALONE), dtype=int)):
                alone = part[place : place + 1]
                try:
                    answers = ask(student, form, alone)
                except BadInput:
                    continue
                yield from _finite(alone, answers)


def _finite(rows: NDArray[Any], answers: Answers) -> Iterator[tuple[NDArray[Any], Answers]]:
    finite = np.isfinite(answers.values).all(axis=1)
    if finite.any():
        yield rows[finite], Answers(answers.values[finite], None if answers.decisions is None else answers.decisions[finite])


def _compared(file: OnnxStudent, graph: StudentGraph, rows: NDArray[Any], ours: Answers, typical: float, where: str) -> tuple[float, int]:
    """The worst difference and the number of changed decisions.

    Raises:
        ParityError: they are more than rounding errors.
    """
    theirs = file.answers(graph.form, rows)
    if ours.values.shape != theirs.values.shape:
        raise ParityError(
            f"the exported file's answers have shape {theirs.values.shape} and the student's {ours.values.shape}; nothing was written. "
            "Please report this with the student's file."
        )
    gap = np.abs(ours.values - theirs.values) / np.maximum(1, np.abs(ours.values))
    gap[np.isnan(ours.values) & np.isnan(theirs.values)] = 0.0
    gap /= _factor(rows, typical, graph.rounding)[:, None]
    if not np.isfinite(gap).all():
        raise _disagreement("answers are not numbers where those of the student are", where, graph)
    if gap.max() > TOLERANCE:
        raise _disagreement(f"answers differ by {gap.max():.3g} (allowed {TOLERANCE:g})", where, graph)
    if ours.decisions is None or theirs.decisions is None:
        return float(gap.max()), 0
    if ours.decisions.shape != theirs.decisions.shape:
        raise _disagreement(f"decisions have the shape {theirs.decisions.shape}, not {ours.decisions.shape}", where, graph)
    changed = ours.decisions != theirs.decisions
    if (changed & ~_undecided(ours.values, ours.decisions, theirs.decisions, _factor(rows, typical, graph.rounding))).any():
        raise _disagreement(f"labels are not those of the student's predict in {int(changed.sum())} of {len(changed)} rows", where, graph)
    return float(gap.max()), int((changed if changed.ndim == 1 else changed.any(axis=1)).sum())


def _factor(rows: NDArray[Any], typical: float, rounding: float) -> Floats:
    """(rows,) by how much the rounding errors of a row exceed those of single precision on ordinary rows."""
    if rounding == 0:
        return np.ones(len(rows))
    largest = np.fmax.reduce(np.abs(rows.reshape(len(rows), -1), dtype=np.float64), axis=1, initial=0.0)
    factors: Floats = np.clip(largest / typical * (rounding / np.finfo(np.float32).eps), 1, LARGEST_FACTOR)
    return factors


def _undecided(values: Floats, ours: NDArray[np.int64], theirs: NDArray[np.int64], factor: Floats) -> NDArray[np.bool_]:
    """Where the student itself is undecided between both decisions, within the tolerance."""
    allowed = 2 * TOLERANCE * factor
    if ours.ndim == 2:
        return np.asarray(np.abs(values - 0.5) <= allowed[:, None])
    places = np.arange(len(values))
    return np.asarray(np.abs(values[places, ours] - values[places, theirs]) <= allowed)


def _disagreement(what: str, where: str, graph: StudentGraph) -> ParityError:
    remedy = (
        "A part of it is as skl2onnx writes it, in single precision and with another rule for gaps: use a student of tutelage."
        if graph.foreign
        else "Please report this."
    )
    return ParityError(f"the exported file differs from its student: its {what}, in {where}; nothing was written. {remedy}")
