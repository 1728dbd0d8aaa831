"""An Arrow table as a pandas frame whose cells do not depend on the format of the file: the rows that a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.arrays import EXACT
from tutelage.core.errors import BadInput, MissingExtra, require
from tutelage.data.tables.column_types import time_texts


def frame_of(table: Any) -> Any:
    """Convert an Arrow table to a pandas frame; without pandas to a matrix, if every column is numeric.

    Whole numbers with gaps become floating-point numbers, or pandas' Int64 where those would lose digits; decimals and columns that
    hold nothing become floating-point numbers; dates become timestamps and times of day texts. The row index that pandas stores
    in a table is left out.

    Raises:
        MissingExtra: pandas is not installed and a column is not numeric.
        BadInput: a column holds values that no model takes, such as lists; or two columns have one name.
    """
    import pyarrow as pa

    table = without_index(table)
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"the table has more than one column {twice!r}; give every column a name of its own.")
    table = pa.table([_plain(name, column) for name, column in zip(names, table.columns, strict=True)], names=names)
    try:
        pandas = require("pandas")
    except MissingExtra:
        kinds = pa.types
        if not all(kinds.is_integer(t) or kinds.is_floating(t) or kinds.is_boolean(t) for t in table.schema.types):
            raise
        return np.column_stack([column.to_numpy() for column in table.columns])
    frame = table.to_pandas(date_as_object=False)
    for name, column in zip(names, table.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count and _is_large(column):
            frame[name] = pandas.array(column.to_pylist(), dtype="UInt64" if pa.types.is_unsigned_integer(column.type) else "Int64")
    return frame


def without_index(table: Any) -> Any:
    """An Arrow table without the row index that pandas stored in it."""
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", []) if name in table.column_names]
    return table.drop_columns(index) if index else table


def _plain(name: str, column: Any) -> Any:
    """A column in one of the types that every format has."""
    import pyarrow as pa

    kinds, kind = pa.types, column.type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
        column = column.cast(kind)
    if kinds.is_nested(kind) and not kinds.is_dictionary(kind):
        raise BadInput(
            f"column {name!r} holds values of type {kind}; expected numbers, texts or dates. Drop it, split it into columns, or, where "
            "lists are inputs of a network, name the inputs: --inputs a,b, or in Python rows that are a mapping of arrays."
        )
    if kinds.is_null(kind):
        return column.cast(pa.float64())
    if kinds.is_decimal(kind):
        return _undecimal(name, column)
    return time_texts(column) if kinds.is_time(kind) else column


def _undecimal(name: str, column: Any) -> Any:
    import pyarrow as pa

    if column.type.scale > 0:
        return column.cast(pa.float64())
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise BadInput(f"column {name!r} holds whole numbers of more than 64 bits; store them as texts.") from error


def _is_large(column: Any) -> bool:
    import pyarrow.compute as pc

    bounds = (pc.min(column).as_py(), pc.max(column).as_py())
    return any(bound is not None and abs(bound) > EXACT for bound in bounds)
