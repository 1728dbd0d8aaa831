"""Tables in files of any format, one or many, with the same rows from each: columns by name, their types, and any part of the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import accumulate
from operator import or_
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ShapeError, did_you_mean, one_line
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.tables.column_types import TYPES, ColumnType, Known, literals_in, recorded_type, type_of
from tutelage.data.tables.found_files import PARQUET, FoundFiles, table_suffix
from tutelage.data.tables.pieces import Piece, check_same, pieces_of
from tutelage.data.tables.settled import READ_ROWS, Settled, common_type, settle, unsettled

SEARCHED_ROWS = 1 << 20
"""The first rows of Parquet files, in which texts such as NA are looked for; other files are in memory, and searched as a whole."""
_NAMED_INDEX = re.compile(r"^(Unnamed: 0([.]\d+)*|__index_level_\d+__)$")
_LIKELY_INDEX = ("index", "level_0", "rownames", "row_names")


def read_table(path: AnyPath, known: Mapping[str, Known] | None = None) -> Any:
    """Read a .parquet, .csv, .tsv or .jsonl file as one pyarrow Table, index columns included.

    Args:
        path: of the file.
        known: what is known of some columns.

    Raises:
        BadInput: another suffix, a file that does not exist, content that does not match the suffix, or one column name twice.
    """
    piece = pieces_of(FoundFiles.of([path]), known or {})[0][0]
    return piece.read(piece.names, 0, piece.count)


def searched(names: Sequence[str], count: int, part: Callable[[int, int], Any], step: int = 1 << 16) -> dict[str, frozenset[str]]:
    """The texts in some columns that would spell a gap, such as NA, in the first rows.

    Args:
        names: of columns of texts.
        count: rows to look at.
        part: `part(start, stop)` returns rows as an Arrow table that has these columns.
        step: rows to read at a time.
    """
    found = dict.fromkeys(names, frozenset[str]())
    for start in range(0, count if names else 0, step):
        table = part(start, min(start + step, count))
        found = {name: literals | literals_in(table.column(name)) for name, literals in found.items()}
    return found


@dataclass(frozen=True)
class TableSource:
    """The rows of one or more files.

    Attributes:
        files: the files, in the order of their rows, and what the names of their folders say.
        names: the columns, without a row index.
        types: the type of every column, index columns included; None for missing values only, or values that no model takes.
        count: number of rows.
        index: columns that hold a row index and are therefore no features.
        known: what is known of some columns: the types that were declared for them, or learnt elsewhere, and their literals.
    """

    files: FoundFiles
    names: tuple[str, ...]
    types: Mapping[str, ColumnType | None]
    count: int
    index: tuple[str, ...]
    known: Mapping[str, Known]
    _pieces: tuple[Piece, ...] = field(repr=False)
    _arrow_types: Mapping[str, Any] = field(repr=False)
    _spelt: Mapping[str, frozenset[str]] = field(repr=False)
    _searched: dict[str, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)
    _settled: dict[str, Settled] = field(default_factory=dict, repr=False, compare=False)

    @property
    def paths(self) -> tuple[AnyPath, ...]:
        """The files, in the order of their rows."""
        return self.files.paths

    @property
    def declared(self) -> dict[str, Known]:
        """The columns whose type the user declared."""
        return {name: known for name, known in self.known.items() if known.declared}

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

    def literals(self, names: Sequence[str]) -> dict[str, frozenset[str]]:
        """The texts in these columns that would spell a gap, such as NA: those that they hold, and those that were learnt of them.

        Of Parquet files, the first `SEARCHED_ROWS` rows are looked at.
        """
        texts = [name for name, kind in self.recorded_types(names).items() if kind == "text"]
        in_memory = not any(table_suffix(path) in PARQUET for path in self.paths)
        left = [name for name in texts if name not in self._searched]
        self._searched.update(searched(left, self.count if in_memory else min(self.count, SEARCHED_ROWS), partial(self.part, left)))
        found = {name: self._searched[name] for name in texts}
        learnt = {name: one.literals for name, one in self.known.items() if not one.declared}
        return {name: literals | learnt.get(name, frozenset()) for name, literals in found.items()}

    def settled(self, names: Sequence[str]) -> dict[str, Settled]:
        """What those of these columns hold in all rows of which a part would not show it.

        Parquet files say in their footers where whole numbers and truth values are missing. Categories, and columns of which a footer
        says nothing, are read, some rows at a time, and what they hold is kept.
        """
        import pyarrow as pa

        left = [name for name in unsettled(pa.schema([(name, self._arrow_types[name]) for name in names])) if name not in self._settled]
        filled = [piece for piece in self._pieces if piece.count]
        unsaid = [name for name in left if any(name not in piece.settled for piece in filled)]
        self._settled.update({name: reduce(or_, (piece.settled[name] for piece in filled)) for name in left if name not in unsaid})
        step = max(self.grain, READ_ROWS)
        starts = range(0, self.count if unsaid else 0, step)
        self._settled.update(settle(self.part(unsaid, start, min(start + step, self.count)) for start in starts))
        return {name: self._settled[name] for name in names if name in self._settled}

    def read_as_gaps(self, name: str) -> list[str]:
        """The texts of a column that are read as gaps, such as NA, and stand in the file."""
        return sorted(self._spelt.get(name, frozenset()) - self.known.get(name, Known()).literals - {""})

    def knowing(self, known: Mapping[str, Known]) -> TableSource:
        """The same files, read with what is known of some of their columns, none of which is a row index.

        A declared type stays, and so does one that was learnt before. The files are read again only if that changes something, and then
        for each column as if it were alone.

        Raises:
            BadInput: a column that does not have its type.
        """
        merged = {name: self._merged(name, one) for name, one in known.items()}
        again = bool(set(known) & set(self.index))
        for name, one in merged.items():
            before = self.known.get(name, Known())
            of_type = ("text", "any") if self.types[name] == "text" else (self.types[name],)
            again |= one.type not in (None, before.type, *of_type)
            again |= bool((one.literals - before.literals) & self._spelt.get(name, frozenset()))
        merged = {**self.known, **{name: one for name, one in merged.items() if one != Known()}}
        if again:
            return open_tables(self.files, known=merged, named=(*known, *self.names))
        return self if merged == self.known else replace(self, known=merged)

    def _merged(self, name: str, new: Known) -> Known:
        """What was known of a column, and what is."""
        old = self.known.get(name, Known())
        literals = old.literals | new.literals
        if new.declared and not old.declared:
            return replace(new, literals=literals)
        learnt = new.type if new.type is not None and new.type != self.recorded_types([name])[name] else None
        return replace(old, type=old.type or learnt, literals=literals)

    def part(self, names: Sequence[str], start: int, stop: int) -> Any:
        """Rows from `start` to `stop` of these columns, as an Arrow table, in which none of them is a row index any more.

        Raises:
            BadInput: cells of one file that the type of all files together does not hold.
        """
        import pyarrow as pa

        parts, first = [], 0
        for piece in self._pieces:
            begin, end = max(start - first, 0), min(stop - first, piece.count)
            if begin < end:
                parts.append(self._aligned(piece.read(names, begin, end), piece.path))
            first += piece.count
        return pa.concat_tables(parts, promote_options="permissive").replace_schema_metadata(None)  # pandas stores its index there

    def _aligned(self, table: Any, path: AnyPath) -> Any:
        """The table of a file with the types that all files have in common."""
        import pyarrow as pa

        for place, name in enumerate(table.column_names):
            kind = self._arrow_types[name]
            column = table.column(place)
            if column.type == kind or type_of(kind) == "category":
                continue
            try:
                table = table.set_column(place, name, column.cast(kind))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise BadInput(
                    f"column {name!r} of {path} holds {column.type}, of which cells do not fit into {kind}, the type of all files together "
                    f"({one_line(error)}). Store one type in all of them, or declare it, as in dtype={{{name!r}: 'text'}}."
                ) from error
        return table


def open_tables(
    given: Sequence[AnyPath] | FoundFiles,
    *,
    dtype: Mapping[str, str] | None = None,
    known: Mapping[str, Known] | None = None,
    named: Collection[str] = (),
) -> TableSource:
    """Open files as one table. Parquet files are read in parts when needed, others at once.

    A row index is not a column: a first column without a name, as pandas writes it, or named `Unnamed: 0`; the index in pandas'
    Parquet files; and a first column named `index`, `level_0` or `rownames` that counts the rows, of which there are two or more.

    Args:
        given: files, folders of files, or patterns such as `part-*.csv`; the rows of several files follow each other.
        dtype: the type of some columns, as {"column": "text"}.
        known: what else is known of some columns.
        named: columns that the caller names; they are columns even if they look like an index.

    Raises:
        BadInput: a file that cannot be read, one column name twice, files of different columns or types, or a column that does not
            have its declared type.
        ShapeError: no rows.
    """
    expected = {**(known or {}), **_checked(dtype or {})}
    files = given if isinstance(given, FoundFiles) else FoundFiles.of(given)
    pieces, spelt = pieces_of(files, expected)
    described = [piece for piece in pieces if piece.count or {*piece.names} - {*files.names}]  # an empty file of JSON lines has no columns
    filled = [piece for piece in described if piece.count]
    first = next(iter([*filled, *described]), pieces[0])
    declared = [name for name, one in expected.items() if one.declared]
    index = tuple(name for name in _index_columns(first) if name not in {*named, *declared})
    names = tuple(name for name in first.names if name not in index)
    if not names and described:
        raise BadInput(f"{first.path} has no columns; expected a table with at least one.")
    for name in declared if described else ():
        if name not in first.names:
            raise BadInput(f"{first.path} has no column {name!r}, for which a type is declared.{did_you_mean(name, first.names)}")
    for piece in described:
        _check_columns(first, piece, names)
    if not filled:
        raise ShapeError(f"{first.path} has no rows; give at least one.")
    everywhere = [name for name in first.names if all(name in piece.names for piece in filled)]
    arrow_types = {name: _common_type(name, filled) for name in everywhere}
    types = {name: type_of(kind) for name, kind in arrow_types.items()}
    return TableSource(files, names, types, sum(piece.count for piece in filled), index, expected, tuple(pieces), arrow_types, spelt)


def _checked(dtype: Mapping[str, str]) -> dict[str, Known]:
    for name, kind in dtype.items():
        if kind not in TYPES:
            raise BadInput(f"the type of column {name!r} is {kind!r}; expected one of {', '.join(TYPES)}.{did_you_mean(kind, TYPES)}")
    return {name: Known.by_user(kind) for name, kind in dtype.items() if kind in TYPES}


def _check_columns(first: Piece, piece: Piece, names: Sequence[str]) -> None:
    index = set(_index_columns(piece)) | ({*first.names} - {*names} if piece.count < 2 else set())  # one row alone counts nothing
    check_same(first.path, names, piece.path, [name for name in piece.names if name in names or name not in index])


def _common_type(name: str, pieces: Sequence[Piece]) -> Any:
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
    try:
        return common_type(given.values())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(f"column {name!r} has different types in {', '.join(map(str, given))} ({one_line(error)}).") from error


def _index_columns(piece: Piece) -> tuple[str, ...]:
    """Columns of a file that hold a row index."""
    found = list(piece.index)
    for place, name in enumerate(piece.names):
        if name == "" and place > 0:
            raise BadInput(f"column {place + 1} of {piece.path} has no name; name it, or remove the column.")
        if name == "" or _NAMED_INDEX.match(name) or (name in _LIKELY_INDEX and place == 0 and _counts_rows(piece, name)):
            found.append(name)
    return tuple(dict.fromkeys(found))


def _counts_rows(piece: Piece, name: str) -> bool:
    import pyarrow as pa

    if not pa.types.is_integer(piece.types[name]) or len(piece.names) == 1 or piece.count < 2:
        return False
    column = piece.read([name], 0, piece.count).column(0)
    return column.null_count == 0 and bool((np.diff(column.to_numpy()) == 1).all())
