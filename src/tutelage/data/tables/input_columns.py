"""Columns of numbers, or of lists of numbers, as the inputs of rows of several inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.structures.ragged import Field, Ragged


def inputs_of(table: Any, path: AnyPath) -> dict[str, Field | list[Any]]:
    """The columns of an Arrow table by name: (rows,) numbers, (rows, ...) lists of one length, or lists of different lengths.

    Args:
        table: a pyarrow Table.
        path: the file that it is from, for messages.

    Raises:
        BadInput: a column of other values than numbers and lists of them, or one with gaps.
    """
    columns = zip(table.column_names, table.columns, strict=True)
    return {name: _field(column.combine_chunks(), f"column {name!r} of {path}") for name, column in columns}


def _field(column: Any, what: str) -> Field | list[Any]:
    import pyarrow as pa

    kinds = pa.types
    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    depth, leaf = 0, column.type
    while kinds.is_list(leaf) or kinds.is_large_list(leaf) or kinds.is_fixed_size_list(leaf):
        depth, leaf = depth + 1, leaf.value_type
    if not (kinds.is_integer(leaf) or kinds.is_floating(leaf) or kinds.is_boolean(leaf) or (kinds.is_null(leaf) and depth)):
        remedy = " Encode texts with a tokenizer first, and store lists in a .parquet or .jsonl file." if kinds.is_string(leaf) else ""
        raise BadInput(f"{what} holds values of type {column.type}; expected numbers, or lists of numbers, as an input.{remedy}")
    _check_filled(column, depth, what)
    if depth == 0:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if depth > 1:
        return [np.asarray(row, _dtype(leaf)) if _even(row) else row for row in column.to_pylist()]
    lengths = np.asarray(column.value_lengths().to_numpy(zero_copy_only=False), np.int64)
    values = np.asarray(column.flatten().to_numpy(zero_copy_only=False)).astype(_dtype(leaf), copy=False)
    return values.reshape(len(lengths), -1) if len(set(lengths.tolist())) == 1 and len(values) else Ragged(values, lengths)


def _dtype(leaf: Any) -> Any:
    """The type of the numbers; empty lists say nothing of theirs."""
    import pyarrow as pa

    return np.dtype(np.int64) if pa.types.is_null(leaf) else np.dtype(leaf.to_pandas_dtype())


def _even(row: Any) -> bool:
    try:
        return np.asarray(row).dtype.kind in "biuf"
    except ValueError:  # lists of different lengths within a row, which StructuredRows refuses with the name of the input
        return False


def _check_filled(column: Any, depth: int, what: str) -> None:
    """Refuse missing rows, and missing numbers within them."""
    inner = column
    for _ in range(depth):
        if inner.null_count:
            break
        inner = inner.flatten()
    if inner.null_count:
        first = next(place for place, row in enumerate(column.to_pylist()) if _lacks(row))
        raise BadInput(
            f"{what} has a gap in row {first}; expected a number, or a list of numbers, in every row. Fill it, or leave the row out."
        )


def _lacks(cell: Any) -> bool:
    return cell is None or (isinstance(cell, list) and any(map(_lacks, cell)))
