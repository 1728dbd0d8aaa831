"""An ONNX file as a teacher. onnxruntime runs its graph; nothing else in the file is executed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes, of_one_type
from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput, DamagedFile, NotProbabilities, TutelageError, one_line, require
from tutelage.core.file_systems.paths import check_local
from tutelage.core.position_answers import Answers
from tutelage.core.stored.checksums import onnx_intact
from tutelage.data.cells import cells_of
from tutelage.data.schema import Column, Schema, columns_of, table_of
from tutelage.data.structures.structured import is_structure
from tutelage.data.tables.column_types import ColumnType
from tutelage.teachers.adapters.declared import Declared
from tutelage.teachers.adapters.onnx_arrays import answers_of_arrays, takes_arrays
from tutelage.teachers.adapters.onnx_columns import columns_for
from tutelage.teachers.adapters.onnx_inputs import typed
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription
from tutelage.teachers.adapters.onnx_runs import runs
from tutelage.teachers.adapters.onnx_weights import digest_of, weight_files
from tutelage.teachers.decisions import Decisions
from tutelage.teachers.inputs import errors_as_bad_input, matrix_of, row_count

LABEL, DEFERRED = "label", "deferred"
"""The outputs of a file of tutelage that hold what it decides, before its probabilities are rounded to single precision, and which rows
it leaves to a teacher."""
BATCH_ROWS, BATCH_BYTES, MOST_BYTES = 1000, 1 << 24, 1 << 31
_PROBABILITIES = ("probabilities", "output_probability", "probability", "scores_probabilities")


@dataclass(frozen=True, eq=False)
class OnnxTeacher:
    """A Teacher that runs the graph of an ONNX file. `as_teacher` builds it.

    Attributes:
        session: the onnxruntime InferenceSession.
        form: kind, task and classes of the answers.
        output: name of the output that holds the answers, or the first of those of `by_class`.
        fingerprint: SHA-256 of the file and of the external files that hold its weights.
        columns: the columns of the rows, where the file names them: a file of tutelage does.
        of_classifier: whether the labels come from a classifier node; its scores of two classes may be [-f, f].
        has_threshold: whether the file says which rows it leaves to a teacher: that of a cascade does.
        source: the file, or its content.
        declared: what the caller said that the file does not store.
        by_class: names of the outputs of a file with one for each class; empty for one output of them all.
        row_by_row: whether each row is asked alone: a file of tutelage says so if its answers depend on the other rows.
        has_label: whether the file says what it decides: one of tutelage does.

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
    columns: Schema | None = None
    of_classifier: bool = False
    has_threshold: bool = False
    source: Path | bytes = b""
    declared: Declared = field(default_factory=Declared)
    by_class: tuple[str, ...] = ()
    row_by_row: bool = False
    has_label: bool = False

    def answer(self, inputs: Any) -> Answers:
        """(rows, classes) or (rows, outputs); `PositionAnswers` of a form with positions.

        Args:
            inputs: (rows, ...) in any dtype for a graph with one input; for a graph with one input per column, a frame
                whose columns have the names of the inputs; for a graph of several arrays, a mapping by their names, or a tuple.

        Raises:
            BadInput: rows that the graph cannot process, or a graph that takes more rows at a time than memory holds.
        """
        if is_structure(inputs) or self.form.positions is not None:
            return answers_of_arrays(self.session, self.form, [self.output], inputs)[0]
        (answers,) = self._outputs(inputs, [self.output])
        return answers

    def decide(self, inputs: Any) -> Any:
        """What a file of tutelage decides: (rows,) class names or (rows, labels) of 0 and 1, of answers that are not rounded yet.

        Args:
            inputs: as for `answer`.

        Returns:
            None for another file, whose decisions are its most probable classes, and for values.

        Raises:
            BadInput: as `answer`.
        """
        decided = self.answer_and_decide(inputs)[1] if self.has_label else None
        several = decided is None or self.form.task == "multilabel"
        return decided if several else label_array(self.form.classes)[decided]

    def answer_and_decide(self, inputs: Any) -> tuple[Floats, Decisions | None, NDArray[np.bool_] | None]:
        """The answers, what a file of tutelage decides, and (rows,) which rows it leaves to a teacher.

        Args:
            inputs: as for `answer`.

        Returns:
            The decisions are (rows,) columns or (rows, labels) of 0 and 1; None where the file does not say. The rows that it leaves are
            None for a file without a threshold.

        Raises:
            BadInput: as `answer`. DamagedFile: the file decides on something else than its classes.
        """
        further = [name for name, given in ((LABEL, self.has_label), (DEFERRED, self.has_threshold)) if given]
        if not further:
            return cast("Floats", self.answer(inputs)), None, None  # a student in a folder has one for each row
        if is_structure(inputs) and not self.has_label:  # which the file of a network of several inputs has not
            answers, deferred = answers_of_arrays(self.session, self.form, [self.output, *further], inputs)
            return cast("Floats", answers), None, deferred
        answers, *others = self._outputs(inputs, [self.output, *further])
        found = dict(zip(further, others, strict=True))
        decided = decided_in_file(self.form, found[LABEL]) if LABEL in found else None
        return answers, decided, found[DEFERRED].reshape(-1) if DEFERRED in found else None

    def _outputs(self, inputs: Any, names: list[str]) -> list[NDArray[Any]]:
        """The answers to all rows, and the further outputs of these names."""
        rows = row_count(inputs)
        feeds = self._feeds(inputs)
        fixed = self.session.get_inputs()[0].shape[:1]
        filled = fixed[0] if fixed and isinstance(fixed[0], int) and fixed[0] > 0 else None
        if filled is not None and filled * _row_bytes(feeds) > MOST_BYTES:
            raise BadInput(
                f"the ONNX file takes {filled:,} rows at a time, which do not fit into memory; export the model for any number of rows."
            )
        texts = [feeds[one.name] for one in self.session.get_inputs() if one.type == "tensor(string)" and filled is None]
        most = filled or (1 if self.row_by_row else _batch_rows(feeds))
        with errors_as_bad_input("the ONNX file"):
            parts = [self._run(names, feeds, part.start, part.stop, filled) for part in runs(rows, texts, most=most)]
        answers, *others = (np.concatenate(each) for each in zip(*parts, strict=True))
        symmetric = answers.shape[1:] == (2,) and np.array_equal(answers[:, 0], -answers[:, 1])
        if self.of_classifier and self.form.kind == "logits" and symmetric:
            answers = answers[:, 1]  # f is the log odds; the softmax of [-f, f] would double them
        try:
            return [self.form.take(answers, rows, "the ONNX file's answers"), *others]
        except NotProbabilities as error:
            if self.columns is not None or self.form.kind != "probabilities":
                raise
            raise NotProbabilities(
                f"{error} Where they are scores, as of a support vector machine or of an export with raw_scores, pass kind='logits'."
            ) from error

    def _run(self, names: list[str], feeds: dict[str, Any], start: int, stop: int, filled: int | None) -> list[NDArray[Any]]:
        """Outputs for a part of the rows, the answers first; a graph with a fixed batch size gets the last row again to fill it."""
        inputs = {one.name: one for one in self.session.get_inputs()}
        part = {name: values[start:stop] for name, values in feeds.items()}
        part = {name: typed(values.toarray(), inputs[name]) if hasattr(values, "toarray") else values for name, values in part.items()}
        lacking = 0 if filled is None else filled - (stop - start)
        if lacking:
            part = {name: np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)]) for name, values in part.items()}
        output, *others = self.session.run([*self.by_class, *names[1:]] if self.by_class else names, part)
        if self.by_class:
            output, others = np.column_stack([output, *others[: len(self.by_class) - 1]]), others[len(self.by_class) - 1 :]
        if isinstance(output, list):  # a ZipMap returns one mapping from class to probability for each row
            output = np.array([[mapping[label] for label in self.form.classes] for mapping in output], dtype=np.float32)
        return [np.asarray(each)[: stop - start] for each in (output, *others)]

    @property
    def schema(self) -> Schema | None:
        """The columns that the file names, or that are inputs of their own, with their types; None if it names none."""
        graph_inputs = self.session.get_inputs()
        if self.columns is not None or len(graph_inputs) == 1 or takes_arrays(self.session):
            return self.columns
        return Schema(tuple(Column(one.name, _column_type(one.type)) for one in graph_inputs))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the arrays that each row consists of; empty for a graph of one array, or of columns."""
        return tuple(one.name for one in self.session.get_inputs()) if self.columns is None and takes_arrays(self.session) else ()

    def _feeds(self, inputs: Any) -> dict[str, Any]:
        """The rows by input, in its type; a sparse matrix is made dense in parts."""
        graph_inputs = self.session.get_inputs()
        if self.columns is not None:
            columns = columns_for(self.columns, [one.type == "tensor(string)" for one in graph_inputs], inputs)
            parts = columns if isinstance(columns, list) else [columns]
            return {one.name: part if hasattr(part, "tocsr") else typed(part, one) for one, part in zip(graph_inputs, parts, strict=True)}
        if len(graph_inputs) == 1:
            rows = matrix_of(inputs)
            dense = rows.tocsr() if hasattr(rows, "tocsr") else typed(rows, graph_inputs[0])
            return {graph_inputs[0].name: dense}
        names = tuple(one.name for one in graph_inputs)
        rows = table_of(inputs)
        if takes_arrays(self.session):
            raise BadInput(f"the ONNX file takes the arrays {list_classes(names)}; pass them by name: {{{names[0]!r}: ..., ...}}.")
        if self.schema is None or not is_frame(rows):
            raise BadInput(
                f"the ONNX file takes the columns {list_classes(names)}, and the rows have no column names; pass a frame that "
                "has these columns."
            )
        columns = columns_of(self.schema.select(rows))
        return {one.name: typed(cells_of(column), one) for one, column in zip(graph_inputs, columns, strict=True)}


def _batch_rows(feeds: dict[str, Any]) -> int:
    """Rows a run: at most `BATCH_ROWS`, and fewer where they are wide, because hidden layers grow with their inputs."""
    return int(np.clip(BATCH_BYTES // _row_bytes(feeds), 1, BATCH_ROWS))


def _row_bytes(feeds: dict[str, Any]) -> int:
    return max(1, sum(8 * int(np.prod(values.shape[1:])) for values in feeds.values()))


def _column_type(declared_type: str) -> ColumnType:
    return "text" if declared_type == "tensor(string)" else "boolean" if declared_type == "tensor(bool)" else "number"


def onnx_teacher(source: Path | str | bytes, declared: Declared) -> OnnxTeacher:
    """The teacher that `as_teacher` makes from an ONNX file.

    Raises:
        BadInput: no such file, weights outside the folder of the file, or neither the graph nor the caller declares kind or classes.
        DamagedFile: the file is not a graph that can be run, or was exported by tutelage and has changed.
    """
    runtime, onnx = require("onnxruntime"), require("onnx")
    if not isinstance(source, bytes):
        check_local("teacher", source)
    path = None if isinstance(source, bytes) else Path(source)
    content = source if isinstance(source, bytes) else _read(Path(source))
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 4  # its errors are raised, and need not be printed
    try:
        model = onnx.load_from_string(content)
        if model.producer_name == PRODUCER and not onnx_intact(content):
            raise DamagedFile(
                f"{_name_of(source)} was changed after tutelage exported it (its checksum differs). Export the student again."
            )
        files = weight_files(model, path)
        # With external weights the path is passed: onnxruntime reads them from the file's folder.
        session = runtime.InferenceSession(str(source) if files else content, quiet, providers=["CPUExecutionProvider"])
    except TutelageError:
        raise
    except Exception as error:  # the errors of protobuf and onnxruntime share no base class
        raise DamagedFile(
            f"{_name_of(source)} is not an ONNX graph that can be run ({one_line(error)}). Export the model again."
        ) from error
    fingerprint, kept = f"onnx:{digest_of(content, files)}", content if path is None else path.absolute()
    if model.producer_name == PRODUCER:
        described = FileDescription.from_metadata({entry.key: entry.value for entry in model.metadata_props})
        check_graph(session, described, _name_of(source))
        output = session.get_outputs()[0].name
        form = _agreeing(described.form, declared)
        teacher = OnnxTeacher(session, form, output, fingerprint, described.columns, source=kept, declared=declared)
        has_threshold, has_label = described.cascade is not None, gives_labels(session, form)
        return replace(teacher, has_threshold=has_threshold, has_label=has_label, row_by_row=described.row_by_row)
    labels = _class_labels(model.graph)
    by_class = _outputs_of_classes(session, labels or ())
    output = by_class[0] if by_class else _answer_output(session, of_classifier=labels is not None)
    form = _form(session, output, labels, replace(declared, kind=declared.kind or "probabilities") if by_class else declared)
    of_classifier = labels is not None
    return OnnxTeacher(session, form, output, fingerprint, None, of_classifier, source=kept, declared=declared, by_class=by_class)


def gives_labels(session: Any, form: AnswerForm) -> bool:
    """Whether a file of tutelage says what it decides of each row; one of several arrays, of positions or of values does not."""
    return form.task != "regression" and form.positions is None and any(one.name == LABEL for one in session.get_outputs())


def decided_in_file(form: AnswerForm, labels: NDArray[Any]) -> Decisions:
    """What a file of tutelage decides, as the columns of its answers, or (rows, labels) of 0 and 1.

    Args:
        form: of its answers.
        labels: its output of this name.

    Raises:
        DamagedFile: something else than its classes.
    """
    if form.task == "multilabel":
        return np.asarray(labels, dtype=np.intp)
    places = {name: place for place, name in enumerate(of_one_type(form.classes))}
    codes = np.array([places.get(name, -1) for name in labels.reshape(-1).tolist()], dtype=np.intp)
    if (codes < 0).any():
        raise DamagedFile("the ONNX file decides on other classes than those that it describes. Export the student again.")
    return codes


_SHAPES = {None: (2, 1), "tokens": (3, 2), "pixels": (4, 1)}
"""By the positions of answers: the number of their axes, and which of them are the classes."""


def check_graph(session: Any, described: FileDescription, name: str) -> None:
    """Refuse a graph that does not have the inputs and outputs that its description names.

    Raises:
        DamagedFile: it does not.
    """
    form, inputs, outputs = described.form, session.get_inputs(), session.get_outputs()
    width = None if described.columns is None else len(described.columns.columns)
    by_column = any(one.type == "tensor(string)" for one in inputs)
    taken = len(inputs) if by_column else inputs[0].shape[1] if len(inputs) == 1 and len(inputs[0].shape) == 2 else None
    expected = "prediction" if form.task == "regression" else "probabilities"
    axes, column = _SHAPES[form.positions]
    answers = outputs[0].shape[column] if outputs and len(outputs[0].shape) == axes else None
    if (
        not (outputs and outputs[0].name == expected and outputs[0].type in ("tensor(float)", "tensor(double)"))
        or form.kind != ("values" if form.task == "regression" else "probabilities")
        or (width is not None and taken != width)
        or (form.task != "regression" and answers != len(form.classes))
        or (described.cascade is None) != all(one.name != DEFERRED for one in outputs)
    ):
        raise DamagedFile(f"the inputs and outputs of {name} are not those that it describes. Export the student again.")


def _agreeing(form: AnswerForm, declared: Declared) -> AnswerForm:
    """The form that a file of tutelage stores.

    Raises:
        BadInput: the caller declares another.
    """
    stored = {"kind": form.kind, "task": form.task, "classes": form.classes, "positions": form.positions}
    for name, value in stored.items():
        given = getattr(declared, name)
        if given is not None and given != value:
            raise BadInput(f"{name}= is {given!r}, but the file was exported with {value!r}: leave {name}= out.")
    return form


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the ONNX file.")
    return path.read_bytes()


def _name_of(source: Path | str | bytes) -> str:
    return "the content of the given bytes" if isinstance(source, bytes) else str(source)


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


def _outputs_of_classes(session: Any, labels: tuple[Any, ...]) -> tuple[str, ...]:
    """The outputs of a file with one for each class, as skl2onnx writes it with zipmap="columns"; empty for any other."""
    names = tuple(f"{'s' if isinstance(label, str) else 'i'}{label}" for label in labels)
    known = {one.name for one in session.get_outputs() if one.type.startswith("tensor(") and len(one.shape) == 1}
    return names if set(names) <= known else ()


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
            f"the ONNX file has several outputs of numbers, {list_classes(tuple(numbers))}, expected one; export it with the answers "
            "alone, by skl2onnx with options={id(model): {'zipmap': False}}."
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
