"""Rows as a fitted model wants them: its own columns in its own order, or a plain matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ShapeError, TutelageError, one_line, require
from tutelage.data.rows import array_of, as_rows


def row_count(rows: Any) -> int:
    """How many rows these are.

    Raises:
        ShapeError: none. BadInput: something that has no length.
    """
    shape = getattr(rows, "shape", None)
    if shape == () or (shape is None and not hasattr(rows, "__len__")):
        raise BadInput(f"a single {type(rows).__name__} is no rows; expected an array, a frame, a sparse matrix or a list.")
    count = len(rows) if shape is None else int(shape[0])
    if count == 0:
        raise ShapeError("there are no rows to answer; give at least one.")
    return count


@contextmanager
def refusing(who: str) -> Iterator[None]:
    """Turn whatever a model raises about rows that it cannot take into one sentence of ours.

    Raises:
        BadInput: names the model and what it said.
    """
    try:
        yield
    except TutelageError:
        raise
    except Exception as error:  # every library has errors of its own, and onnxruntime's share no root
        raise BadInput(f"{who} cannot take these rows ({one_line(error)}).") from error


def is_frame(rows: Any) -> bool:
    """Whether rows have named columns."""
    return hasattr(rows, "columns") and hasattr(rows, "shape")


def for_model(rows: Any, names: Sequence[str] | None, *, width: int | None = None) -> Any:
    """Rows for a model that learnt from columns of these names, or from nameless ones.

    Named columns are found by name, whatever their order; columns that the model does not know are left out. A matrix
    for a model that knows names is taken in its order. A frame for a model of texts is its one column.

    Args:
        rows: an array, tensor, frame, Arrow table, sparse matrix or texts.
        names: of the model's columns; None if it learnt from a matrix or texts.
        width: how many columns a model without names learnt from, if that is known.

    Raises:
        BadInput: columns are missing, or a matrix is of another width.
    """
    rows = _familiar(rows)
    if is_frame(rows):
        rows = _of_frame(rows, names)
    expected = width if names is None else len(names)
    shape: tuple[int, ...] = getattr(rows, "shape", ())
    if expected is not None and len(shape) == 2 and shape[1] != expected:
        listed = "" if names is None else f": {_listed(names)}"
        raise BadInput(f"the rows have {shape[1]} columns; the teacher learnt from {expected}{listed}.")
    return rows


def framed(rows: Any, names: Sequence[str] | None) -> Any:
    """A matrix as a pandas frame with the names that a model learnt; anything else as it is."""
    if names is None or not isinstance(rows, np.ndarray) or rows.ndim != 2:
        return rows
    return require("pandas").DataFrame(rows, columns=list(names))


def for_booster(rows: Any) -> Any:
    """A frame as boosters read it: pandas, texts as categories, which they match by name and not by code."""
    if not is_frame(rows):
        return rows
    frame = rows.to_pandas() if hasattr(rows, "to_pandas") else rows
    texts = [name for name, kind in frame.dtypes.items() if str(kind).startswith(("object", "str"))]
    return frame.astype(dict.fromkeys(texts, "category")) if texts else frame


def _familiar(rows: Any) -> Any:
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
    there = [str(name) for name in rows.columns]
    if names is None:
        cells = rows.to_numpy()
        texts = len(there) == 1 and cells.dtype.kind in "OUT" and all(isinstance(text, str) for text in cells.flat)
        return [str(text) for text in cells.flat] if texts else cells
    lacking = [name for name in names if name not in there]
    if lacking:
        raise BadInput(f"the rows lack the columns {_listed(lacking)}, which the teacher learnt from; they have {_listed(there)}.")
    if there == list(names):
        return rows
    columns = [rows.columns[there.index(name)] for name in names]
    return rows[columns] if hasattr(rows, "iloc") else rows.select(columns)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
