"""Tables in files of any format, one or many, with the same rows from each: columns by name, their types, and any part of the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ShapeError, did_you_mean, one_line
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.tables.column_types import TYPES, ColumnType, as_type, dates_inferred, inferred, recorded_type, type_of
from tutelage.data.tables.csv_text import read_json_lines, read_texts
from tutelage.data.tables.found_files import CSV, JSON_LINES, FoundFiles, table_suffix
from tutelage.data.tables.parquet_parts import OpenFiles, ParquetParts

OPENED_AT_ONCE = 16
"""Parquet files whose footers are read at the same time."""
_NAMED_INDEX = re.compile(r"^(Unnamed: 0([.]\d+)*|__index_level_\d+__)$")
_LIKELY_INDEX = ("index", "level_0", "rownames", "row_names")


def read_table(path: AnyPath) -> Any:
    """Read a .parquet, .csv, .tsv or .jsonl file as one pyarrow Table, index columns included.

    Raises:
        BadInput: another suffix, a file that does not exist, content that does not match the suffix, or one column name twice.
    """
    piece = _pieces(FoundFiles.of([path]), {})[0]
    return piece.read(piece.names, 0, piece.count)


@dataclass(frozen=True)
class TableSource:
    """The rows of one or more files.

    Attributes:
        files: the files, in the order of their rows, and what the names of their folders say.
        names: the columns, without a row index.
        types: the type of every column, index columns included; None for missing values only, or values that no model takes.
        count: number of rows.
        index: columns that hold a row index and are therefore no features.
        declared: the types that are declared for some columns.
    """

    files: FoundFiles
    names: tuple[str, ...]
    types: Mapping[str, ColumnType | None]
    count: int
    index: tuple[str, ...]
    declared: Mapping[str, ColumnType]
    _pieces: tuple[_Piece, ...] = field(repr=False)
    _arrow_types: Mapping[str, Any] = field(repr=False)

    @property
    def paths(self) -> tuple[AnyPath, ...]:
        """The files, in the order of their rows."""
        return self.files.paths

    @property
    def ends(self) -> list[int]:
        """The number of rows up to the end of each file."""
        return list(accumulate(piece.count for piece in self._pieces))

    @property
    def grain(self) -> int:
        """The rows of the largest row group, which is read as a whole; 1 for files that are held in memory."""
        return max(piece.grain for piece in self._pieces)

    def recorded_types(self, names: Sequence[str]) -> dict[str, ColumnType]:
        """The types in which other files must hold these columns, for a model that learnt them from this one.

        Categories of texts are texts: a file of texts does not tell them apart. A column that holds nothing is one of numbers, and one
        of values that no model takes is of any type.
        """
        return {name: recorded_type(self._arrow_types[name]) for name in names}

    def part(self, names: Sequence[str], start: int, stop: int) -> Any:
        """Rows from `start` to `stop` of these columns, as an Arrow table, in which none of them is a row index any more."""
        import pyarrow as pa

        parts, first = [], 0
        for piece in self._pieces:
            begin, end = max(start - first, 0), min(stop - first, piece.count)
            if begin < end:
                parts.append(self._aligned(piece.read(names, begin, end)))
            first += piece.count
        return pa.concat_tables(parts, promote_options="permissive").replace_schema_metadata(None)  # pandas stores its index there

    def _aligned(self, table: Any) -> Any:
        """The table with the types that all files have in common."""
        for place, name in enumerate(table.column_names):
            kind = self._arrow_types[name]
            if table.column(place).type != kind and type_of(kind) != "category":
                table = table.set_column(place, name, table.column(place).cast(kind))
        return table


@dataclass(frozen=True)
class _Piece:
    """One file: its columns with their Arrow types, and `read(names, start, stop)`, which returns an Arrow table."""

    path: AnyPath
    names: tuple[str, ...]
    types: Mapping[str, Any]
    count: int
    read: Callable[[Sequence[str], int, int], Any]
    index: tuple[str, ...] = ()
    grain: int = 1


def open_tables(
    given: Sequence[AnyPath] | FoundFiles, *, dtype: Mapping[str, str] | None = None, named: Collection[str] = ()
) -> TableSource:
    """Open files as one table. Parquet files are read in parts when needed, others at once.

    A row index is not a column: a first column without a name, as pandas writes it, or named `Unnamed: 0`; the index in pandas'
    Parquet files; and a first column named `index`, `level_0` or `rownames` that counts the rows, of which there are two or more.

    Args:
        given: files, folders of files, or patterns such as `part-*.csv`; the rows of several files follow each other.
        dtype: the type of some columns, as {"column": "text"}.
        named: columns that the caller names; they are columns even if they look like an index.

    Raises:
        BadInput: a file that cannot be read, one column name twice, files of different columns or types, or a column that does not
            have its declared type.
        ShapeError: no rows.
    """
    declared = _checked(dtype or {})
    files = given if isinstance(given, FoundFiles) else FoundFiles.of(given)
    pieces = _pieces(files, declared)
    first = pieces[0]
    index = tuple(name for name in _index_columns(first) if name not in {*named, *declared})
    names = tuple(name for name in first.names if name not in index)
    if not names:
        raise BadInput(f"{first.path} has no columns; expected a table with at least one.")
    for name in declared:
        if name not in first.names:
            raise BadInput(f"{first.path} has no column {name!r}, for which a type is declared.{did_you_mean(name, first.names)}")
    for piece in pieces[1:]:
        _check_columns(first, piece, names)
    count = sum(piece.count for piece in pieces)
    if count == 0:
        raise ShapeError(f"{first.path} has no rows; give at least one.")
    everywhere = [name for name in first.names if all(name in piece.names for piece in pieces)]
    arrow_types = {name: _common_type(name, pieces) for name in everywhere}
    types = {name: type_of(kind) for name, kind in arrow_types.items()}
    return TableSource(files, names, types, count, index, declared, tuple(pieces), arrow_types)


def _checked(dtype: Mapping[str, str]) -> dict[str, ColumnType]:
    for name, kind in dtype.items():
        if kind not in TYPES:
            raise BadInput(f"the type of column {name!r} is {kind!r}; expected one of {', '.join(TYPES)}.{did_you_mean(kind, TYPES)}")
    return {name: kind for name, kind in dtype.items() if kind in TYPES}


def _pieces(files: FoundFiles, declared: Mapping[str, ColumnType]) -> list[_Piece]:
    texts = {file: read_texts(file) for file in files.paths if table_suffix(file) in CSV}
    tables: dict[AnyPath, Any] = {
        file: _converted(file, read_json_lines(file), declared) for file in files.paths if table_suffix(file) in JSON_LINES
    }
    tables |= _typed(texts, {name: kind for name, kind in declared.items() if name not in files.names})
    readers = OpenFiles()
    with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:  # another file system takes a while for each
        opened = pool.map(lambda file: None if file in tables else _parquet(file, declared, readers), files.paths)
        pieces = [_in_memory(file, tables[file]) if piece is None else piece for file, piece in zip(files.paths, opened, strict=True)]
    cells = files.columns(declared)
    return [_with_cells(piece, {name: column[place] for name, column in cells.items()}) for place, piece in enumerate(pieces)]


def _with_cells(piece: _Piece, cells: Mapping[str, Any]) -> _Piece:
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


def _typed(texts: Mapping[AnyPath, Any], declared: Mapping[str, ColumnType]) -> dict[AnyPath, Any]:
    """Text files with the types of their columns, inferred from all files together."""
    import pyarrow as pa

    first = next(iter(texts), None)
    if first is None:
        return {}
    for path, table in texts.items():
        _check_unique(path, table.column_names)
    names = texts[first].column_names
    for path, table in texts.items():
        _check_same(first, names, path, table.column_names)
    columns = {}
    for name in names:
        joined = pa.chunked_array([chunk for table in texts.values() for chunk in table.column(name).chunks], type=pa.string())
        columns[name] = as_type(joined, declared[name], _where(first, name)) if name in declared else inferred(joined)
    whole, start, typed = pa.table(columns), 0, {}
    for path, table in texts.items():
        typed[path] = whole.slice(start, table.num_rows)
        start += table.num_rows
    return typed


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


def _in_memory(path: AnyPath, table: Any) -> _Piece:
    names = tuple(table.column_names)
    return _Piece(
        path,
        names,
        dict(zip(names, table.schema.types, strict=True)),
        table.num_rows,
        lambda n, a, b: table.select(list(n)).slice(a, b - a),
    )


def _parquet(path: AnyPath, declared: Mapping[str, ColumnType], readers: OpenFiles) -> _Piece:
    import pyarrow as pa

    with closing(ParquetParts(path)) as parts:
        schema, footer = parts.schema, parts.footer
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
        return _declared(path, pa.table(columns, names=list(names)), declared)

    types = dict(zip(schema.names, schema.types, strict=True)) | dict.fromkeys(ranges, pa.int64())
    if declared and parts.count:
        types |= {name: read([name], 0, 1).schema.types[0] for name in declared if name in types}
    index = (*(name for name in stored if isinstance(name, str)), *ranges)
    return _Piece(path, (*schema.names, *ranges), types, parts.count, read, index, parts.grain)


def _named_range(index: Any) -> tuple[str, range]:
    """The name and the numbers of a row index that pandas describes in place of storing it; "" for any other, or one without a name."""
    named = isinstance(index, dict) and index.get("kind") == "range" and index.get("name")
    return (str(index["name"]), range(index["start"], index["stop"], index["step"])) if named else ("", range(0))


def _declared(path: AnyPath, table: Any, declared: Mapping[str, ColumnType]) -> Any:
    for place, name in enumerate(table.column_names):
        if name in declared:
            table = table.set_column(place, name, as_type(table.column(place), declared[name], _where(path, name)))
    return table


def _check_unique(path: AnyPath, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise BadInput(f"{path} has more than one column {twice[0]!r}; give every column a name of its own.")


def _check_same(first: AnyPath, expected: Sequence[str], path: AnyPath, names: Sequence[str]) -> None:
    lacking = [name for name in expected if name not in names]
    extra = [name for name in names if name not in expected]
    if lacking or extra:
        difference = f"lacks the column {lacking[0]!r} of {first}" if lacking else f"has a column {extra[0]!r}, which {first} lacks"
        raise BadInput(f"{path} {difference}; files that are read together need the same columns.")


def _check_columns(first: _Piece, piece: _Piece, names: Sequence[str]) -> None:
    index = set(_index_columns(piece)) | ({*first.names} - {*names} if piece.count < 2 else set())  # one row alone counts nothing
    _check_same(first.path, names, piece.path, [name for name in piece.names if name in names or name not in index])


def _common_type(name: str, pieces: Sequence[_Piece]) -> Any:
    """The Arrow type in which one column of all files can be held.

    Raises:
        BadInput: the files hold values of different types there.
    """
    import pyarrow as pa

    given = {piece.path: piece.types[name] for piece in pieces if not pa.types.is_null(piece.types[name])}
    kinds = {type_of(kind): path for path, kind in given.items()}
    if set(kinds) == {"text", "category"}:
        return pa.string()
    if len(kinds) > 1:
        (one, here), (other, there) = list(kinds.items())[:2]
        raise BadInput(
            f"column {name!r} is a {one} in {here} and a {other} in {there}; declare one type for it, as in dtype={{{name!r}: 'text'}}."
        )
    moments = any(map(pa.types.is_timestamp, given.values()))
    found = [pa.timestamp("us") if moments and pa.types.is_date(kind) else kind for kind in given.values()]  # a date is its midnight
    schemas = [pa.schema([(name, kind)]) for kind in dict.fromkeys(found)] or [pa.schema([(name, pa.null())])]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").types[0]
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(f"column {name!r} has different types in {', '.join(map(str, given))} ({one_line(error)}).") from error


def _index_columns(piece: _Piece) -> tuple[str, ...]:
    """Columns of a file that hold a row index."""
    found = list(piece.index)
    for place, name in enumerate(piece.names):
        if name == "" and place > 0:
            raise BadInput(f"column {place + 1} of {piece.path} has no name; name it, or remove the column.")
        if name == "" or _NAMED_INDEX.match(name) or (name in _LIKELY_INDEX and place == 0 and _counts_rows(piece, name)):
            found.append(name)
    return tuple(dict.fromkeys(found))


def _counts_rows(piece: _Piece, name: str) -> bool:
    import pyarrow as pa

    if not pa.types.is_integer(piece.types[name]) or len(piece.names) == 1 or piece.count < 2:
        return False
    column = piece.read([name], 0, piece.count).column(0)
    return column.null_count == 0 and bool((np.diff(column.to_numpy()) == 1).all())
