"""Stored answers as the columns of a Parquet file: one list column for each kind of number, and the number of positions of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_kinds import Positions
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.position_answers import Answers, PositionAnswers

if TYPE_CHECKING:
    import pyarrow as pa

SHAPES: dict[Positions | None, tuple[str, ...]] = {None: (), "tokens": ("tokens",), "pixels": ("height", "width")}
"""The columns that hold the shape of a row's positions."""
GROUP_BYTES = 1 << 22
"""Bytes that a group of rows may take, which is what a reader has in memory besides the answers."""
IN_PLANES = ("ids", "log_probs")
"""Columns whose bytes are stored in planes, the first byte of every number, then the second: they compress best so."""


def arrays_of(stored: Answers) -> dict[str, NDArray[Any]]:
    """The arrays of stored answers, by the name of their column: `answers`, or `ids`, `log_probs` and `rest`; and shapes of positions."""
    if isinstance(stored, PositionAnswers):
        names = SHAPES["tokens" if stored.shapes.shape[1] == 1 else "pixels"]
        shapes = {name: np.ascontiguousarray(stored.shapes[:, place]) for place, name in enumerate(names)}
        return {**shapes, **arrays_of(stored.values)}
    if isinstance(stored, TopAnswers):
        return {"ids": stored.ids, "log_probs": stored.log_probs, "rest": stored.rest}
    return {"answers": stored}


def answers_from(arrays: Mapping[str, NDArray[Any]], form: AnswerForm, *, rows: int, top_k: int | None) -> Answers:
    """The inverse of `arrays_of`; the arrays may be flat.

    Raises:
        ShapeError, ValueError: arrays that do not fit each other, or the form.
    """
    if form.positions is not None:
        shapes = np.column_stack([arrays[name].astype(np.int64) for name in SHAPES[form.positions]])
        count = int(shapes.prod(axis=1).sum())
        values: Any = answers_from(arrays, form.of_each_position, rows=count, top_k=top_k)
        return PositionAnswers(values, shapes)
    if top_k is not None:
        ids, log_probs = (arrays[name].reshape(rows, top_k) for name in ("ids", "log_probs"))
        return TopAnswers(ids, log_probs, arrays["rest"].reshape(rows), len(form.classes))
    return arrays["answers"].reshape(rows, len(form.classes) or -1)


def table_of(columns: Mapping[str, NDArray[Any]], stored: Answers) -> pa.Table:
    """An Arrow table of plain columns and of those of the answers, as lists."""
    import pyarrow as pa

    positions = np.arange(len(stored) + 1) if not isinstance(stored, PositionAnswers) else stored.offsets
    lists: dict[str, pa.Array[Any]] = {}
    for name, array in arrays_of(stored).items():
        if array.ndim == 1 and len(array) == len(stored) and (name != "rest" or not isinstance(stored, PositionAnswers)):
            lists[name] = pa.array(array)
        else:
            lists[name] = _lists(array, positions * (array.shape[1] if array.ndim == 2 else 1))
    arrays = {**{name: pa.array(column) for name, column in columns.items()}, **lists}
    fields = [pa.field(name, array.type, nullable=False) for name, array in arrays.items()]  # without gaps: a third faster to write
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def _lists(array: NDArray[Any], offsets: NDArray[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    of_one = pa.large_list(pa.field("element", pa.from_numpy_dtype(array.dtype), nullable=False))
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(array).reshape(-1)), type=of_one)


def flat(column: pa.ChunkedArray[Any]) -> NDArray[Any]:
    """The numbers of a column, plain or of lists, one after the other."""
    chunk = column.combine_chunks()
    chunk = chunk.combine_chunks() if hasattr(chunk, "combine_chunks") else chunk
    values: NDArray[Any] = (chunk.flatten() if hasattr(chunk, "flatten") and hasattr(chunk.type, "value_type") else chunk).to_numpy()
    return values


def read_columns(file: Any) -> dict[str, NDArray[Any]]:
    """The numbers of every column of a ParquetFile, one after the other; read a group of rows at a time, and held once.

    Raises:
        ValueError: the file says that it holds more than fits into memory.
    """
    groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
    names = file.schema_arrow.names
    # For each empty list, Parquet counts one more than there are.
    counts = {name: sum(group.column(place).num_values for group in groups) for place, name in enumerate(names)}
    columns: dict[str, NDArray[Any]] = {}
    filled = dict.fromkeys(names, 0)
    for index in range(len(groups)):
        table = file.read_row_group(index, use_threads=False)
        for name in names:
            part = flat(table.column(name))
            if len(groups) == 1:
                columns[name] = part
                continue
            if name not in columns:
                columns[name] = _space(counts[name], part.dtype)
            columns[name][filled[name] : filled[name] + len(part)] = part
            filled[name] += len(part)
    return {name: column if len(groups) == 1 else column[: filled[name]] for name, column in columns.items()}


def _space(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        return np.empty(count, dtype)
    except MemoryError as error:
        raise ValueError(f"it says that it holds {count} numbers, which do not fit into memory") from error


def writing_options(table: pa.Table) -> dict[str, Any]:
    """How Parquet writes a table: numbers in planes and compressed hard if they are top-k answers, otherwise fast; in groups of rows."""
    groups = {"row_group_size": max(1, min(table.num_rows, table.num_rows * GROUP_BYTES // max(table.nbytes, 1)))}
    if "ids" not in table.column_names:
        return {"compression": "lz4", **groups}
    planes = {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in IN_PLANES}
    return {"compression": "zstd", "column_encoding": {"row": "DELTA_BINARY_PACKED", **planes}, **groups}
