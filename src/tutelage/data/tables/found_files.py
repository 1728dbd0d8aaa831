"""Which files a path names, in which order, and the columns that stand in the names of their folders.

A folder may hold folders such as year=2024/month=3, as Hive, Spark and pyarrow write partitioned data sets: `year` and `month` are columns
then, whose cells are the same in all rows of a file.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath, RemotePath, listed

CSV, JSON_LINES, PARQUET = (".csv", ".tsv"), (".jsonl",), (".parquet",)
FORMATS = "a .parquet, .csv, .tsv or .jsonl file"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How a missing value is written in the name of a folder."""


def table_suffix(path: AnyPath) -> str:
    """The suffix that names the format, without .gz; "" for a file that is not a table."""
    suffix = PurePath(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return suffix if suffix in (*CSV, *JSON_LINES) or (suffix in PARQUET and path.suffix != ".gz") else ""


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
            BadInput: a file does not exist or is not a table, a folder or pattern yields none, or files lie in different folders.
        """
        found = [(path, depth) for one in given for path, depth in _found(one)]
        for path, _ in found:
            if not table_suffix(path):
                raise BadInput(f"cannot read a table from {path}; expected {FORMATS}.")
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


def _found(path: AnyPath) -> list[tuple[AnyPath, int]]:
    """The files that a path names, each with the number of its folders that name a column."""
    if _is_pattern(path):
        parts = path.parts
        plain = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        found: list[tuple[AnyPath, int]] = []
        for file in _matching(path):
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
    """The tables in a folder, and in folders below it that name columns; names that begin with a point or _ are not looked at there."""
    inside = sorted(listed(folder), key=lambda one: one[0].name)
    found = [(path, 0) for path, kind in inside if kind == "file" and table_suffix(path) and not path.name.startswith(".")]
    for below, kind in inside:
        if kind == "folder" and _is_column(below.name) and not below.name.startswith((".", "_")):
            found += [(path, depth + 1) for path, depth in _in_folder(below)]
    return found


def _is_pattern(path: AnyPath) -> bool:
    return glob.has_magic(path.key if isinstance(path, RemotePath) else str(path)) and not path.exists()


def _matching(pattern: AnyPath) -> list[AnyPath]:
    """The files that a pattern names, sorted."""
    if isinstance(pattern, RemotePath):
        return sorted(pattern.matching(), key=lambda path: path.parts)
    return sorted(Path(name) for name in glob.glob(str(pattern)))  # noqa: PTH207 - the pattern may be absolute


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
