"""Delimited text as an Arrow table of texts: separator, encoding, line breaks in quotes. `column_types` says what the texts mean."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from tutelage.core.errors import BadInput, one_line
from tutelage.core.file_systems.copies import seekable
from tutelage.core.file_systems.paths import AnyPath, suffix_of
from tutelage.data.tables.column_types import inferred

SEPARATORS = ",;\t|"
HEAD_BYTES = 1 << 20
"""The header is looked for in so many bytes at the beginning of the file."""
BLOCK_BYTES = (1 << 24, 1 << 27, 1 << 30)
"""Arrow reads blocks of the first size; if one row is longer, of the next."""


def is_gzip(path: AnyPath) -> bool:
    """Whether the file's name says that it is compressed with gzip."""
    return suffix_of(path) == ".gz"


@dataclass(frozen=True)
class TextFile:
    """A file whose bytes are read more than once; one of another file system is fetched once.

    Attributes:
        path: of the file.
        content: what it is read from.
    """

    path: AnyPath
    content: Path | io.BytesIO

    @classmethod
    def of(cls, path: AnyPath) -> TextFile:
        """The file at a path."""
        return cls(path, seekable(path))

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The bytes from the start, decompressed."""
        with self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content.getbuffer()) as file:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_gzip(self.path) else file


@dataclass(frozen=True)
class Delimited:
    """The cells of a file of delimited text.

    Attributes:
        table: (rows, columns) texts as they stand in the file, null where a cell without quotes is empty.
        decimal_commas: whether 1,5 is the number 1.5 in its columns of numbers: those of a file with semicolons.
    """

    table: Any
    decimal_commas: bool


def read_texts(path: AnyPath) -> Delimited:
    """Read delimited text.

    The separator is the one of comma, semicolon, tab and | that occurs most often in the header. A byte order mark names UTF-8 or
    UTF-16; a file without one is UTF-8.

    Raises:
        BadInput: a column without a name or two of one name, rows of unequal length, a quote that is never closed, or another
            encoding; also a damaged file.
    """
    import pyarrow as pa
    import pyarrow.csv as pcsv

    try:
        texts = TextFile.of(path)
        with texts.opened() as file:
            head = file.read(HEAD_BYTES)
        encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        names, separator = _header(path, head.decode(encoding, errors="ignore"))
        options: dict[str, Any] = {
            "parse_options": pcsv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=len(names) > 1),
            "convert_options": pcsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        }
        encoding = "utf8" if encoding == "utf-8-sig" else encoding
        table = _in_blocks(lambda size: _read_csv(texts, pcsv.ReadOptions(block_size=size, encoding=encoding), **options))
        found = list(table.column_names)
    except (pa.ArrowException, OSError, EOFError, UnicodeError) as error:
        _check_encoding(path, error)
        raise BadInput(f"{path} cannot be read as a table ({one_line(error)}).") from error
    if found != names:
        raise BadInput(f"the first line of {path} cannot be read as column names; write them as one line of text.")
    _check_closed(texts, table, separator, encoding)
    table = _without_gaps(path, table)
    return Delimited(_without_blank_end(table) if len(names) == 1 else table, separator == ";")


def _check_closed(texts: TextFile, table: Any, separator: str, encoding: str) -> None:
    """Refuse a file whose end is inside quotes: from there on, all of its lines would be one cell.

    Arrow reads such a cell as it stands, so the file then ends in a quote and the text of its last cell.
    """
    last = table.column(table.num_columns - 1)[-1].as_py() if table.num_rows else None
    if last is None:
        return
    quoted = '"' + last.replace('"', '""')
    ends = tuple(mark + quoted for mark in ((separator,) if table.num_columns > 1 else ("\n", "\r")))
    tail, breaks, size = "", 0, max(1 << 20, len(quoted) + 1)
    with texts.opened() as file, io.TextIOWrapper(file, encoding, errors="replace", newline="") as text:
        while part := text.read(size):
            breaks += part.count("\n")
            tail = (tail + part)[-size:]
    if tail.endswith(ends):
        raise BadInput(
            f"{texts.path} ends inside a quoted cell: the quote that opens in line {breaks - last.count(chr(10)) + 1} is never closed. "
            'Close it, or write a quote within a cell as "".'
        )


def _read_csv(texts: TextFile, options: Any, **others: Any) -> Any:
    import pyarrow.csv as pcsv

    if isinstance(texts.content, Path) and is_gzip(texts.path) == (texts.content.suffix == ".gz"):  # Arrow goes by small letters
        return pcsv.read_csv(texts.content, options, **others)
    with texts.opened() as file:
        return pcsv.read_csv(file, options, **others)


def _in_blocks(read: Any) -> Any:
    import pyarrow as pa

    for size in BLOCK_BYTES:
        try:
            return read(size)
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or size == BLOCK_BYTES[-1]:
                raise
    return None


def read_json_lines(path: AnyPath) -> Any:
    """Read a file of JSON objects, one a line, as an Arrow table; without columns if there is no line.

    Moments remain texts. Whole numbers of more than 63 bits become uint64, or texts if they do not fit.

    Raises:
        BadInput: a line is not such an object, or one column holds values of several types.
    """
    import pyarrow as pa

    try:
        with TextFile.of(path).opened() as file:
            content = file.read()
        if not content.strip():
            return pa.table({})
        table = _parsed(content, {})
        moments = {one.name: pa.string() for one in table.schema if pa.types.is_timestamp(one.type)}  # Arrow drops their zones
        table = _parsed(content, moments).select(table.column_names) if moments else table
        return _with_large_numbers(table, content)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise BadInput(f"{path} cannot be read as lines of JSON objects ({one_line(error)}).") from error


def _parsed(content: bytes, types: dict[str, Any]) -> Any:
    import pyarrow as pa
    import pyarrow.json as pjson

    options = pjson.ParseOptions(newlines_in_values=False, explicit_schema=pa.schema(types) if types else None)
    return _in_blocks(
        lambda size: pjson.read_json(io.BytesIO(content), pjson.ReadOptions(block_size=max(1 << 20, size)), parse_options=options)
    )


def _with_large_numbers(table: Any, content: bytes) -> Any:
    """The table with the digits of whole numbers of more than 63 bits, of which Arrow makes floats."""
    import pyarrow as pa

    large = [
        place
        for place, column in enumerate(table.columns)
        if pa.types.is_floating(column.type) and bool((np.abs(column.to_numpy()) >= 2.0**63).any())
    ]
    objects = [json.loads(line) for line in content.splitlines() if line.strip()] if large else []
    for place in large:
        name = table.column_names[place]
        cells = [row.get(name) for row in objects]
        if all(cell is None or isinstance(cell, int) for cell in cells):
            texts = pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
            table = table.set_column(place, name, inferred(pa.chunked_array([texts])))
    return table


def _header(path: AnyPath, head: str) -> tuple[list[str], str]:
    """The column names and the separator."""
    text = head.lstrip("\r\n")
    if "\x00" in text.partition("\n")[0]:
        raise BadInput(f"{path} is not a text file; expected a table with column names in its first line.")
    quoted, counts = False, dict.fromkeys(SEPARATORS, 0)
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "\r\n":
            break
        elif not quoted and letter in counts:
            counts[letter] += 1
    separator = "\t" if ".tsv" in map(str.lower, path.suffixes) else max(SEPARATORS, key=counts.__getitem__)
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    return names, separator


def _check_encoding(path: AnyPath, error: BaseException) -> None:
    """Raise the sentence for a file that is not UTF-8, if that is the cause."""
    if "UTF" not in str(error).upper():
        return
    with TextFile.of(path).opened() as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as invalid:
                raise BadInput(
                    f"{path} is not UTF-8 (byte 0x{line[invalid.start]:02x} in line {number}); it may be Latin-1 or Windows-1252. "
                    "Save it as UTF-8, for example with: iconv -f CP1252 -t UTF-8."
                ) from error


def _without_gaps(path: AnyPath, table: Any) -> Any:
    """A table without empty columns that have no name, which a separator at the end of every line makes.

    The first columns without a name hold the row index; after the first of them, they are named as pandas names them.
    """
    names = table.column_names
    index = next((place for place, name in enumerate(names) if name), 1)
    used = [place for place, name in enumerate(names) if name or place < index or table.column(place).null_count < table.num_rows]
    unnamed = next((place for place in used if place >= index and not names[place]), None)
    if unnamed is not None:
        raise BadInput(f"column {unnamed + 1} of {path} has no name; name it, or remove the column.")
    return table.select(used).rename_columns([f"Unnamed: 0.{place}" if 0 < place < index else names[place] for place in used])


def _without_blank_end(table: Any) -> Any:
    """A table of one column without the empty lines at its end."""
    column, count = table.column(0), table.num_rows
    while count and not column[count - 1].is_valid:
        count -= 1
    return table.slice(0, count)
