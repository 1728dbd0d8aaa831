"""Open a source of answers by name: a model file, module:object, a language model, a folder of recorded answers, or a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tutelage.core.answer_kinds import KINDS, Task
from tutelage.core.answers import AnswerForm, form_of_truth
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, BadInput, LabelMismatch, TutelageError, one_line
from tutelage.core.file_systems.paths import AnyPath, RemotePath, any_path
from tutelage.core.position_answers import Answers
from tutelage.data.schema import Column, Schema
from tutelage.data.table_file import TableFile
from tutelage.data.tables.found_files import table_suffix
from tutelage.softlabels.folder import LabelFolder, open_labels
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.logs import read_answers
from tutelage.softlabels.options import LOGGED_KINDS, LoggedKind, Repeated, Rest
from tutelage.teachers.decisions import own_rule
from tutelage.teachers.endpoints.chat import chat
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher
from tutelage.teachers.files.open import CHAT, language_model, names_an_object, open_teacher
from tutelage.teachers.inputs import errors_as_bad_input

SAMPLE_ROWS = 1000
"""Number of rows used to find out with which columns a recording was made."""


@dataclass(frozen=True)
class SourceOptions:
    """What the user declares about a teacher or a log that does not contain this information itself.

    Attributes:
        trust: as for `open_teacher`.
        classes: the class of each answer column, in order.
        kind: what the numbers are, such as "logits".
        task: the task, such as "multilabel".
        teacher_version: as `version` for `as_teacher`.
        answers: for a log, the columns that hold the answers.
        content: for a log, the columns that hold the rows themselves. Without them each line belongs to the row of the
            data at the same position, or with the same `id_column`.
        id_column: for a log, a column that both the log and the data have.
        rest, repeated, smoothing, mapping: for a log, as for `read_answers`.
        endpoint, key_from, votes, logprobs, max_tokens, price, budget, cache, refused: for a language model, as for `chat`.
        prompt: for a language model, the file of its prompt.
    """

    trust: bool = False
    classes: tuple[Any, ...] | None = None
    kind: LoggedKind | None = None
    task: Task | None = None
    teacher_version: str | None = None
    answers: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    id_column: str | None = None
    rest: Rest | None = None
    repeated: Repeated | None = None
    smoothing: float | None = None
    mapping: Mapping[Any, Any] = field(default_factory=dict)
    endpoint: str | None = None
    key_from: str | None = None
    prompt: Path | None = None
    votes: int | None = None
    logprobs: bool | None = None
    max_tokens: int | None = None
    price: tuple[float, float] | None = None
    budget: str | None = None
    cache: Path | None = None
    refused: Literal["error", "uniform"] | None = None

    def refuse(self, *names: str, of: str) -> None:
        """Refuse options that do not apply.

        Raises:
            BadInput: one of these options is set; the message names it.
        """
        for name in names:
            value = getattr(self, name)
            if value is not False and value not in (None, (), {}):
                raise BadInput(f"{name.removesuffix('_column')}= does not apply to {of}; leave it out.")


OF_A_LOG = ("answers", "content", "id_column", "rest", "repeated", "smoothing", "mapping")
OF_A_CHAT = ("endpoint", "key_from", "prompt", "votes", "logprobs", "max_tokens", "price", "budget", "cache", "refused")
MOST_CLASSES = 100
"""Values of the ground truth that are taken for classes where none are named."""


def open_answers(name: str, data: TableFile, options: SourceOptions) -> Teacher:
    """Open a teacher, a recording or a log.

    Args:
        name: as for `open_teacher`, with "chat:MODEL" for a language model; or a folder that `record` wrote; or a .parquet, .csv or .jsonl
            file of answers.
        data: the rows on which it will be queried; for a log without row contents, the rows to which its lines belong.
        options: what the user declares about it.

    Raises:
        BadInput: it cannot be opened, an option is missing or does not apply. Also the errors of `open_teacher`,
            `open_labels` and `read_answers`: DamagedFile, LabelMismatch and MissingExtra.
    """
    path = any_path(name)
    if name.startswith(CHAT):
        return _chat(name, data, options)
    if path.is_dir():
        options.refuse("classes", "kind", "task", "teacher_version", *OF_A_LOG, *OF_A_CHAT, of=f"the recording {name}")
        return open_labels(path)
    options.refuse(*OF_A_CHAT, of=f"{name}, which is no language model")
    if table_suffix(path):
        return _log(path, data, options)
    options.refuse(*OF_A_LOG, of=f"the teacher {name}")
    if options.kind is not None and options.kind not in KINDS:
        raise BadInput(f"kind= is {options.kind!r}, which is only for logs of answers; for {name} pass one of {', '.join(KINDS)}.")
    try:
        declared: dict[str, Any] = {name: getattr(options, name) for name in ("trust", "classes", "kind", "task")}
        teacher = open_teacher(name, **declared, version=options.teacher_version)
        if isinstance(teacher, ChatTeacher):
            return teacher
        unseen = data.drop if data.columns and data.text is None and not data.inputs and schema_read_by(teacher) is None else ()
        return NamedTeacher(teacher, name, teacher.form, unseen)  # whose errors are sentences
    except (TutelageError, OSError):
        raise
    except FOREIGN as error:  # a module or a reader may raise anything; the cause is the named object
        raise BadInput(f"{name} cannot be opened as a teacher ({type(error).__name__}: {one_line(error)}).") from error


def opened_teacher(name: str, data: AnyPath | None, options: SourceOptions) -> Teacher:
    """A teacher that answers rows like those of a file.

    Raises:
        BadInput: there is no file; and as `open_answers`.
    """
    if data is None:
        raise BadInput("a teacher answers real rows; pass data=, a file of them.")
    return open_answers(name, TableFile.open(data), options)


def cached_beside(options: SourceOptions, name: str, folder: AnyPath) -> SourceOptions:
    """The options, with a folder beside another one for the answers of a language model, unless one is named.

    Args:
        options: what the user declares about the teacher.
        name: of the teacher.
        folder: what is written.
    """
    if not name.startswith(CHAT) or options.cache is not None:
        return options
    if isinstance(folder, RemotePath):
        raise BadInput(f"the answers of {name} cannot be recorded into {folder}; record into a folder of this machine, and copy that.")
    named = folder.resolve() if folder.name in ("", "..") else folder
    return replace(options, cache=named.with_name(f"{named.name}.answers"))


def _chat(name: str, data: TableFile, options: SourceOptions) -> Teacher:
    """A language model behind an endpoint; its classes are those of the ground truth if none are named."""
    model = language_model(name)
    options.refuse("kind", "task", "teacher_version", *OF_A_LOG, of=f"the language model {name}")
    given = {option: value for option in OF_A_CHAT if (value := getattr(options, option)) is not None}
    classes = _classes_of(data, name) if options.classes is None else options.classes
    if options.prompt is not None:
        try:
            given["prompt"] = options.prompt.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise BadInput(f"prompt= names {options.prompt}, which cannot be read ({one_line(error)}); name a text file.") from error
    return chat(model, classes, **given)


def _classes_of(data: TableFile, name: str) -> tuple[Any, ...]:
    """The classes of the ground truth.

    Raises:
        BadInput: there is none, or it is no column of classes.
    """
    remedy = "pass classes=, the names that the model may answer with."
    truth = data.truth_values(gaps=True)
    if truth is None:
        raise BadInput(f"{name} does not name its classes, and no truth= says which there are; {remedy}")
    if truth.ndim > 1:
        raise BadInput(f"the ground truth has several columns, and {name} names one class for each text; {remedy}")
    classes = form_of_truth([label for label in truth.tolist() if label is not None]).classes
    if len(classes) > MOST_CLASSES:
        raise BadInput(f"the ground truth holds {len(classes):,} different values, too many for classes of {name}; {remedy}")
    return classes


def _log(path: AnyPath, data: TableFile, options: SourceOptions) -> SoftLabels:
    options.refuse("teacher_version", of=f"the log {path}")
    if options.kind is None:
        raise BadInput(f"{path} is a log of answers, which does not declare its kind; pass kind= as one of {', '.join(LOGGED_KINDS)}.")
    if not options.answers:
        raise BadInput(f"{path} is a log of answers; pass answers=, the column (or columns) that hold the answers.")
    if options.content and options.id_column is not None:
        raise BadInput("the row of a log line is identified either by its content or by its id; pass content= or id=, not both.")
    return read_answers(
        path,
        answers=options.answers[0] if len(options.answers) == 1 else options.answers,
        kind=options.kind,
        content=(options.content[0] if len(options.content) == 1 else options.content) if options.content else None,
        data=None if options.content else data.rows(),
        id_column=options.id_column,
        ids=None if options.id_column is None else data.values(options.id_column).tolist(),
        classes=options.classes,
        task=options.task,
        **{name: value for name in ("rest", "repeated", "smoothing", "mapping") if (value := getattr(options, name)) is not None},
    )


@dataclass(frozen=True, eq=False)
class NamedTeacher:
    """A teacher of arbitrary code, whose failures are reported with its name.

    Attributes:
        teacher: the teacher.
        name: the name by which it was opened.
        form: that of the teacher.
        unseen: the dropped columns, if it does not store the names of its own.
    """

    teacher: Teacher
    name: str
    form: AnswerForm
    unseen: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """That of the teacher, now."""
        return self.teacher.fingerprint

    def answer(self, inputs: Any) -> Answers:
        """(rows, columns) answers, in the form declared by `form`.

        Raises:
            BadInput: the teacher raised any exception.
        """
        with self._named_errors():
            return self.teacher.answer(inputs)

    def decide(self, inputs: Any) -> Any:
        """What the teacher decides by a rule of its own; None if it has none."""
        with self._named_errors():
            return own_rule(self.teacher)(inputs)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            with errors_as_bad_input(self.name):
                yield
        except BadInput as error:
            if self.unseen:
                error.args = (
                    f"{error} {self.name} stores no names of columns, so it is not passed those that are dropped "
                    f"({', '.join(map(repr, self.unseen))}). If it reads one of them, record its answers without drop=, "
                    "and name that recording in its place.",
                )
            raise


def for_other_processes(opened: Teacher, name: str, options: SourceOptions) -> Any:
    """A teacher as other processes get it: by its name if that is module:object and says everything, otherwise itself.

    Args:
        opened: by `open_answers`.
        name: by which it was opened.
        options: what was declared about it.
    """
    declared = (options.classes, options.kind, options.task, options.teacher_version)
    if names_an_object(name) and all(value is None for value in declared):
        return name
    return opened.teacher if isinstance(opened, NamedTeacher) else opened


def in_columns_of(teacher: Teacher | None, data: TableFile) -> TableFile:
    """The data with the columns of a teacher: none of them is taken for a row index, and those of a recording have its types.

    A model converts its rows itself. Its categories and its classes, such as NA or None, are no gaps, in the columns that it reads and in
    the ground truth. The inputs of one that takes several are those of the rows, unless others are named.

    Raises:
        BadInput: a column that does not have the type that was recorded, or an input that the file lacks.
    """
    classes = () if teacher is None else teacher.form.classes
    inputs = () if data.inputs else inputs_read_by(teacher)
    if inputs and data.names:
        return data.with_inputs(inputs).matching(None, classes)
    schema = schema_read_by(teacher)
    if schema is not None and not isinstance(teacher, LabelFolder | SoftLabels):
        schema = schema.untyped()
    return data.matching(schema, classes)


def columns_known_to(teacher: Teacher, data: TableFile) -> tuple[str, ...]:
    """The columns to pass to this teacher; empty if the columns have no names.

    A teacher that stores the names of its columns receives those, in its order, if the data has all of them, dropped ones too; any other
    teacher receives the features. Recorded answers are looked up by the content of a row: a recording receives the columns that it was
    recorded on, and one that does not name them the set of columns with which it contains the most rows. Rows of several inputs have them.

    Raises:
        LabelMismatch: a recording was made on a column that the data lacks. BadInput: the teacher reads the ground truth, or
            columns where the rows are texts.
    """
    if data.inputs:
        return data.inputs
    schema = schema_read_by(teacher)
    named = () if schema is None else schema.names or ()
    if not isinstance(teacher, LabelFolder | SoftLabels):
        if data.text is not None and schema is not None and len(schema.columns) > 1:
            read = f"the columns {', '.join(map(repr, named[:6]))}" if named else f"{len(schema.columns)} columns"
            raise BadInput(f"text= names {data.text!r}, whose texts would be the rows, and the teacher reads {read}; leave text= out.")
        return _columns_of_model(named, data)
    if named and data.columns and data.text is None:
        missing = [name for name in named if name not in data.columns]
        if missing:
            raise LabelMismatch(
                f"the answers were recorded on the column {missing[0]!r}, which {data.path} lacks. Pass rows with the columns that they "
                "were recorded on, or record again."
            )
        return named
    labels = teacher.labels if isinstance(teacher, LabelFolder) else teacher
    highest, best = -1.0, data.features
    for names in data.choices():
        rows = data.rows_of(names)
        share = labels.share_known(rows.part(0, min(rows.count, SAMPLE_ROWS)))
        if share > highest:
            highest, best = share, names
        if share == 1:
            break
    return best


def _columns_of_model(named: tuple[str, ...], data: TableFile) -> tuple[str, ...]:
    """The columns to pass to a model that stores these names."""
    if data.text is not None:
        return data.features
    underscored = {name.replace(" ", "_"): name for name in data.columns}  # LightGBM stores names so
    names = tuple(name if name in data.columns else underscored.get(name, name) for name in named)
    if not names or not set(names) <= set(data.columns):
        return data.features
    if set(names) & set(data.truth):
        raise BadInput(
            f"the teacher was fitted on rows with the column {data.truth[0]!r}, the ground truth, and expects it; fit it on rows "
            "without that column, so that it can be judged by it."
        )
    return names


def schema_read_by(teacher: Teacher | None) -> Schema | None:
    """The columns that a teacher reads or that answers were recorded on, in its order; None if it does not store them."""
    model = teacher.teacher if isinstance(teacher, NamedTeacher) else teacher
    schema: Schema | None = getattr(model, "schema", None)
    if schema is not None:
        return schema
    names = getattr(getattr(model, "estimator", None), "feature_names_in_", None)
    return None if names is None else Schema(tuple(Column(str(name), "any") for name in names))


def inputs_read_by(teacher: Teacher | None) -> tuple[str, ...]:
    """The names of the inputs of a teacher that takes several; empty for others, and for one that does not name them."""
    model = teacher.teacher if isinstance(teacher, NamedTeacher) else teacher
    return tuple(getattr(model, "inputs", ()))


@dataclass(frozen=True, eq=False)
class ColumnTeacher:
    """A teacher that receives a selection of the columns.

    Attributes:
        teacher: the teacher.
        columns: the columns passed to it, in order.
        text: whether its single column is passed as a list of texts.
        form, fingerprint: those of the teacher.
    """

    teacher: Teacher
    columns: tuple[str, ...]
    text: bool
    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Answers:
        """(rows, columns) answers, in the form declared by `form`.

        Args:
            inputs: a frame that has these columns, and possibly others; or the texts of the single column.
        """
        return self.teacher.answer(self._selected(inputs))

    def decide(self, inputs: Any) -> Any:
        """What the teacher decides by a rule of its own; None if it has none."""
        return own_rule(self.teacher)(self._selected(inputs))

    def _selected(self, inputs: Any) -> Any:
        if self.text and isinstance(inputs, list):
            return inputs
        selected = inputs[list(self.columns)]
        return list(selected[self.columns[0]]) if self.text else selected
