"""A student as the comparison asks it: its columns, its answers and its decisions on rows of numbers and texts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import is_frame
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, require
from tutelage.data import cells as convert
from tutelage.data.days import DAY
from tutelage.data.rows import as_rows
from tutelage.data.schema import Schema, columns_of, select_columns, table_of
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.subject.student_answers import Answers, ask_rows, check_width, column_names, form_of, named_columns
from tutelage.exporters.subject.threshold import student_to_write
from tutelage.students.cascade import Guarantee
from tutelage.students.columns import Numbers

LAST_DAY = 1e6
"""Days after 1970 beyond which no date is written: in the year 4707."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A fitted student and how its rows look.

    Attributes:
        student: the student.
        form: the form of its answers.
        inputs: the columns that it was fitted on; empty for rows of another shape than (rows, columns).
        row_shape: shape of the numbers of a row.
        container: what it takes: an "array", a pandas "frame", or a "list" of texts.
        guarantee: of the threshold below which it leaves rows to a teacher; None if it answers all rows.
        given_rows: the rows of check_on as they were given, in a frame or an array; None where `given` gives them back as they are.
    """

    student: Any
    form: AnswerForm
    inputs: tuple[Input, ...]
    row_shape: tuple[int, ...]
    container: str
    guarantee: Guarantee | None = None
    given_rows: Any = None

    def answers(self, rows: CheckRows) -> Answers:
        """The student's answers and decisions.

        Raises:
            BadInput: it refuses the rows.
        """
        return ask_rows(self.student, self.form, self.given(rows), rows.numbers)

    def given(self, rows: CheckRows) -> Any:
        """The rows in the container that the student takes."""
        if self.container == "array":
            return rows.numbers
        if self.container == "list":
            return ["" if text is None else text for text in rows.texts[:, 0].tolist()]
        pandas = require("pandas")
        columns, number, text = {}, 0, 0
        for one in self.inputs:
            if one.kind == "text":
                cells = [np.nan if cell is None else cell for cell in rows.texts[:, text].tolist()]
                columns[one.name] = pandas.Series(cells, dtype=object)  # texts of pandas hold no half of a character
                text += 1
            else:
                columns[one.name] = _as_type(rows.numbers[:, number], one.type)
                number += 1
        return pandas.DataFrame(columns)

    def in_double(self) -> Subject | None:
        """The same with a copy of the student whose torch network computes in double precision; None if it has no such network."""
        if _network_of(self.student) is None:
            return None
        try:
            student = copy.deepcopy(self.student)
            _network_of(student).double()
        except FOREIGN:  # whatever the code of the network raises
            return None
        return replace(self, student=student)

    def exact(self, rows: CheckRows) -> CheckRows:
        """The rows as the student can be given them: dates and durations to the microsecond."""
        places = [place for place, one in enumerate(one for one in self.inputs if one.kind == "number") if one.type in ("date", "duration")]
        if not places:
            return rows
        numbers = rows.numbers.copy()
        days = numbers[:, places]
        days[~(np.abs(days) <= LAST_DAY)] = np.nan
        numbers[:, places] = np.round(days * DAY) / DAY
        return CheckRows(numbers, rows.texts)


def _network_of(student: Any) -> Any:
    """The torch network of a student, or of the last step of one with steps; None if it has none."""
    last = getattr(student, "student_", student)
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    return getattr(last, "network", getattr(last, "network_", None))


def subject_of(student: Any, check_on: Any) -> tuple[Subject, CheckRows]:
    """A student and the rows to compare on.

    Args:
        student: fitted, as `check_student` accepts it; of a cascade, its student is the subject.
        check_on: whatever `as_rows` takes; a frame's columns are matched by name to those that the student was fitted on.

    Raises:
        BadInput: columns that the student lacks, or cells of another type; or the student of a cascade may answer no row. ShapeError: no
            rows, no (rows, ...) array, or another number of columns.
    """
    student, guarantee = student_to_write(student)
    subject, rows = _opened(student, check_on)
    return replace(subject, guarantee=guarantee), rows


def _opened(student: Any, check_on: Any) -> tuple[Subject, CheckRows]:
    source = as_rows(check_on)
    given = table_of(source.part(0, source.count))
    if isinstance(given, list | tuple) and given and isinstance(given[0], str):
        given = np.array(given, dtype=object)
    if getattr(given, "ndim", 0) == 1 and len(given) and isinstance(given[0], str):
        rows = CheckRows(np.empty((len(given), 0)), np.asarray(given, dtype=object)[:, None])
        return _subject(student, (Input(None, "text", "text"),), rows, "list"), rows
    if is_frame(given):
        return _of_frame(student, given)
    given = as_given = given.toarray() if hasattr(given, "toarray") else np.asarray(given)
    if given.dtype.kind not in "biuf":
        given = _array_of_numbers(given)
    if given.ndim < 2 or 0 in given.shape:
        raise ShapeError(f"check_on has shape {given.shape}; expected (rows, ...), with at least one row and one column.")
    rows = CheckRows.of_numbers(given if hasattr(student, "network") else given.astype(np.float64))
    given_rows = None if as_given.dtype == rows.numbers.dtype else as_given
    if given.ndim == 2:
        check_width(student, given.shape[1])
    names = column_names(student) or (None,) * given.shape[1]
    inputs = tuple(map(Input, names)) if given.ndim == 2 else ()
    return _subject(student, inputs, rows, "frame" if hasattr(student, "feature_names_in_") else "array", given_rows), rows


def _subject(student: Any, inputs: tuple[Input, ...], rows: CheckRows, container: str, given_rows: Any = None) -> Subject:
    subject = Subject(student, AnswerForm("values", "regression"), inputs, rows.numbers.shape[1:], container, given_rows=given_rows)
    return replace(subject, form=form_of(student, subject.given(rows[:1])))


def _of_frame(student: Any, frame: Any) -> tuple[Subject, CheckRows]:
    names = column_names(student)
    frame = named_columns(frame, names) if names else frame
    check_width(student, len(frame.columns))
    schema = getattr(student, "schema", None)
    columns = (schema if isinstance(schema, Schema) else Schema.of(frame)).columns
    inputs: list[Input] = []
    numbers: list[NDArray[Any]] = []
    texts: list[NDArray[Any]] = []
    told_apart = False  # whether a student may tell apart cells that a file does not
    for place, (column, name, cells) in enumerate(zip(columns, frame.columns, columns_of(frame), strict=True)):
        where = f"column {str(name)!r} of check_on"
        values = convert.cells_of(cells, exact=True)
        kept = str(name) if names else None
        told_apart |= values.dtype.kind == "f" and values.dtype != np.float64
        told_apart |= convert.beyond_exact(values)
        told_apart |= values.dtype == object and (column.type not in ("text", "category") or any(cell is None for cell in values.tolist()))
        if column.type in ("text", "category") and not _numeric_levels(values):
            inputs.append(Input(kept, "text", column.type))
            try:
                found = convert.texts(values, where)
            except BadInput as error:  # which quotes a cell
                raise BadInput(f"{where} holds cells of another type than the student expects; expected texts.") from error
            texts.append(np.array([None if convert.is_missing(cell) else str(cell) for cell in found.tolist()], dtype=object))
        else:
            inputs.append(Input(kept, "number", column.type))
            numbers.append(_as_numbers(values, column.type, where, partial(select_columns, frame, [place])))
    count = len(frame)
    if not count or not inputs:
        raise ShapeError(f"check_on has {count} rows and {len(inputs)} columns; expected at least one row and one column.")
    rows = CheckRows(
        np.column_stack(numbers) if numbers else np.empty((count, 0)),
        np.column_stack(texts) if texts else np.empty((count, 0), dtype=object),
    )
    only_text = getattr(student, "text", False) or (not names and not numbers and len(texts) == 1)
    keeps_frame = hasattr(student, "feature_names_in_") or bool(texts) or hasattr(student, "schema")
    container = "list" if only_text else "frame" if keeps_frame and names else "array"
    given_rows = None if only_text or hasattr(student, "network") or not told_apart else frame
    subject = _subject(student, tuple(inputs), rows, container, given_rows)
    return subject, subject.exact(rows)


def _array_of_numbers(given: NDArray[Any]) -> NDArray[Any]:
    try:
        return convert.numbers(given.reshape(len(given), -1).ravel(), "").reshape(given.shape)
    except BadInput as error:  # which quotes a cell
        raise BadInput("check_on holds values that are no numbers; expected numbers, or a frame whose columns have names.") from error


def _numeric_levels(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "biuf" or not any(isinstance(cell, str) for cell in values.ravel().tolist())


def _as_numbers(cells: NDArray[Any], kind: str, where: str, column: Callable[[], Any]) -> NDArray[np.float64]:
    """The cells of a column as numbers, those of dates, durations and truth values by the column itself."""
    try:
        if kind in ("date", "duration", "boolean"):
            return Numbers().transform(column())[:, 0]
        return np.asarray(convert.numbers(cells.ravel(), ""), dtype=np.float64)
    except BadInput as error:
        raise BadInput(f"{where} holds cells of another type than the student expects; expected {kind}s.") from error


def _as_type(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """A column as the student takes it."""
    if kind not in ("date", "duration"):
        return values
    ticks = np.where(np.isnan(values), 0, np.round(values * DAY)).astype(np.int64)
    times = ticks.view("datetime64[us]" if kind == "date" else "timedelta64[us]")
    times[np.isnan(values)] = np.datetime64("NaT") if kind == "date" else np.timedelta64("NaT")
    return times
