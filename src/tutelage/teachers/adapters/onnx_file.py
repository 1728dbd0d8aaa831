"""An ONNX file as a teacher. onnxruntime runs its graph; nothing else in the file is executed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm, list_classes
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput, DamagedFile, one_line, require
from tutelage.data.cells import cells_of, numbers, texts, truth_values
from tutelage.data.schema import Column, Schema, columns_of, table_of
from tutelage.data.tables.column_types import ColumnType
from tutelage.teachers.inputs import errors_as_bad_input, matrix_of, row_count

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
    """A Teacher that runs the graph of an ONNX file. `as_teacher` builds it.

    Attributes:
        session: the onnxruntime InferenceSession.
        form: kind, task and classes of the answers.
        output: name of the output that holds the answers.
        fingerprint: SHA-256 of the file and of the external files that hold its weights.
        of_classifier: whether the labels come from a classifier node; its scores of two classes may be [-f, f].

    Example:
        >>> import tutelage as tl
        >>> from skl2onnx import to_onnx
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> X = X.astype("float32")
        >>> graph = to_onnx(LogisticRegression(max_iter=1000).fit(X, y), X[:1], options={"zipmap": False})
        >>> teacher = tl.as_teacher(graph.SerializeToString())
        >>> type(teacher) is tl.teachers.OnnxTeacher
        True
        >>> teacher.form.classes, teacher.answer(X[[0, 149]]).argmax(axis=1)
        ((0, 1, 2), array([0, 2]))
    """

    session: Any
    form: AnswerForm
    output: str
    fingerprint: str
    of_classifier: bool = False

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) or (rows, outputs).

        Args:
            inputs: (rows, ...) in any dtype for a graph with one input; for a graph with one input per column, a frame
                whose columns have the names of the inputs.

        Raises:
            BadInput: rows that the graph cannot process.
        """
        rows = row_count(inputs)
        feeds = self._feeds(inputs)
        fixed = self.session.get_inputs()[0].shape[:1]
        step = fixed[0] if fixed and isinstance(fixed[0], int) and fixed[0] > 0 else rows
        with errors_as_bad_input("the ONNX file"):
            answers = np.concatenate([self._run(feeds, start, min(start + step, rows), step) for start in range(0, rows, step)])
        symmetric = answers.shape[1:] == (2,) and np.array_equal(answers[:, 0], -answers[:, 1])
        if self.of_classifier and self.form.kind == "logits" and symmetric:
            answers = answers[:, 1]  # f is the log odds; the softmax of [-f, f] would double them
        return self.form.take(answers, rows, "the ONNX file's answers")

    def _run(self, feeds: dict[str, Any], start: int, stop: int, step: int) -> Floats:
        """The answers to a part of the rows. For a graph with a fixed batch size, the last row is repeated to fill the batch."""
        lacking = start + step - stop
        part = {name: values[start:stop] for name, values in feeds.items()}
        if lacking:
            part = {name: np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)]) for name, values in part.items()}
        (output,) = self.session.run([self.output], part)
        if isinstance(output, list):  # a ZipMap returns one mapping from class to probability for each row
            output = np.array([[mapping[label] for label in self.form.classes] for mapping in output], dtype=np.float32)
        answers: Floats = np.asarray(output)[: stop - start]
        return answers

    @property
    def schema(self) -> Schema | None:
        """The columns of a graph with one input per column: their names and types; None for a graph with a single input."""
        graph_inputs = self.session.get_inputs()
        if len(graph_inputs) == 1:
            return None
        return Schema(tuple(Column(one.name, _column_type(one.type)) for one in graph_inputs))

    def _feeds(self, inputs: Any) -> dict[str, Any]:
        graph_inputs, schema = self.session.get_inputs(), self.schema
        if schema is None:
            dense = inputs.toarray() if hasattr(inputs, "toarray") else matrix_of(inputs)
            return {graph_inputs[0].name: _typed(dense, graph_inputs[0])}
        rows = table_of(inputs)
        if not is_frame(rows):
            raise BadInput(
                f"the ONNX file takes the columns {list_classes(schema.names or ())}, and the rows have no column names; pass a frame that "
                "has these columns."
            )
        columns = columns_of(schema.select(rows))
        return {one.name: _typed(cells_of(column), one) for one, column in zip(graph_inputs, columns, strict=True)}


def _column_type(declared_type: str) -> ColumnType:
    return "text" if declared_type == "tensor(string)" else "boolean" if declared_type == "tensor(bool)" else "number"


def _typed(values: Any, graph_input: Any) -> Any:
    """The values in the type that the graph declares, converted exactly.

    Raises:
        BadInput: values that the type cannot hold.
    """
    name, declared_type = graph_input.name, graph_input.type
    if declared_type not in _DTYPES:
        raise BadInput(f"the ONNX file takes {declared_type} for {name!r}; expected a graph that takes numbers, booleans or texts.")
    array = np.asarray(values)
    if len(graph_input.shape) == 2 and array.ndim == 1:
        array = array.reshape(-1, 1)
    if declared_type == "tensor(string)":
        return _by_column(_text_cells, array, name)
    if array.dtype.kind not in "biuf":
        array = _by_column(truth_values if declared_type == "tensor(bool)" else numbers, array, name)
    with np.errstate(over="ignore", invalid="ignore"):
        typed = array.astype(_DTYPES[declared_type], copy=False)
    wrong = (np.isinf(typed) & ~np.isinf(array)) if typed.dtype.kind == "f" else (typed != array)
    if wrong.any():
        raise BadInput(
            f"the ONNX file takes {declared_type} for {name!r}; the rows hold {array.dtype} that do not fit (such as {array[wrong][0]!r})."
        )
    return typed


