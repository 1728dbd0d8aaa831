"""Rows as a fitted model takes them, their number, and its errors in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ShapeError, TutelageError, one_line, require
from tutelage.data.cells import cells_of
from tutelage.data.schema import columns_of, is_frame, places_by_number, select_columns, table_of


def row_count(rows: Any) -> int:
    """Number of rows.

    Raises:
        ShapeError: no rows.
        BadInput: a single value, which has no length.
    """
    shape = getattr(rows, "shape", None)
    if shape == () or (shape is None and not hasattr(rows, "__len__")):
        raise BadInput(f"got a single {type(rows).__name__} as rows; expected an array, a frame, a sparse matrix or a list.")
    count = len(rows) if shape is None else int(shape[0])
    if count == 0:
        raise ShapeError("there are no rows to answer; give at least one.")
    return count


@contextmanager
def errors_as_bad_input(model_name: str) -> Iterator[None]:
    """Re-raise any error of a third-party model as BadInput, with one line of its message. Errors of tutelage pass through.

    Raises:
        BadInput: names the model and quotes its error.
    """
    try:
        yield
    except TutelageError:
        raise
    except Exception as error:  # the libraries share no base class of errors
        raise BadInput(f"{model_name} cannot take these rows ({one_line(error)}).") from error


def matrix_of(rows: Any) -> Any:
    """Rows for a model that was fitted on a matrix: a frame loses its names, and columns named 0, 1, ... are sorted by number."""
    rows = table_of(rows)
    if not is_frame(rows):
        return rows
    frame = select_columns(rows, places_by_number([str(name) for name in rows.columns]))
    columns = [cells_of(column) for column in columns_of(frame)]
    return np.column_stack(columns) if all(column.dtype.kind in "biuf" for column in columns) else frame.to_numpy()


def frame_or_texts(rows: Any) -> Any:
    """Rows for a model that does not store what it was fitted on: a frame as it is, but one column of texts as a list of texts."""
    rows = table_of(rows)
    if is_frame(rows) and rows.shape[1] == 1 and all(isinstance(text, str) for text in rows.to_numpy().flat):
        return [str(text) for text in rows.to_numpy().flat]
    return rows


def refuse_dates(rows: Any) -> None:
    """Refuse rows of dates alone for a model that takes numbers; a mixture of dates and numbers has no common dtype anyway.

    Raises:
        BadInput: every column holds dates or durations.
    """
    if not hasattr(rows, "shape") or hasattr(rows, "tocsr"):
        return
    columns = columns_of(rows) if is_frame(rows) else [rows]
    if all(cells_of(column[:1]).dtype.kind in "mM" for column in columns):
        raise BadInput("the rows hold dates, and the model learnt numbers; convert them to the numbers that it learnt.")


def texts_of(rows: Any) -> list[str]:
    """Rows for a model that takes one text per row, from a list, an array, a Series or a frame of one column.

    Raises:
        BadInput: more columns, or a cell that is no text.
    """
    rows = table_of(rows)
    columns = columns_of(rows) if is_frame(rows) or getattr(rows, "ndim", 1) == 2 else [rows]
    if len(columns) != 1:
        raise BadInput(f"the teacher takes one text per row; the rows have {len(columns)} columns. Pass the column of texts.")
    cells = list(columns[0])
    wrong = next((row for row, cell in enumerate(cells) if not isinstance(cell, str)), None)
    if wrong is not None:
        raise BadInput(f"the teacher takes one text per row; row {wrong} is {cells[wrong]!r}. Leave it out, or pass an empty text.")
    return [str(cell) for cell in cells]


def with_column_names(rows: Any, names: Sequence[str] | None) -> Any:
    """A matrix as a pandas frame with a model's column names; anything else unchanged."""
    if names is None or not isinstance(rows, np.ndarray) or rows.ndim != 2:
        return rows
    return require("pandas").DataFrame(rows, columns=list(names))
