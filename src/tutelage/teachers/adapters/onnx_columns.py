"""Rows as the columns of an ONNX file of tutelage, by the types that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput
from tutelage.data import cells as convert
from tutelage.data.days import days_of
from tutelage.data.frames import series_of
from tutelage.data.schema import Column, Schema, columns_of, table_of
from tutelage.teachers.inputs import matrix_of, texts_of


def columns_for(schema: Schema, are_texts: Sequence[bool], rows: Any) -> Any:
    """Rows as a file takes them: dates and durations as days, truth values as 0 and 1, missing texts as empty ones.

    Args:
        schema: the columns of the file.
        are_texts: whether each input is one of texts. A file without texts has one input for all columns.
        rows: a frame, whose columns are matched by name; an array or lists of rows; or texts, for a file of one column of texts.

    Returns:
        The columns by input, (rows,) each; or the rows of a file of one input, (rows, columns).

    Raises:
        BadInput: columns are missing, or cells of another type.
    """
    rows = table_of(rows)
    if any(are_texts) and len(schema.columns) == 1 and not is_frame(rows):
        return np.array(texts_of(rows), dtype=object)
    selected = schema.select(rows)
    if not is_frame(selected) and not any(are_texts):
        return matrix_of(selected)
    aligned = schema.align(selected)
    by_column = any(are_texts)
    kinds = are_texts if by_column else [False] * len(schema.columns)
    found = [
        _cells(column, column.name or str(place), native, is_text=is_text)
        for place, (column, native, is_text) in enumerate(zip(schema.columns, columns_of(aligned), kinds, strict=True))
    ]
    return found if by_column else np.column_stack(found)


def _cells(column: Column, name: str, native: Any, *, is_text: bool) -> NDArray[Any]:
    cells = convert.cells_of(native)
    if is_text:
        return np.array(["" if cell is None else cell for cell in convert.texts(cells, name).tolist()], dtype=object)
    if column.type not in ("date", "duration"):
        return convert.numbers(cells, name)
    days = days_of(_series(native, cells))
    if days is None:
        raise BadInput(f"column {name!r} holds no {column.type}s, which the file takes there. Convert the column.")
    return days


def _series(native: Any, cells: NDArray[Any]) -> Any:
    import narwhals.stable.v2 as nw

    return nw.new_series("", cells, backend="pandas") if isinstance(native, np.ndarray) else series_of(native)