def _by_column(convert: Callable[[Any, str], Any], array: Any, name: str) -> Any:
    """Convert each column of cells that are not numbers; an error names the column, and its place if the input has several."""
    if array.ndim == 1:
        return convert(cells_of(array), name)
    flat = array.reshape(len(array), -1)
    places = range(flat.shape[1])
    names = [name] if len(places) == 1 else [f"{name}[{place}]" for place in places]
    return np.column_stack([convert(cells_of(flat[:, place]), names[place]) for place in places]).reshape(array.shape)


def _text_cells(cells: Any, name: str) -> Any:
    converted = texts(cells, name)
    if None in converted.tolist():  # onnxruntime would read the text "None"
        raise BadInput(
            f"column {name!r} has a missing text in row {converted.tolist().index(None)}; an ONNX graph takes texts only. Fill it."
        )
    return converted


def onnx_teacher(source: Path | str | bytes, declared: Declared) -> OnnxTeacher:
    """The teacher that `as_teacher` makes from an ONNX file.

    Raises:
        BadInput: no such file, or neither the graph nor the caller declares kind or classes.
        DamagedFile: the file is not a graph that can be run.
    """
    runtime, onnx = require("onnxruntime"), require("onnx")
    content = source if isinstance(source, bytes) else _read(Path(source))
    try:
        model = onnx.load_from_string(content)
        weight_files = _weight_files(model.graph)
        quiet = runtime.SessionOptions()
        quiet.log_severity_level = 3  # errors only
        # With external weights the path is passed: onnxruntime reads them from the file's folder, and from nowhere else.
        path_or_content = str(source) if weight_files and not isinstance(source, bytes) else content
        session = runtime.InferenceSession(path_or_content, quiet, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of protobuf and onnxruntime share no base class
        raise DamagedFile(
            f"{_name_of(source)} is not an ONNX graph that can be run ({one_line(error)}). Export the model again."
        ) from error
    digest = hashlib.sha256(content)
    for name in weight_files:
        digest.update((Path(str(source)).parent / name).read_bytes())
    labels = _class_labels(model.graph)
    output = _answer_output(session, of_classifier=labels is not None)
    form = _form(session, output, labels, declared)
    return OnnxTeacher(session, form, output, f"onnx:{digest.hexdigest()}", labels is not None)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the ONNX file.")
    return path.read_bytes()


def _name_of(source: Path | str | bytes) -> str:
    return "the content of the given bytes" if isinstance(source, bytes) else str(source)


def _weight_files(graph: Any) -> list[str]:
    """Names of the external files that hold weights of this graph."""
    return sorted({entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"})


def _class_labels(graph: Any) -> tuple[Any, ...] | None:
    """The labels that a classifier node stores; None if no output comes from such a node.

    Inner nodes do not count: the members of an ensemble have their own labels, such as 0, 1, 2.
    """
    producers = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        node = producers.get(output.name)
        while node is not None and node.op_type in ("Identity", "Cast"):
            node = producers.get(node.input[0])
        for attribute in () if node is None else node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints") and (
                attribute.strings or attribute.ints
            ):
                return tuple(text.decode() for text in attribute.strings) or tuple(attribute.ints)
    return None


def _answer_output(session: Any, *, of_classifier: bool) -> str:
    """Name of the output that holds the answers."""
    outputs = session.get_outputs()
    named = [one.name for one in outputs if one.name in _PROBABILITIES or one.type.startswith("seq(map")]
    if named:
        return str(named[0])
    numbers = [one.name for one in outputs if one.type in ("tensor(float)", "tensor(double)", "tensor(float16)")]
    if len(numbers) == 1 or (numbers and of_classifier):
        return str(numbers[-1])
    if len(numbers) > 1:
        raise BadInput(
            f"the ONNX file has several outputs of numbers, {list_classes(tuple(numbers))}, expected one; export it with the answers alone."
        )
    raise BadInput(
        f"the ONNX file has no output of numbers, only {list_classes(tuple(one.name for one in outputs))}; export it with its logits or "
        "probabilities."
    )


def _form(session: Any, output: str, labels: tuple[Any, ...] | None, declared: Declared) -> AnswerForm:
    answers = next(one for one in session.get_outputs() if one.name == output)
    if labels is not None:
        if declared.classes not in (None, labels):
            raise BadInput(
                f"classes= differs from the labels in the ONNX file, {list_classes(labels)}: leave classes= out, and rename them with "
                "relabelled()."
            )
        declared = replace(declared, classes=labels)
        if output in _PROBABILITIES or answers.type.startswith("seq(map"):
            declared = replace(declared, kind=declared.kind or "probabilities")
    return declared.form(of="this ONNX file")
