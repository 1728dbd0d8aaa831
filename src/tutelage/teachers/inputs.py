"""Rows as a fitted model takes them, their number, and its errors in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tutelage.core.arrays import is_frame
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, one_line, require
from tutelage.data.cells import cells_of
from tutelage.data.schema import columns_of, places_by_number, select_columns, table_of


def row_count(rows: Any) -> int:
    """Number of rows.

    Raises:
        ShapeError: no rows.
        BadInput: a single value, which has no length, or a masked array that hides cells.
    """
    shape = getattr(rows, "shape", None)
    if shape == () or (shape is None and not hasattr(rows, "__len__")):
        raise BadInput(f"got a single {type(rows).__name__} as rows; expected an array, a frame, a sparse matrix or a list.")
    if isinstance(rows, np.ma.MaskedArray) and rows.mask.any():
        raise BadInput("the rows are a masked array that hides cells, which a model would see; pass rows.filled(np.nan).")
    count = len(rows) if shape is None else int(shape[0])
    if count == 0:
        raise ShapeError("there are no rows to answer; give at least one.")
    return count


def copied_rows(rows: Any) -> Any:
    """A copy of rows, for a model that may modify its input in place; what cannot be modified is not copied.

    Example:
        >>> rows = np.zeros(2), ["a text", "another"]
        >>> copy = copied_rows(rows)
        >>> copy[0][:] = 1
        >>> copied_rows(rows)
        (array([0., 0.]), ['a text', 'another'])
    """
    if isinstance(rows, str | bytes | int | float):  # most cells of lists
        return rows
    if isinstance(rows, dict):
        return {name: copied_rows(each) for name, each in rows.items()}
    if type(rows) in (list, tuple):
        return type(rows)(copied_rows(each) for each in rows)
    copied = getattr(rows.detach() if hasattr(rows, "detach") else rows, "clone" if hasattr(rows, "clone") else "copy", None)
    return copied() if callable(copied) else rows


@contextmanager
def errors_as_bad_input(model_name: str, remedy: str = "") -> Iterator[None]:
    """Re-raise any error of a third-party model as BadInput, with one line of its message. Errors of tutelage pass through.

    Args:
        model_name: the subject of the message.
        remedy: what to do, after it.

    Raises:
        BadInput: names the model and quotes its error.
    """
    try:
        yield
    except TutelageError:
        raise
    except FOREIGN as error:  # the libraries share no base class of errors
        refused = BadInput(f"{model_name} cannot take these rows ({one_line(error)}).{remedy}")
        refused.model_at_fault = isinstance(error, SystemExit)
        raise refused from error


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


def refuse_dates(rows: Any, numbers: Collection[Any] | None = None) -> None:
    """Refuse dates for a model that takes numbers: they would become counts of some unit of time.

    Args:
        rows: a frame, or anything else that the model takes.
        numbers: the columns in which the model takes numbers, by name or position; None for all.

    Raises:
        BadInput: such a column holds dates or durations.
    """
    if is_frame(rows):
        for place, (name, column) in enumerate(zip(rows.columns, columns_of(rows), strict=True)):
            if (numbers is None or str(name) in numbers or place in numbers) and cells_of(column[:1]).dtype.kind in "mM":
                raise BadInput(
                    f"column {str(name)!r} holds dates, and the model learnt numbers there; convert it to the numbers that it learnt."
                )
    elif getattr(getattr(rows, "dtype", None), "kind", "") in ("m", "M") and numbers != set():
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
