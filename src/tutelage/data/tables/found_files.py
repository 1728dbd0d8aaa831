"""Which files a path names, in which order, and the columns that stand in the names of their folders.

A folder may hold folders such as year=2024/month=3, as Hive, Spark and pyarrow write partitioned data sets: `year` and `month` are columns
then, whose cells are the same in all rows of a file.

No file of a folder whose ending says that it holds rows is left out without a word: nobody misses rows that are not there. Names that
begin with a point, and folders whose names begin with _, are not looked at, as those systems have it, nor folders that a command of ours
wrote, and environments of Python.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tutelage.core.errors import BadInput, TutelageError
from tutelage.core.file_systems.paths import AnyPath, RemotePath, listed, suffix_of
from tutelage.core.stored.checksums import LARGEST_JSON, intact
from tutelage.data.tables.parquet_parts import OF_A_RECORDING, footer_of

CSV, JSON_LINES, PARQUET = (".csv", ".tsv"), (".jsonl",), (".parquet",)
FORMATS = "a .parquet, .csv, .tsv or .jsonl file"
NO_TABLES = (".npy", ".npz", ".ndjson", ".feather", ".arrow", ".orc", ".avro", ".xls", ".xlsx", ".ods", ".pq", ".parq", ".psv")
"""Files that hold rows, and are not read as tables."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
OWN_RECORDS = ("manifest.json", "plan.json", "run.json", "results.json", "paper.json")
"""Records by which a folder that a command of ours wrote is known, if their checksum is right."""
MOST_LISTED = 64
"""Folders of another file system that are looked into for rows that would be left out."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How a missing value is written in the name of a folder."""


def table_suffix(path: AnyPath) -> str:
    """The suffix that names the format, without .gz; "" for a file that is not a table."""
    last = suffix_of(path)
    suffix = suffix_of(Path(path.stem)) if last == ".gz" else last
    return suffix if suffix in (*CSV, *JSON_LINES) or (suffix in PARQUET and last != ".gz") else ""


def is_table(path: AnyPath) -> bool:
    """Whether this path names a table: a file of a known format, a folder, or a pattern such as `part-*.csv`."""
    return bool(table_suffix(path)) or path.is_dir() or _is_pattern(path)


