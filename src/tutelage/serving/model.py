"""The exported file of a student, opened without torch, onnx, scikit-learn and pandas, and its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.errors import BadInput, DamagedFile, one_line, require
from tutelage.core.file_systems.paths import suffix_of
from tutelage.core.stored.checksums import onnx_intact, sha256_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.deployed.drift import FILE
from tutelage.exporters.beside import check_exported
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.serving.array_rows import ArrayInput, Numbers
from tutelage.serving.row_format import RowFormat, ServedRows
from tutelage.students.saved.trained_folder import sha256_of_student
from tutelage.teachers.adapters.onnx_arrays import answers_of_arrays
from tutelage.teachers.adapters.onnx_file import DEFERRED, LABEL, check_graph, decided_in_file, gives_labels
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription
from tutelage.teachers.adapters.onnx_runs import parts_of
from tutelage.teachers.decisions import Decisions

_ARRAYS: dict[str, Numbers] = {
    "tensor(int64)": "int64",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
}
_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to rows.

    Attributes:
        values: (rows, classes) probabilities, or (rows, outputs) values.
        confidence: (rows,) the probability of the decision; NaN for values.
        deferred: (rows,) whether the student leaves the row to its teacher.
        by_teacher: (rows,) whether the teacher answered.
        decided: (rows,) column numbers or (rows, labels) of 0 and 1, what was decided by the one who answered; None: the most probable
            classes, and for values.
    """

    values: Floats
    confidence: Floats
    deferred: NDArray[np.bool_]
    by_teacher: NDArray[np.bool_]
    decided: Decisions | None = None

    @classmethod
    def of(
        cls,
        values: Floats,
        confidence: Floats | None = None,
        deferred: NDArray[np.bool_] | None = None,
        decided: Decisions | None = None,
    ) -> Answered:
        """Answers of the student, which defers none of the rows unless it is said."""
        rows = len(values)
        none = np.zeros(rows, dtype=bool)
        sure = np.full(rows, np.nan) if confidence is None else confidence
        return cls(values, sure, none if deferred is None else deferred, none, decided)

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> Answered:
        """The answers to some of the rows."""
        if start == 0 and stop == len(self):
            return self
        each = slice(start, stop)
        decided = None if self.decided is None else self.decided[each]
        return Answered(self.values[each], self.confidence[each], self.deferred[each], self.by_teacher[each], decided)

    def completed(self, taught: Mapping[int, Answered]) -> Answered:
        """These answers with those of the teacher.

        Args:
            taught: the teacher's answer to each row that it answered, by the row's position.
        """
        if not taught:
            return self
        places, given = list(taught), list(taught.values())
        values, confidence = self.values.astype(np.float64), self.confidence.astype(np.float64)
        values[places] = np.concatenate([one.values for one in given])
        confidence[places] = np.concatenate([one.confidence for one in given])
        by_teacher = np.isin(np.arange(len(self)), places)
        known = next((one.decided for one in (self, *given) if one.decided is not None), None)
        decided = None
        if known is not None:
            decided = self.decisions(several=known.ndim == 2).copy()
            decided[places] = np.concatenate([one.decisions(several=known.ndim == 2) for one in given])
        return replace(self, values=values, confidence=confidence, by_teacher=by_teacher, decided=decided)

    def widened(self, classes: int) -> Answered:
        """These answers with a probability of zero for each class that a student never saw, up to so many classes."""
        lacking = classes - self.values.shape[1]
        return self if lacking <= 0 else replace(self, values=np.pad(self.values, ((0, 0), (0, lacking))))

    def decisions(self, *, several: bool) -> Decisions:
        """What was decided, as `decided`: by default the most probable class, or of several labels those above one half."""
        if self.decided is not None:
            return self.decided
        return (self.values > 0.5).astype(np.intp) if several else self.values.argmax(axis=1)

    def finite(self) -> NDArray[np.bool_]:
        """(rows,) whether the answer is finite: numbers that are too large for a student may give NaN."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


@dataclass(frozen=True, eq=False)
class ServedFile:
    """A file of a student that answers rows.

    Attributes:
        path: of the file.
        sha256: of the file.
        session: the onnxruntime session.
        form: kind, task and classes of the answers.
        rows_as: how a row looks.
        guarantee: what was proven of the confidence at which the student answers itself; None for a student that answers every row.
        row_by_row: whether each row is asked alone, as the file says of itself.
        named: of rows of several inputs, whether the student takes them by name, or in a tuple.
    """

    path: Path
    sha256: str
    session: Any
    form: AnswerForm
    rows_as: RowFormat
    guarantee: Mapping[str, Any] | None
    row_by_row: bool = False
    named: bool = True

    @classmethod
    def open(cls, run: Path, *, threads: int = 1) -> ServedFile:
        """Open the file of a student.

        Args:
            run: the folder of a student, or an ONNX file that tutelage exported.
            threads: of onnxruntime.

        Raises:
            BadInput: no such file, one of another program, or of another student than that of the folder. DamagedFile: a file that
                has changed. MissingExtra: no onnxruntime.

        Warns:
            UserWarning: nothing says that the file in the folder of a student is of that one.
        """
        path = _file_of(run)
        content = path.read_bytes()
        session = _session(content, path, threads)
        about = session.get_modelmeta()
        if about.producer_name != PRODUCER:
            raise BadInput(f"{path} was not exported by tutelage, and does not say what its columns are; export the student with tutelage.")
        if not onnx_intact(content):
            raise DamagedFile(f"{path} was changed after tutelage exported it (its checksum differs). Export the student again.")
        check_exported(path, sha256_of_student(run) if run.is_dir() else None)
        described = FileDescription.from_metadata(about.custom_metadata_map)
        check_graph(session, described, str(path))
        rows_as = _rows_of(described, session.get_inputs(), path)
        named = described.named is not False
        return cls(path, sha256_of(path), session, described.form, rows_as, described.cascade, described.row_by_row, named)

    def answer(self, rows: ServedRows) -> Answered:
        """The answers to rows.

        Raises:
            BadInput: numbers that the graph does not take, such as ids beyond its vocabulary.
        """
        if isinstance(rows, StructuredRows):
            asked = [self.session.get_outputs()[0].name, *([DEFERRED] if self.guarantee else [])]
            found, deferred = answers_of_arrays(self.session, self.form, asked, rows)
            answers = cast(Floats, found)  # a file whose answers have positions is not served
            return Answered.of(answers, None if self.form.task == "regression" else confidence_of(answers, self.form.task), deferred)
        further = [*([LABEL] if gives_labels(self.session, self.form) else []), *([DEFERRED] if self.guarantee else [])]
        outputs = [self.session.get_outputs()[0].name, *further]
        most = 1 if self.row_by_row else None  # so that no client's answer depends on the rows of another
        with _refused_as_bad_input(rows):
            parts = [self.session.run(outputs, part) for part in parts_of(self._feeds(rows), len(rows), most=most)]
        values, *others = parts[0] if len(parts) == 1 else (np.concatenate(each) for each in zip(*parts, strict=True))
        given = dict(zip(further, map(np.asarray, others), strict=True))
        confidence = None if self.form.task == "regression" else confidence_of(values, self.form.task)
        decided = decided_in_file(self.form, given[LABEL]) if LABEL in given else None
        return Answered.of(values, confidence, given[DEFERRED].reshape(-1) if DEFERRED in given else None, decided)

    def _feeds(self, rows: CheckRows) -> dict[str, NDArray[Any]]:
        """The rows by input of the graph: a missing text is an empty one."""
        inputs = self.session.get_inputs()
        numbers = rows.numbers.astype(self.rows_as.dtype, copy=False)
        if not rows.texts.shape[1]:
            return {inputs[0].name: numbers}
        feeds, number, text = {}, 0, 0
        for one, taken in zip(self.rows_as.inputs, inputs, strict=True):
            if one.kind == "text":
                cells = [cell or "" for cell in rows.texts[:, text].tolist()]
                feeds[taken.name] = np.array(cells, dtype=object).reshape(-1, 1)
                text += 1
            else:
                feeds[taken.name] = numbers[:, number : number + 1]
                number += 1
        return feeds


@contextmanager
def _refused_as_bad_input(rows: CheckRows) -> Iterator[None]:
    """What onnxruntime says of numbers that a graph does not take, as a mistake of the client; its other errors stay what they are."""
    runtime = require("onnxruntime.capi.onnxruntime_pybind11_state")
    gaps = (runtime.Fail,) if not np.isfinite(rows.numbers).all() else ()  # an operator that takes none, such as Binarizer, fails
    try:
        yield
    except (runtime.InvalidArgument, *gaps) as error:
        raise BadInput(f"the ONNX file cannot take these rows ({one_line(error)}).") from error


def _file_of(run: Path) -> Path:
    if run.is_dir():
        if not (run / FILE).is_file():
            raise BadInput(f"{run} has no {FILE}, which is what is served; write it with tutelage export {run} {run / FILE}.")
        return run / FILE
    if not run.is_file():
        raise BadInput(f"there is no folder and no file {run}; name the folder of a student, or its ONNX file.")
    if suffix_of(run) != ".onnx":
        raise BadInput(f"{run} is no ONNX file; name the folder of a student, or its ONNX file, such as {FILE}.")
    return run


def _session(content: bytes, path: Path, threads: int) -> Any:
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors are raised, and need not be printed
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        raise DamagedFile(f"{path} is not an ONNX graph that can be run ({one_line(error)}). Export the student again.") from error


def _takes_several(graph_inputs: Sequence[Any]) -> bool:
    """Whether a row is several arrays, or one of any length."""
    return len(graph_inputs) > 1 or any(not isinstance(length, int) for length in graph_inputs[0].shape[1:])


def _array_input(graph_input: Any, path: Path) -> ArrayInput:
    kind = _ARRAYS.get(graph_input.type)
    if kind is None:
        raise DamagedFile(f"{path} takes numbers of a type that tutelage does not write. Export the student again.")
    lengths = (length if isinstance(length, int) else str(length) for length in graph_input.shape[1:])
    return ArrayInput(graph_input.name, tuple(lengths), kind)


def _rows_of(described: FileDescription, graph_inputs: Sequence[Any], path: Path) -> RowFormat:
    """How a row of a file looks, by its description and the inputs of its graph.

    Raises:
        BadInput: an answer for each position. DamagedFile: inputs that tutelage does not write.
    """
    if described.form.positions is not None:
        raise BadInput(
            f"{path} answers each of the {described.form.positions} of a row, and a server gives one answer a row; ask the file where the "
            f"rows are: tl.as_teacher({str(path)!r}).answer(rows)."
        )
    are_texts = [one.type == "tensor(string)" for one in graph_inputs]
    if described.columns is None and (described.named is not None or _takes_several(graph_inputs)):
        return RowFormat((), (), dtype="float32", arrays=tuple(_array_input(one, path) for one in graph_inputs))
    numbers = {one.type for one, is_text in zip(graph_inputs, are_texts, strict=True) if not is_text}
    dtype = _DTYPES.get(numbers.pop() if numbers else "tensor(double)")
    if dtype is None or len(numbers) > 0:
        raise DamagedFile(f"{path} takes numbers of a type that tutelage does not write. Export the student again.")
    if described.columns is None:
        shape = tuple(graph_inputs[0].shape[1:])
        if len(graph_inputs) != 1 or not all(isinstance(length, int) and length > 0 for length in shape):
            raise DamagedFile(f"{path} does not say which shape its rows have. Export the student again.")
        return RowFormat((), shape, dtype)
    columns = described.columns.columns
    kinds = are_texts if any(are_texts) else [False] * len(columns)
    found = (Input(one.name, "text" if is_text else "number", one.type) for one, is_text in zip(columns, kinds, strict=True))
    return RowFormat(tuple(found), (), dtype, described.levels)
