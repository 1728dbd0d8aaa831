"""A file of rows, and what its columns are for: which are shown, which hold the truth, which are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, did_you_mean
from tutelage.data.rows import ParquetParts, Rows, as_rows, frame_of, read_table

MOST_LEFT_OUT = 6


@dataclass(frozen=True, eq=False)
class TableFile:
    """Rows in a .parquet, .csv, .jsonl or .npy file; of a Parquet file only the columns that are asked for are read.

    Attributes:
        path: the file.
        columns: the names of all its columns; none for .npy.
        truth: columns that hold the truth. They are no feature.
        drop: columns that are no feature either, such as ids.
        text: the one column whose texts are the rows.
    """

    path: Path
    columns: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    text: str | None = None

    @classmethod
    def open(cls, path: Path, *, truth: Sequence[str] = (), drop: Sequence[str] = (), text: str | None = None) -> TableFile:
        """Open a file and find the columns; rows are read later.

        Raises:
            BadInput: no such file or column, columns of a file that names none, or none left to be a feature.
            ShapeError: no rows.
        """
        named = (*truth, *drop, *([text] if text is not None else []))
        if path.suffix not in (".parquet", ".csv", ".jsonl"):
            as_rows(path)
            if named:
                raise BadInput(f"{path} has no named columns, so none is {named[0]!r}; use a .parquet, .csv or .jsonl file.")
            return cls(path)
        if not path.is_file():
            raise BadInput(f"there is no file {path}; name the file that holds the rows.")
        unlabelled = cls(path)
        columns = tuple(unlabelled.source.names)
        if unlabelled.source.count == 0:
            raise ShapeError(f"{path} has no rows; give at least one.")
        for name in named:
            if name not in columns:
                raise BadInput(f"{path} has no column {name!r}; it has {_listed(columns)}.{did_you_mean(name, columns)}")
        if text is not None and text in (*truth, *drop):
            raise BadInput(f"the column {text!r} holds the texts, and cannot be the truth or left out as well.")
        opened = cls(path, columns, tuple(truth), tuple(drop), text)
        if not opened.features:
            raise BadInput(f"no column of {path} is left to learn from; leave fewer out.")
        return opened

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that make a row."""
        return (self.text,) if self.text is not None else tuple(name for name in self.columns if name not in (*self.truth, *self.drop))

    def rows(self) -> Rows:
        """The rows as they are shown: texts, a frame of `features`, or the matrix of a .npy file."""
        return self.rows_of(self.features)

    def choices(self) -> Iterator[tuple[str, ...]]:
        """Which columns somebody else may have been shown of the same rows, the likeliest first.

        They are `features`, and then whatever leaves out less: some of `drop`, or not even the truth. Of more than
        MOST_LEFT_OUT columns in `drop`, all or none.
        """
        sizes = range(len(self.drop), -1, -1) if len(self.drop) <= MOST_LEFT_OUT else (len(self.drop), 0)
        left_out = [(*truth, *drop) for truth in (self.truth, ()) for size in sizes for drop in combinations(self.drop, size)]
        shown = (tuple(name for name in self.columns if name not in left) for left in left_out)
        yield from (names for names in dict.fromkeys((self.features, *shown)) if names or not self.columns)

    def sibling(self, path: Path) -> TableFile:
        """Another file whose columns are for the same, as far as it has them.

        Raises:
            as `open`.
        """
        there = TableFile.open(path).columns
        truth, drop = ([name for name in names if name in there] for names in (self.truth, self.drop))
        return TableFile.open(path, truth=truth, drop=drop, text=self.text)

    def rows_of(self, names: Sequence[str]) -> Rows:
        """The rows of some columns, in parts."""
        if not self.columns:
            return as_rows(self.path)
        part = self.source.part(names)
        if self.text is not None and tuple(names) == (self.text,):
            return Rows(self.source.count, lambda start, stop: _texts(part(start, stop), self.path, start), "list of texts")
        of = "Parquet file" if self.path.suffix == ".parquet" else "Arrow table"
        return Rows(self.source.count, lambda start, stop: frame_of(part(start, stop)), of)

    def truth_values(self) -> NDArray[Any] | None:
        """(rows,) of one truth column, (rows, columns) of several, None if no column is named.

        Raises:
            BadInput: an empty cell.
        """
        if not self.truth:
            return None
        columns = [self.values(name) for name in self.truth]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def values(self, name: str) -> NDArray[Any]:
        """(rows,) of one column, as plain values.

        Raises:
            BadInput: an empty cell.
        """
        cells = self.source.part([name])(0, self.source.count).column(0).to_pylist()
        empty = [row for row, cell in enumerate(cells) if cell is None or cell != cell]  # noqa: PLR0124 - NaN is not itself
        if empty:
            raise BadInput(f"column {name!r} of {self.path} has {len(empty)} empty cells (first: row {empty[0]}); fill or drop those rows.")
        return np.asarray(cells)

    @cached_property
    def source(self) -> _Source:
        """The file's columns and how to read some of them."""
        if self.path.suffix == ".parquet":
            import pyarrow.parquet as pq

            count, schema = ParquetParts(self.path).count, pq.read_schema(self.path)
            index = (schema.pandas_metadata or {}).get("index_columns", [])  # pandas keeps its row labels there
            names = tuple(name for name in schema.names if name not in index)
            return _Source(names, count, lambda names: ParquetParts(self.path, names).table)
        table = read_table(self.path)

        def part(names: Sequence[str]) -> Callable[[int, int], Any]:
            chosen = table.select(list(names))
            return lambda start, stop: chosen.slice(start, stop - start)

        return _Source(tuple(table.column_names), table.num_rows, part)


@dataclass(frozen=True)
class _Source:
    """names, how many rows, and `part(names)(start, stop)` as an Arrow table."""

    names: tuple[str, ...]
    count: int
    part: Callable[[Sequence[str]], Callable[[int, int], Any]]


def _texts(table: Any, path: Path, start: int) -> list[str]:
    texts = table.column(0).to_pylist()
    for row, text in enumerate(texts, start):
        if not isinstance(text, str):
            held = "is empty" if text is None else f"holds a {type(text).__name__}"
            raise BadInput(f"row {row} of {path} {held} where a text is expected (column {table.column_names[0]!r}); fill or drop it.")
    return list(texts)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:12])) + (", ..." if len(names) > 12 else "")
