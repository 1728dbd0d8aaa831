"""Whoever knows, by the name that somebody typed: a model file, module:object, recorded answers, or a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.answer_kinds import KINDS, Task
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, TutelageError, one_line
from tutelage.data.table_file import TableFile
from tutelage.softlabels.folder import LabelFolder, open_labels
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.logs import read_answers
from tutelage.softlabels.options import LOGGED_KINDS, LoggedKind, Repeated, Rest
from tutelage.teachers.inputs import errors_as_bad_input
from tutelage.teachers.open import open_teacher

LOGS = (".parquet", ".csv", ".jsonl")
SAMPLE_ROWS = 1000
"""Rows that tell which columns a recording was made with."""


@dataclass(frozen=True)
class SourceOptions:
    """What is told of a teacher that cannot say it itself.

    Attributes:
        trust: as for `open_teacher`.
        classes: the label of each answer, in order.
        kind: what the numbers are.
        task: what they are about.
        answers: of a log, the columns that hold the answers.
        content: of a log, the columns that hold the rows themselves. Without them a line is about the row of the data
            in the same place, or with the same `id_column`.
        id_column: a column of both the log and the data.
        rest, repeated, smoothing: of a log, as for `read_answers`.
    """

    trust: bool = False
    classes: tuple[Any, ...] | None = None
    kind: LoggedKind | None = None
    task: Task | None = None
    answers: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    id_column: str | None = None
    rest: Rest | None = None
    repeated: Repeated | None = None
    smoothing: float | None = None

    def refuse(self, *names: str, of: str) -> None:
        """Refuse what was told and has no use.

        Raises:
            BadInput: names it.
        """
        for name in names:
            if getattr(self, name) not in (None, ()):
                raise BadInput(f"{of} has no use for {name.removesuffix('_column')}=; leave it out.")


OF_A_LOG = ("answers", "content", "id_column", "rest", "repeated", "smoothing")


def open_answers(name: str, data: TableFile, options: SourceOptions) -> Teacher:
    """Open a teacher, a recording or a log.

    Args:
        name: as for `open_teacher`; or a folder that `record` made; or a .parquet, .csv or .jsonl file of answers.
        data: the rows that it will be asked about; those of a log that does not hold its rows.
        options: what the user declared of it.

    Raises:
        BadInput: it cannot be opened, or something is missing or has no use; as `open_teacher`, `open_labels` and
            `read_answers`, also for DamagedFile, LabelMismatch and MissingExtra.
    """
    path = Path(name)
    if path.is_dir():
        options.refuse("classes", "kind", "task", *OF_A_LOG, of=f"the recording {name}")
        return open_labels(path)
    if path.suffix in LOGS:
        return _log(path, data, options)
    options.refuse(*OF_A_LOG, of=f"the teacher {name}")
    if options.kind is not None and options.kind not in KINDS:
        raise BadInput(f"{options.kind} are what a log of answers holds; the kind of {name} is one of {', '.join(KINDS)}.")
    try:
        teacher = open_teacher(name, trust=options.trust, classes=options.classes, kind=options.kind, task=options.task)
        return NamedTeacher(teacher, name, teacher.form, teacher.fingerprint)
    except (TutelageError, OSError):
        raise
    except Exception as error:  # a module, or a file that fools its reader: whatever it raises is about what was named
        raise BadInput(f"{name} cannot be opened as a teacher ({type(error).__name__}: {one_line(error)}).") from error


def _log(path: Path, data: TableFile, options: SourceOptions) -> SoftLabels:
    if options.kind is None:
        raise BadInput(f"{path} is a log of answers and cannot say what its numbers are: pass kind= as one of {', '.join(LOGGED_KINDS)}.")
    if not options.answers:
        raise BadInput(f"{path} is a log: pass answers=, the column (or columns) that hold the answers.")
    if options.content and options.id_column is not None:
        raise BadInput("a line is told either by its content or by its id; pass content= or id=, not both.")
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
        **{name: value for name in ("rest", "repeated", "smoothing") if (value := getattr(options, name)) is not None},
    )


@dataclass(frozen=True, eq=False)
class NamedTeacher:
    """A teacher that may be anyone's code, whose failures say who could not answer what.

    Attributes:
        asked: the teacher.
        name: what it was called.
        form, fingerprint: its own.
    """

    asked: Teacher
    name: str
    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Floats:
        """(rows, columns), as `form` says.

        Raises:
            BadInput: the teacher failed, whatever it raised.
        """
        with errors_as_bad_input(self.name):
            return self.asked.answer(inputs)


def columns_known_to(teacher: Teacher, data: TableFile) -> tuple[str, ...]:
    """The columns by which this teacher knows the rows; none where they have no names.

    Kept answers are found by the content of a row, and the recording may have been made with other columns than those
    chosen now. So the choice is taken whose rows it holds; any other teacher is shown the chosen columns.
    """
    if not isinstance(teacher, LabelFolder | SoftLabels):
        return data.features
    kept = teacher.labels if isinstance(teacher, LabelFolder) else teacher
    most, best = -1.0, data.features
    for names in data.choices():
        rows = data.rows_of(names)
        share = kept.share_known(rows.part(0, min(rows.count, SAMPLE_ROWS)))
        if share > most:
            most, best = share, names
        if share == 1:
            break
    return best


@dataclass(frozen=True, eq=False)
class ColumnTeacher:
    """A teacher that is shown some columns of wider rows.

    Attributes:
        asked: the teacher.
        columns: those that it is shown, in order.
        text: whether the one column is shown as texts.
        form, fingerprint: its own.
    """

    asked: Teacher
    columns: tuple[str, ...]
    text: bool
    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Floats:
        """(rows, columns), as `form` says.

        Args:
            inputs: a frame with these columns and others.
        """
        shown_columns = inputs[list(self.columns)]
        return self.asked.answer(list(shown_columns[self.columns[0]]) if self.text else shown_columns)