@dataclass(frozen=True)
class FoundFiles:
    """Files whose rows follow each other.

    Attributes:
        paths: the files, in the order of their rows.
        folders: the number of folders of each path that name a column.
    """

    paths: tuple[AnyPath, ...]
    folders: int = 0

    @classmethod
    def of(cls, given: Sequence[AnyPath]) -> FoundFiles:
        """The files that paths name: a file itself, the tables in a folder or of a pattern sorted by the names on their way.

        Raises:
            BadInput: a file does not exist, is not a table or is named twice; a folder or pattern yields none, a folder holds rows that
                would be left out, or files lie in different folders.
        """
        found = [(path, depth) for one in given for path, depth in _found(one)]
        for path, _ in found:
            if not table_suffix(path):
                raise BadInput(f"cannot read a table from {path}; expected {FORMATS}.")
        _check_once([path for path, _ in found])
        first, folders = found[0]
        for path, depth in found:
            names, expected = _names(path, depth), _names(first, folders)
            if names != expected:
                raise BadInput(
                    f"{path} lies in folders of {_quoted(names)}, and {first} in folders of {_quoted(expected)}; expected all files in "
                    "folders of the same columns, in the same order."
                )
        return cls(tuple(path for path, _ in found), folders)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the names of folders."""
        return _names(self.paths[0], self.folders)

    def columns(self) -> dict[str, Any]:
        """An Arrow column of one text for each file, as it stands, for each column in the names of folders; null for a missing value.

        Raises:
            BadInput: a column occurs twice.
        """
        import pyarrow as pa

        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"{self.paths[0]} lies in two folders of the column {twice!r}; expected one of each column.")
        folders = [_folders(path, self.folders) for path in self.paths]
        return {name: pa.chunked_array([[_cell(one[place]) for one in folders]], pa.string()) for place, name in enumerate(self.names)}


def local_tables(given: Sequence[AnyPath], *, target: Path) -> list[Path]:
    """The files of this machine that paths of rows name, and every table in their folders: what must not be written over.

    Args:
        given: files of any format, folders and patterns. Those that name nothing give nothing.
        target: what is to be written; a new file replaces nothing, and nothing is looked for.
    """
    found: list[Path] = []
    for path in (one for one in given if isinstance(one, Path) and target.exists()):
        files = path.rglob("*") if path.is_dir() else _matching(path) if _is_pattern(path) else [path]
        found += [file for file in files if isinstance(file, Path) and (table_suffix(file) or not path.is_dir())]
    return found


def _found(path: AnyPath) -> list[tuple[AnyPath, int]]:
    """The files that a path names, each with the number of its folders that name a column."""
    if _is_pattern(path):
        parts = path.parts
        plain = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        found: list[tuple[AnyPath, int]] = []
        for file in _matching(path):
            _check_link(file)
            between = file.parts[plain:-1]
            found.append((file, len(between) if between and all(map(_is_column, between)) else 0))
    elif table_suffix(path) and path.is_file():
        found = [(path, 0)]
    elif path.is_dir():
        found = _in_folder(path)
    elif table_suffix(path):
        raise BadInput(f"there is no file {path}; name the file that holds the rows.")
    else:
        raise BadInput(f"cannot read a table from {path}; expected {FORMATS}.")
    if not found:
        raise BadInput(f"{path} names no table; expected {FORMATS}, or a folder of them.")
    return found


def _in_folder(folder: AnyPath) -> list[tuple[AnyPath, int]]:
    """The tables in a folder, and in folders below it that name columns; names that begin with a point or _ are not looked at there.

    Raises:
        BadInput: it holds rows that would be left out: files of other kinds, folders of other names, or links to nothing.
    """
    inside = sorted((one for one in listed(folder) if not one[0].name.startswith(".")), key=lambda one: one[0].name)
    found = [(path, 0) for path, kind in inside if kind == "file" and table_suffix(path)]
    below = [path for path, kind in inside if kind == "folder" and not path.name.startswith("_")]
    _check_all_read(folder, inside, [path for path in below if not _is_column(path.name)])
    for path in below:
        if _is_column(path.name):
            found += [(one, depth + 1) for one, depth in _in_folder(path)]
    return found


def _check_all_read(folder: AnyPath, inside: Sequence[tuple[AnyPath, str]], others: Sequence[AnyPath]) -> None:
    """Check that nothing in a folder would be left out.

    Args:
        folder: that is read.
        inside: what lies in it, but for hidden names.
        others: the folders among that whose names are no columns.

    Raises:
        BadInput: something would.
    """
    for path, _ in inside:
        _check_link(path)
    end = next((table_suffix(path) for path, _ in inside if table_suffix(path)), "")
    read = {path.name for path, _ in inside if table_suffix(path)}
    odd = next(
        (
            path
            for path, kind in inside
            if kind == "file" and _holds_rows(path) and not path.name.startswith("_") and path.stem not in read  # a compressed copy
        ),
        None,
    )
    if odd is not None:
        raise BadInput(
            f"{odd} would be left out of the rows of {folder}: expected no other files of rows beside {FORMATS}. Move it elsewhere, or "
            f"name what is to be read by a pattern such as '{folder}/*{end or '.csv'}'."
        )
    deeper = next((file for path in others for file in _rows_below(path)), None)
    if deeper is not None:
        end = end or table_suffix(deeper) or ".csv"
        raise BadInput(
            f"{deeper} would be left out of the rows of {folder}: folders below it are read if they name a column, as in year=2024. Name "
            f"what is to be read by a pattern: '{folder}/*{end}' leaves such folders out, and '{folder}/**/*{end}' takes all in."
        )


def _check_link(path: AnyPath) -> None:
    """Check that a path is no link to nothing.

    Raises:
        BadInput: it is.
    """
    if isinstance(path, Path) and path.is_symlink() and not path.exists():
        raise BadInput(f"{path} is a link to nothing, and rows may be missing; mend the link, or remove it.")


def _holds_rows(path: AnyPath) -> bool:
    """Whether a file that is no table is likely to hold rows."""
    inner = suffix_of(Path(path.stem)) if suffix_of(path) in COMPRESSED else suffix_of(path)
    return not table_suffix(path) and inner in (*CSV, *JSON_LINES, *PARQUET, *NO_TABLES)


def _rows_below(folder: AnyPath) -> Iterator[AnyPath]:
    """Files below a folder that hold rows; names that begin with a point or _ are not looked at, nor what is no data of the user's.

    On another file system, where a listing takes a while, `MOST_LISTED` folders are looked into.
    """
    for place, files in _remote_places_below(folder) if isinstance(folder, RemotePath) else _places_below(folder):
        shown = [file for file in files if not file.name.startswith((".", "_"))]
        if not _is_no_data(place, shown):
            yield from (file for file in shown if table_suffix(file) or _holds_rows(file))


def _places_below(folder: Path) -> Iterator[tuple[AnyPath, list[AnyPath]]]:
    """A folder and those below it, each with its files; environments of Python, and what lies in them, are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = [] if "pyvenv.cfg" in names else sorted(name for name in folders if not name.startswith((".", "_")))
        yield Path(place), [Path(place) / name for name in sorted(names)]


