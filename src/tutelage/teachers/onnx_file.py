"""An ONNX file as a teacher. The graph is run by onnxruntime; nothing else in the file is executed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, shown, two_columns
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, DamagedFile, ShapeError, require
from tutelage.teachers.function import declared_form
from tutelage.teachers.inputs import is_frame

if TYPE_CHECKING:
    from tutelage.teachers.adapt import Declared

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}
_PROBABILITIES = ("probabilities", "output_probability", "probability", "scores_probabilities")


@dataclass(frozen=True, eq=False)
class OnnxTeacher:
    """Asks a graph.

    Attributes:
        session: of onnxruntime.
        form: what the numbers are.
        output: the name of the output that holds them.
        fingerprint: SHA-256 of the file.
    """

    session: Any
    form: AnswerForm
    output: str
    fingerprint: str

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs).

        Args:
            inputs: (rows, ...) for a graph with one input, in any dtype; for a graph with an input a column, a frame
                whose columns have the inputs' names.

        Raises:
            BadInput: rows that the graph cannot take.
        """
        rows = len(inputs) if not hasattr(inputs, "tocsr") else inputs.shape[0]
        feeds = self._feeds(inputs)
        fixed = self.session.get_inputs()[0].shape[:1]
        step = fixed[0] if fixed and isinstance(fixed[0], int) and fixed[0] > 0 else rows
        said = np.concatenate([self._run(feeds, start, min(start + step, rows), step) for start in range(0, rows, step)])
        if self.form.task == "binary" and (said.ndim == 1 or said.shape[1:] == (1,)):
            said = two_columns(said, self.form.kind)
        return self.form.check(said if said.ndim > 1 else said[:, None], rows, "the ONNX file's answers")

    def _run(self, feeds: dict[str, Any], start: int, stop: int, step: int) -> Floats:
        """The answers to a part; a graph of a fixed batch gets the last row again to fill it up."""
        part = {name: values[np.minimum(np.arange(start, start + step), stop - 1)] for name, values in feeds.items()}
        try:
            (said,) = self.session.run([self.output], part)
        except Exception as error:  # onnxruntime raises classes of its own that share no base
            raise BadInput(f"the ONNX file cannot take these rows ({_first_line(error)}).") from error
        if isinstance(said, list):  # a ZipMap's mappings from class to probability
            said = np.array([[mapping[label] for label in self.form.classes] for mapping in said], dtype=np.float32)
        answers: Floats = np.asarray(said)[: stop - start]
        return answers

    def _feeds(self, inputs: Any) -> dict[str, Any]:
        wanted = self.session.get_inputs()
        if len(wanted) == 1:
            dense = inputs.toarray() if hasattr(inputs, "toarray") else inputs.to_numpy() if is_frame(inputs) else inputs
            return {wanted[0].name: _typed(dense, wanted[0])}
        if not is_frame(inputs):
            raise BadInput(f"the ONNX file takes the columns {shown(tuple(one.name for one in wanted))}; pass a frame that has them.")
        lacking = [one.name for one in wanted if one.name not in list(inputs.columns)]
        if lacking:
            raise BadInput(
                f"the rows lack the columns {shown(tuple(lacking))} that the ONNX file takes; they have {shown(tuple(inputs.columns))}."
            )
        return {one.name: _typed(inputs[one.name].to_numpy().reshape(-1, 1), one) for one in wanted}


def _typed(values: Any, wanted: Any) -> Any:
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if wanted.type not in _DTYPES:
        raise BadInput(f"the ONNX file takes {wanted.type} for {wanted.name!r}; only numbers, truth values and texts can be given.")
    if len(wanted.shape) == 2 and array.ndim == 1:
        array = array.reshape(-1, 1)
    try:
        return array.astype(object if wanted.type == "tensor(string)" else _DTYPES[wanted.type])
    except (TypeError, ValueError) as error:
        raise BadInput(f"the ONNX file takes {wanted.type} for {wanted.name!r}; the rows hold {array.dtype}.") from error


def onnx_teacher(source: Path | str | bytes, declared: Declared) -> OnnxTeacher:
    """A teacher from an ONNX file, as `as_teacher` makes it.

    Raises:
        BadInput: no such file, or kind or classes that the graph does not hold and the caller did not declare.
        DamagedFile: not a graph that can be run.
    """
    content = source if isinstance(source, bytes) else _read(Path(source))
    runtime = require("onnxruntime")
    try:
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        graph = require("onnx").load_from_string(content).graph
    except Exception as error:  # as above
        raise DamagedFile(f"{_called(source)} is not an ONNX graph that can be run ({_first_line(error)}).") from error
    labels = _class_labels(graph)
    output = _answers_of(session, declared, known=labels is not None)
    form = _form(session, output, labels, declared)
    return OnnxTeacher(session, form, output, f"onnx:{hashlib.sha256(content).hexdigest()}")


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the ONNX file.")
    return path.read_bytes()


def _called(source: Path | str | bytes) -> str:
    return "the given bytes" if isinstance(source, bytes) else str(source)


def _class_labels(graph: Any) -> tuple[Any, ...] | None:
    """The labels that a classifier's node carries; None if no node does."""
    names = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in names and (attribute.strings or attribute.ints):
                return tuple(text.decode() for text in attribute.strings) or tuple(attribute.ints)
    return None


def _answers_of(session: Any, declared: Declared, *, known: bool) -> str:
    """Which output holds the answers."""
    outputs = session.get_outputs()
    named = [one.name for one in outputs if one.name in _PROBABILITIES or one.type.startswith("seq(map")]
    if named:
        return str(named[0])
    numbers = [one.name for one in outputs if one.type in ("tensor(float)", "tensor(double)", "tensor(float16)")]
    if len(numbers) == 1 or (numbers and known):
        return str(numbers[-1])
    if len(numbers) > 1:
        raise BadInput(f"the ONNX file has several outputs of numbers, {shown(tuple(numbers))}; keep only the one with the answers.")
    raise ShapeError(f"the ONNX file has no output of numbers, only {shown(tuple(one.name for one in outputs))}.")


def _form(session: Any, output: str, labels: tuple[Any, ...] | None, declared: Declared) -> AnswerForm:
    of = next(one for one in session.get_outputs() if one.name == output)
    sure = output in _PROBABILITIES or of.type.startswith("seq(map")
    if labels is None or not sure:
        classes = declared.classes or labels
        return declared_form(type(declared)(classes, declared.kind, declared.task), of="this ONNX file")
    if declared.classes is not None and tuple(declared.classes) != labels:
        raise BadInput(f"the ONNX file names its classes {shown(labels)}: leave classes= out, and rename with relabelled().")
    if declared.kind not in (None, "probabilities"):
        raise BadInput("the ONNX file's classifier answers probabilities: leave kind= out.")
    return of_classes("probabilities", labels)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
