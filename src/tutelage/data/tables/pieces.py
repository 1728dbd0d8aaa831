"""The files of a table, one by one: the columns of each with their types, and any part of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, one_line
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.tables.column_types import ColumnType, Known, as_type, dates_inferred, decimal_points, literals_in, type_of, typed
from tutelage.data.tables.csv_text import Delimited, read_json_lines, read_texts
from tutelage.data.tables.found_files import CSV, JSON_LINES, FoundFiles, table_suffix
from tutelage.data.tables.parquet_parts import OpenFiles, ParquetParts
from tutelage.data.tables.settled import READ_ROWS, Settled, common_type

OPENED_AT_ONCE = 16
"""Parquet files whose footers are read at the same time."""


@dataclass(frozen=True)
class Piece:
    """One file.

    Attributes:
        path: of the file.
        names: of its columns.
        types: the Arrow type of each.
        count: number of rows.
        read: `read(names, start, stop)` returns these rows of some columns as an Arrow table.
        index: columns that hold a row index of pandas.
        grain: the rows of the largest row group; 1 for a file that is held in memory.
        settled: what its footer says of all cells of some columns.
    """

    path: AnyPath
    names: tuple[str, ...]
    types: Mapping[str, Any]
    count: int
    read: Callable[[Sequence[str], int, int], Any]
    index: tuple[str, ...] = ()
    grain: int = 1
    settled: Mapping[str, Settled] = field(default_factory=dict)


def pieces_of(files: FoundFiles, known: Mapping[str, Known]) -> tuple[list[Piece], dict[str, frozenset[str]]]:
    """The files, and for columns that are written as texts those cells that spell a gap."""
    texts = {file: read_texts(file) for file in files.paths if table_suffix(file) in CSV}
    kinds = {name: one.type for name, one in known.items() if one.type is not None}
    tables: dict[AnyPath, Any] = {
        file: _converted(file, read_json_lines(file), kinds) for file in files.paths if table_suffix(file) in JSON_LINES
    }
    in_files, spelt = _typed(texts, {name: one for name, one in known.items() if name not in files.names})
    tables |= in_files
    readers = OpenFiles()
    with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:  # another file system takes a while for each
        opened = pool.map(lambda file: None if file in tables else _parquet(file, kinds, readers), files.paths)
        pieces = [_in_memory(file, tables[file]) if piece is None else piece for file, piece in zip(files.paths, opened, strict=True)]
    folders = files.columns()
    spelt |= {name: literals_in(column) for name, column in folders.items()}
    where = {name: f"the folders {name!r} of {files.paths[0]}" for name in folders}
    cells = {name: typed(column, known.get(name, Known()), where[name]).combine_chunks() for name, column in folders.items()}
    return [_with_cells(piece, {name: column[place] for name, column in cells.items()}) for place, piece in enumerate(pieces)], spelt


def _with_cells(piece: Piece, cells: Mapping[str, Any]) -> Piece:
    """A file with further columns, each of one cell that all rows share.

    Raises:
        BadInput: it has such a column already.
    """
    import pyarrow as pa

    if not cells:
        return piece
    twice = next((name for name in cells if name in piece.names), None)
    if twice is not None:
        raise BadInput(f"{piece.path} has a column {twice!r}, and lies in a folder of that name; drop the column, or rename the folder.")

    def read(names: Sequence[str], start: int, stop: int) -> Any:
        inside = [name for name in names if name not in cells]
        table = piece.read(inside, start, stop) if inside else pa.table({})
        columns: list[Any] = [pa.repeat(cells[name], stop - start) if name in cells else table.column(name) for name in names]
        return pa.table(columns, names=list(names))

    types = {**piece.types, **{name: cell.type for name, cell in cells.items()}}
    return replace(piece, names=(*piece.names, *cells), types=types, read=read)


def _typed(texts: Mapping[AnyPath, Delimited], known: Mapping[str, Known]) -> tuple[dict[AnyPath, Any], dict[str, frozenset[str]]]:
    """Text files with the types of their columns, found from all files together; and the cells of each column that spell a gap."""
    import pyarrow as pa

    first = next(iter(texts), None)
    if first is None:
        return {}, {}
    for path, text in texts.items():
        _check_unique(path, text.table.column_names)
    names = texts[first].table.column_names
    for path, text in texts.items():
        check_same(first, names, path, text.table.column_names)
    columns, spelt = {}, {}
    for name in names:
        cells = [text.table.column(name) for text in texts.values()]
        pointed = [decimal_points(one) if text.decimal_commas else None for one, text in zip(cells, texts.values(), strict=True)]
        points = [own if other is None else other for own, other in zip(cells, pointed, strict=True)]
        joined, spelt[name] = _joined(cells), literals_in(_joined(cells))
        any_point = any(one is not None for one in pointed)
        columns[name] = typed(joined, known.get(name, Known()), _where(first, name), points=_joined(points) if any_point else None)
    whole, start, tables = pa.table(columns), 0, {}
    for path, text in texts.items():
        tables[path] = whole.slice(start, text.table.num_rows)
        start += text.table.num_rows
    return tables, spelt


def _joined(columns: Sequence[Any]) -> Any:
    import pyarrow as pa

    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], type=pa.string())


def _converted(path: AnyPath, table: Any, declared: Mapping[str, ColumnType]) -> Any:
    """A table of JSON objects: texts that are dates as dates, and the declared types."""
    import pyarrow as pa

    _check_unique(path, table.column_names)
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if name in declared:
            column = as_type(column, declared[name], _where(path, name))
        elif pa.types.is_string(column.type):
            column = dates_inferred(column)
        table = table.set_column(place, name, column)
    return table


def _where(path: AnyPath, name: str) -> str:
    return f"column {name!r} of {path}"


def _in_memory(path: AnyPath, table: Any) -> Piece:
    names = tuple(table.column_names)
    return Piece(
        path,
        names,
        dict(zip(names, table.schema.types, strict=True)),
        table.num_rows,
        lambda n, a, b: table.select(list(n)).slice(a, b - a),
    )


def _parquet(path: AnyPath, declared: Mapping[str, ColumnType], readers: OpenFiles) -> Piece:
    import pyarrow as pa

    with closing(ParquetParts(path)) as parts:
        schema, footer, settled = parts.schema, parts.footer, parts.settled()
    _check_unique(path, schema.names)
    of_pandas = schema.pandas_metadata or {}
    stored = of_pandas.get("index_columns", [])  # the row index, or a range as a mapping
    described = {name: numbers for name, numbers in map(_named_range, stored) if name and len(numbers) == parts.count}
    ranges = {name: numbers for name, numbers in described.items() if name not in schema.names}
    of_category = {column["name"] for column in of_pandas.get("columns", ()) if column["pandas_type"] == "categorical"}
    categories: dict[str, ColumnType] = {name: "category" for name in schema.names if name in of_category}
    declared = categories | dict(declared)  # Parquet itself keeps categories of texts only

    def read(names: Sequence[str], start: int, stop: int) -> Any:
        inside = [name for name in names if name not in ranges]
        table = readers.table(path, footer, inside, start, stop) if inside else pa.table({})
        columns = [pa.array(np.array(ranges[name][start:stop], np.int64)) if name in ranges else table.column(name) for name in names]
        return _declared(path, pa.table(columns, names=list(names)), declared, read_as)

    types = dict(zip(schema.names, schema.types, strict=True)) | dict.fromkeys(ranges, pa.int64())
    read_as: dict[str, Any] = {}
    if declared and parts.count:
        texts = [name for name, kind in declared.items() if name in types and _is_read_from_texts(types[name], kind)]
        step = max(parts.grain, READ_ROWS)
        starts = range(0, parts.count, step)
        found = {name: [_kind_of(read([name], start, min(start + step, parts.count)).column(0)) for start in starts] for name in texts}
        read_as |= {name: _kind_of_all(kinds, _where(path, name)) for name, kinds in found.items()}
        types |= {name: read([name], 0, 1).schema.types[0] for name in declared if name in types}
    index = (*(name for name in stored if isinstance(name, str)), *ranges)
    settled = {name: one for name, one in settled.items() if types[name] == schema.field(name).type} | dict.fromkeys(ranges, Settled())
    return Piece(path, (*schema.names, *ranges), types, parts.count, read, index, parts.grain, settled)


def _named_range(index: Any) -> tuple[str, range]:
    """The name and the numbers of a row index that pandas describes in place of storing it; "" for any other, or one without a name."""
    named = isinstance(index, dict) and index.get("kind") == "range" and index.get("name")
    return (str(index["name"]), range(index["start"], index["stop"], index["step"])) if named else ("", range(0))


def _is_read_from_texts(stored: Any, kind: ColumnType) -> bool:
    """Whether cells of a type are found by reading texts, so that some of them do not tell in which Arrow type all are held."""
    category = type_of(stored) == "category"
    return type_of(stored.value_type if category else stored) == "text" and kind not in ("text", "any", *(["category"] if category else []))


def _kind_of(column: Any) -> Any:
    """The Arrow type of a part of a column; unsigned for whole numbers without a sign, which unsigned ones of 64 bits hold as well."""
    import pyarrow as pa
    import pyarrow.compute as pc

    category = pa.types.is_dictionary(column.type)
    value = column.type.value_type if category else column.type
    if not pa.types.is_int64(value) or pc.min(column.cast(value)).as_py() < 0:
        return column.type
    return pa.dictionary(pa.int32(), pa.uint32()) if category else pa.uint32()


def _kind_of_all(kinds: Sequence[Any], where: str) -> Any:
    """The Arrow type of a column, from those of its parts.

    Raises:
        BadInput: there is none.
    """
    import pyarrow as pa

    of_categories = any(map(pa.types.is_dictionary, kinds))
    values = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds]
    try:
        common = common_type(values)
    except pa.ArrowException as error:
        if not of_categories:
            raise BadInput(f"{where} holds cells of different types ({one_line(error)}); declare another type for it.") from error
        common = pa.string()  # categories that are not all numbers, or not all dates, are texts
    if {pa.int64(), pa.uint64()} <= {*values} and not any(map(pa.types.is_floating, values)):
        common = pa.string() if of_categories else pa.float64()  # no whole numbers of 64 bits are both
    common = pa.int64() if common == pa.uint32() else common
    if pa.types.is_null(common) or not of_categories:
        return common
    return pa.dictionary(pa.int32(), pa.string() if any(type_of(kind) == "text" for kind in values) else common)


def _declared(path: AnyPath, table: Any, declared: Mapping[str, ColumnType], read_as: Mapping[str, Any]) -> Any:
    """A table with the declared types, and those of all rows where texts are read."""
    for place, name in enumerate(table.column_names):
        if name in declared:
            column = as_type(table.column(place), declared[name], _where(path, name))
            table = table.set_column(place, name, _in_kind(column, table.column(place), read_as.get(name, column.type), _where(path, name)))
    return table


def _in_kind(column: Any, texts: Any, kind: Any, where: str) -> Any:
    """Cells that were read from texts, in the type of all cells of their column; whole numbers among others are rounded, as in CSV.

    Raises:
        BadInput: that type does not hold them.
    """
    import pyarrow as pa

    category = pa.types.is_dictionary(kind) and not pa.types.is_null(column.type)
    value = kind.value_type if category else kind
    if column.type == kind:
        return column
    if category and type_of(value) == "text":
        return as_type(texts, "text", where).dictionary_encode()
    try:
        cells = column.cast(column.type.value_type) if category else column
        found = cells.cast(value, safe=not pa.types.is_floating(value))
    except pa.ArrowException as error:
        reason = f"holds cells that do not fit into {value}, the type of all together ({one_line(error)})"
        raise BadInput(f"{where} {reason}; declare another type for it.") from error
    return found.dictionary_encode() if category else found


def _check_unique(path: AnyPath, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise BadInput(f"{path} has more than one column {twice[0]!r}; give every column a name of its own.")


def check_same(first: AnyPath, expected: Sequence[str], path: AnyPath, names: Sequence[str]) -> None:
    """Check that a file has the columns of the first one.

    Raises:
        BadInput: it lacks one, or has another one.
    """
    lacking = [name for name in expected if name not in names]
    extra = [name for name in names if name not in expected]
    if lacking or extra:
        difference = f"lacks the column {lacking[0]!r} of {first}" if lacking else f"has a column {extra[0]!r}, which {first} lacks"
        raise BadInput(f"{path} {difference}; files that are read together need the same columns.")