def _remote_places_below(folder: RemotePath) -> Iterator[tuple[AnyPath, list[AnyPath]]]:
    """The same on another file system, the folders above first."""
    left: list[AnyPath] = [folder]
    for _ in range(MOST_LISTED):
        if not left:
            return
        inside = sorted(listed(left[0]), key=lambda one: one[0].name)
        yield left[0], [path for path, kind in inside if kind == "file"]
        left = left[1:] + [path for path, kind in inside if kind == "folder" and not path.name.startswith((".", "_"))]


def _is_no_data(folder: AnyPath, files: Sequence[AnyPath]) -> bool:
    """Whether a folder holds what a command wrote beside the rows, a recording or a run, or is an environment of Python."""
    names = {file.name: file for file in files}
    if "pyvenv.cfg" in names:
        return True
    records = [names[name] for name in OWN_RECORDS if name in names]
    shards = [file for file in files if file.name.startswith("part-") and table_suffix(file) in PARQUET]
    return any(map(_is_record, records)) or (bool(shards) and OF_A_RECORDING in (footer_of(shards[0]) or {}))


def _is_record(path: AnyPath) -> bool:
    """Whether a JSON file carries a checksum of ours."""
    try:
        values = json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST_JSON else None
    except (OSError, ValueError, TutelageError):
        return False
    return isinstance(values, dict) and intact(values)


def _check_once(paths: Sequence[AnyPath]) -> None:
    """Check that no file is read twice, by whatever names. Two links to a file that is named itself nowhere may be equal shards.

    Raises:
        BadInput: one is.
    """
    known: dict[AnyPath, AnyPath] = {}
    for path in sorted(paths, key=lambda path: isinstance(path, Path) and path.is_symlink()):  # what links lead to before them
        place = path.parent.resolve() / path.name if isinstance(path, Path) else path
        twice = known.get(place) or (known.get(path.resolve()) if isinstance(path, Path) else None)
        if twice is not None:
            also = "" if str(twice) == str(path) else f", also as {twice}"
            raise BadInput(f"{path} is named twice{also}, and its rows would count twice; name each file once.")
        known[place] = path


def _is_pattern(path: AnyPath) -> bool:
    return glob.has_magic(path.key if isinstance(path, RemotePath) else str(path)) and not path.exists()


def _matching(pattern: AnyPath) -> list[AnyPath]:
    """The files that a pattern names, sorted."""
    if isinstance(pattern, RemotePath):
        return sorted(pattern.matching(), key=lambda path: path.parts)
    found = map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - the pattern may be absolute
    return sorted(path for path in found if not path.is_dir())


def _is_column(folder: str) -> bool:
    return folder.find("=") > 0


def _folders(path: AnyPath, depth: int) -> tuple[str, ...]:
    return path.parts[-1 - depth : -1]


def _names(path: AnyPath, depth: int) -> tuple[str, ...]:
    return tuple(unquote(folder.partition("=")[0]) for folder in _folders(path, depth))


def _cell(folder: str) -> str | None:
    text = unquote(folder.partition("=")[2])
    return None if text in ("", NO_VALUE) else text


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) if names else "no column"
