"""An Arrow table as a pandas frame whose cells do not depend on the format of the file: the rows that a model sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, MissingExtra, require
from tutelage.data.tables.column_types import time_texts
from tutelage.data.tables.settled import Settled, plain_type, settle, unsettled


def frame_of(table: Any, settled: Mapping[str, Settled] | None = None) -> Any:
    """Convert an Arrow table to a pandas frame; without pandas to a matrix, if every column is numeric.

    Whole numbers with gaps become floating-point numbers, or pandas' Int64 where those would lose digits; decimals and columns that
    hold nothing become floating-point numbers; dates become timestamps and times of day texts. The row index that pandas stores
    in a table is left out.

    Args:
        table: all rows, or a part of them.
        settled: what the columns named by `unsettled` hold in all rows; None if these are all.

    Raises:
        MissingExtra: pandas is not installed and a column is not numeric.
        BadInput: a column holds values that no model takes, such as lists; or two columns have one name.
    """
    import pyarrow as pa

    table = without_index(pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table)
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"the table has more than one column {twice!r}; give every column a name of its own.")
    settled = settle([table.select(unsettled(table.schema))]) if settled is None else settled
    known = [settled.get(name, Settled()) for name in names]
    table = pa.table([_plain(name, column, one) for name, column, one in zip(names, table.columns, known, strict=True)], names=names)
    objects = [name for name, kind, one in zip(names, table.schema.types, known, strict=True) if pa.types.is_boolean(kind) and one.gaps]
    try:
        pandas = require("pandas")
    except MissingExtra:
        kinds = pa.types
        if not all(kinds.is_integer(t) or kinds.is_floating(t) or kinds.is_boolean(t) for t in table.schema.types):
            raise
        arrays = zip(names, (column.to_numpy() for column in table.columns), strict=True)
        return np.column_stack([array.astype(object) if name in objects else array for name, array in arrays])
    frame = table.to_pandas(date_as_object=False)
    for name, column, one in zip(names, table.columns, known, strict=True):
        if pa.types.is_integer(column.type) and one.gaps:
            frame[name] = pandas.array(column.to_pylist(), dtype="UInt64" if pa.types.is_unsigned_integer(column.type) else "Int64")
        elif name in objects:
            frame[name] = frame[name].astype(object)
    return frame


def without_index(table: Any) -> Any:
    """An Arrow table without the row index that pandas stored in it."""
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", []) if name in table.column_names]
    return table.drop_columns(index) if index else table


def _plain(name: str, column: Any, known: Settled) -> Any:
    """A column in one of the types that every format has, and that all parts of a table have alike."""
    import pyarrow as pa

    kinds, kind = pa.types, plain_type(column.type)
    if kind != column.type:
        column = column.cast(kind)
    if kinds.is_nested(kind) and not kinds.is_dictionary(kind):
        raise BadInput(
            f"column {name!r} holds values of type {kind}; expected numbers, texts or dates. Drop it, split it into columns, or, where "
            "lists are inputs of a network, name the inputs: --inputs a,b, or in Python rows that are a mapping of arrays."
        )
    if kinds.is_null(kind):
        return column.cast(pa.float64())
    if kinds.is_dictionary(kind):
        return column if known.categories is None else _in_categories(column, known.categories)
    if kinds.is_time(kind):
        return column.cast(pa.string()) if known.fractions else time_texts(column)
    column = _undecimal(name, column) if kinds.is_decimal(kind) else column
    return column.cast(pa.float64()) if kinds.is_integer(column.type) and known.gaps and not known.large else column


def _in_categories(column: Any, categories: Any) -> Any:
    """A column of some categories as one of all of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    categories, chunks = categories.drop_null(), []
    kind: Any = pa.dictionary(pa.int32(), categories.type, column.type.ordered)
    for chunk in column.chunks:
        places = pc.index_in(chunk.dictionary.cast(categories.type), value_set=categories)
        chunks.append(pa.DictionaryArray.from_arrays(places.take(chunk.indices), categories, ordered=column.type.ordered))
    return pa.chunked_array(chunks, kind)


def _undecimal(name: str, column: Any) -> Any:
    import pyarrow as pa

    if column.type.scale > 0:
        return column.cast(pa.float64())
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise BadInput(f"column {name!r} holds whole numbers of more than 64 bits; store them as texts.") from error
