"""An ONNX file as a teacher. The graph is run by onnxruntime; nothing else in the file is executed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm, shown
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, DamagedFile, one_line, require
from tutelage.teachers.inputs import for_model, is_frame, refusing, row_count

if TYPE_CHECKING:
    from tutelage.teachers.adapters.declared import Declared

_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
    **{f"tensor({sign}int{bits})": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_PROBABILITIES = ("probabilities", "output_probability", "probability", "scores_probabilities")


@dataclass(frozen=True, eq=False)
class OnnxTeacher:
    """Asks a graph.

    Attributes:
        session: of onnxruntime.
        form: what the numbers are.
        output: the name of the output that holds them.
        fingerprint: SHA-256 of the file, and of the files beside it that hold its weights.
        of_classifier: whether a classifier's own node gave the labels; its scores of two classes may be [-f, f].
    """

    session: Any
    form: AnswerForm
    output: str
    fingerprint: str
    of_classifier: bool = False

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs).

        Args:
            inputs: (rows, ...) for a graph with one input, in any dtype; for a graph with an input a column, a frame
                whose columns have the inputs' names.

        Raises:
            BadInput: rows that the graph cannot take.
        """
        rows = row_count(inputs)
        feeds = self._feeds(inputs)
        fixed = self.session.get_inputs()[0].shape[:1]
        step = fixed[0] if fixed and isinstance(fixed[0], int) and fixed[0] > 0 else rows
        with refusing("the ONNX file"):
            said = np.concatenate([self._run(feeds, start, min(start + step, rows), step) for start in range(0, rows, step)])
        if self.of_classifier and self.form.kind == "logits" and said.shape[1:] == (2,) and np.array_equal(said[:, 0], -said[:, 1]):
            said = said[:, 1]  # f is the log odds; [-f, f] would double them
        return self.form.take(said, rows, "the ONNX file's answers")

    def _run(self, feeds: dict[str, Any], start: int, stop: int, step: int) -> Floats:
        """The answers to a part; a graph of a fixed batch gets the last row again to fill it up."""
        lacking = start + step - stop
        part = {name: values[start:stop] for name, values in feeds.items()}
        if lacking:
            part = {name: np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)]) for name, values in part.items()}
        (said,) = self.session.run([self.output], part)
        if isinstance(said, list):  # a ZipMap's mappings from class to probability
            said = np.array([[mapping[label] for label in self.form.classes] for mapping in said], dtype=np.float32)
        answers: Floats = np.asarray(said)[: stop - start]
        return answers

    def _feeds(self, inputs: Any) -> dict[str, Any]:
        wanted = self.session.get_inputs()
        if len(wanted) == 1:
            dense = inputs.toarray() if hasattr(inputs, "toarray") else for_model(inputs, None)
            return {wanted[0].name: _typed(dense, wanted[0])}
        names = [one.name for one in wanted]
        if not is_frame(inputs):
            raise BadInput(f"the ONNX file takes the columns {shown(tuple(names))}; pass a frame that has them.")
        frame = for_model(inputs, names)
        return {one.name: _typed(frame[one.name].to_numpy(), one) for one in wanted}


def _typed(values: Any, wanted: Any) -> Any:
    if wanted.type not in _DTYPES:
        raise BadInput(f"the ONNX file takes {wanted.type} for {wanted.name!r}; only numbers, truth values and texts can be given.")
    array = np.asarray(values)
    if len(wanted.shape) == 2 and array.ndim == 1:
        array = array.reshape(-1, 1)
    kind = np.dtype(_DTYPES[wanted.type])
    try:
        if kind.kind in "iub" and not np.array_equal(array, typed := array.astype(np.float64).astype(kind)):
            raise ValueError(f"such as {array[array != typed][0]!r}")
        return array.astype(kind, copy=False)
    except (TypeError, ValueError, RuntimeWarning) as error:
        raise BadInput(f"the ONNX file takes {wanted.type} for {wanted.name!r}; the rows hold other {array.dtype} ({error}).") from error


def onnx_teacher(source: Path | str | bytes, declared: Declared) -> OnnxTeacher:
    """A teacher from an ONNX file, as `as_teacher` makes it.

    Raises:
        BadInput: no such file, or kind or classes that the graph does not hold and the caller did not declare.
        DamagedFile: not a graph that can be run.
    """
    runtime, onnx = require("onnxruntime"), require("onnx")
    content = source if isinstance(source, bytes) else _read(Path(source))
    try:
        model = onnx.load_from_string(content)
        beside = _files_beside(model.graph)
        quiet = runtime.SessionOptions()
        quiet.log_severity_level = 3  # errors only
        # By its path where weights lie beside it: onnxruntime finds them, and none outside the file's folder.
        place = str(source) if beside and not isinstance(source, bytes) else content
        session = runtime.InferenceSession(place, quiet, providers=["CPUExecutionProvider"])
    except Exception as error:  # protobuf's and onnxruntime's errors share no root
        raise DamagedFile(f"{_called(source)} is not an ONNX graph that can be run ({one_line(error)}).") from error
    digest = hashlib.sha256(content)
    for name in beside:
        digest.update((Path(str(source)).parent / name).read_bytes())
    labels = _class_labels(model.graph)
    output = _answers_of(session, known=labels is not None)
    form = _form(session, output, labels, declared)
    return OnnxTeacher(session, form, output, f"onnx:{digest.hexdigest()}", labels is not None)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the ONNX file.")
    return path.read_bytes()


def _called(source: Path | str | bytes) -> str:
    return "what the given bytes hold" if isinstance(source, bytes) else str(source)


def _files_beside(graph: Any) -> list[str]:
    """Names of the files that hold weights for this one."""
    return sorted({entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"})


def _class_labels(graph: Any) -> tuple[Any, ...] | None:
    """The labels that the classifier's node carries; None if no output comes from such a node.

    Nodes further inside do not count: the parts of an ensemble have labels of their own, such as 0, 1, 2.
    """
    makers = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type in ("Identity", "Cast"):
            node = makers.get(node.input[0])
        for attribute in () if node is None else node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints") and (
                attribute.strings or attribute.ints
            ):
                return tuple(text.decode() for text in attribute.strings) or tuple(attribute.ints)
    return None


def _answers_of(session: Any, *, known: bool) -> str:
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
    raise BadInput(f"the ONNX file has no output of numbers, only {shown(tuple(one.name for one in outputs))}.")


def _form(session: Any, output: str, labels: tuple[Any, ...] | None, declared: Declared) -> AnswerForm:
    of = next(one for one in session.get_outputs() if one.name == output)
    if labels is not None:
        if declared.classes not in (None, labels):
            raise BadInput(f"the ONNX file names its classes {shown(labels)}: leave classes= out, and rename with relabelled().")
        declared = replace(declared, classes=labels)
        if output in _PROBABILITIES or of.type.startswith("seq(map"):
            declared = replace(declared, kind=declared.kind or "probabilities")
    return declared.form(of="this ONNX file")
