"""Convert rows to the input that a fitted model expects: its own columns in its own order, or a plain matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ShapeError, TutelageError, one_line, require
from tutelage.data.rows import array_of, as_rows


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


def is_frame(rows: Any) -> bool:
    """Whether rows have named columns."""
    return hasattr(rows, "columns") and hasattr(rows, "shape")


def for_model(rows: Any, names: Sequence[str] | None, *, width: int | None = None) -> Any:
    """Select the columns that a model was trained on, in its order.

    Named columns are matched by name, in any order, and columns that the model does not know are dropped. A matrix for
    a model with column names is used in the order that it has. A frame with one column of texts, for a model without
    column names, becomes a list of texts.

    Args:
        rows: an array, tensor, frame, Arrow table, sparse matrix or texts.
        names: the model's column names; None if it was trained on a matrix or texts.
        width: number of columns that a model without column names was trained on, if known.

    Raises:
        BadInput: columns are missing, or a matrix has another number of columns.
    """
    rows = _as_array_or_frame(rows)
    if is_frame(rows):
        rows = _of_frame(rows, names)
    expected = width if names is None else len(names)
    shape: tuple[int, ...] = getattr(rows, "shape", ())
    if expected is not None and len(shape) == 2 and shape[1] != expected:
        listed = "" if names is None else f": {_listed(names)}"
        raise BadInput(f"the rows have {shape[1]} columns; the teacher was trained on {expected}{listed}. Pass the same columns.")
    return rows


def with_column_names(rows: Any, names: Sequence[str] | None) -> Any:
    """A matrix as a pandas frame with a model's column names; anything else unchanged."""
    if names is None or not isinstance(rows, np.ndarray) or rows.ndim != 2:
        return rows
    return require("pandas").DataFrame(rows, columns=list(names))


def for_booster(rows: Any) -> Any:
    """A frame as pandas, with texts as categories, which boosters match by name instead of by code; anything else unchanged."""
    if not is_frame(rows):
        return rows
    frame = rows.to_pandas() if hasattr(rows, "to_pandas") else rows
    texts = [name for name, kind in frame.dtypes.items() if str(kind).startswith(("object", "str"))]
    return frame.astype(dict.fromkeys(texts, "category")) if texts else frame


def _as_array_or_frame(rows: Any) -> Any:
    """Tensors and lists of rows as arrays, Arrow tables as frames."""
    if hasattr(rows, "detach"):
        return rows.detach().cpu().numpy()
    if type(rows).__module__.startswith("pyarrow"):
        table = as_rows(rows)
        return table.part(0, table.count)
    if isinstance(rows, list | tuple) and len(rows) and not isinstance(rows[0], str):
        return array_of(rows)
    return rows


def _of_frame(rows: Any, names: Sequence[str] | None) -> Any:
    present = [str(name) for name in rows.columns]
    if names is None:
        cells = rows.to_numpy()
        texts = len(present) == 1 and cells.dtype.kind in "OUT" and all(isinstance(text, str) for text in cells.flat)
        return [str(text) for text in cells.flat] if texts else cells
    lacking = [name for name in names if name not in present]
    if lacking:
        raise BadInput(f"the rows lack the columns {_listed(lacking)}, which the teacher was trained on; they have {_listed(present)}.")
    if present == list(names):
        return rows
    columns = [rows.columns[present.index(name)] for name in names]
    return rows[columns] if hasattr(rows, "iloc") else rows.select(columns)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
