"""A file of rows and the roles of its columns: features, ground truth, dropped."""

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

MAX_DROP_COLUMNS = 6


@dataclass(frozen=True, eq=False)
class TableFile:
    """Rows in a .parquet, .csv, .jsonl or .npy file. From a Parquet file, only the requested columns are read.

    Attributes:
        path: the file.
        columns: the names of all columns; empty for .npy.
        truth: columns of the ground truth, which are not features.
        drop: other columns that are not features, such as ids.
        text: the single column whose texts are the rows.
    """

    path: Path
    columns: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    text: str | None = None

    @classmethod
    def open(cls, path: Path, *, truth: Sequence[str] = (), drop: Sequence[str] = (), text: str | None = None) -> TableFile:
        """Open a file and read its column names; rows are read later.

        Args:
            path: the file.
            truth: columns of the ground truth.
            drop: other columns that are not features.
            text: the single column whose texts are the rows.

        Raises:
            BadInput: the file or a column does not exist, the file has no column names, or no feature is left.
            ShapeError: no rows.
        """
        named = (*truth, *drop, *([text] if text is not None else []))
        if path.suffix not in (".parquet", ".csv", ".jsonl"):
            as_rows(path)
            if named:
                raise BadInput(f"{path} has no column names, so there is no column {named[0]!r}; use a .parquet, .csv or .jsonl file.")
            return cls(path)
        if not path.is_file():
            raise BadInput(f"there is no file {path}; name the file that holds the rows.")
        source = cls(path).source
        columns = tuple(source.names)
        if source.count == 0:
            raise ShapeError(f"{path} has no rows; give at least one.")
        for name in named:
            if name not in columns:
                raise BadInput(f"{path} has no column {name!r}; it has {_listed(columns)}.{did_you_mean(name, columns)}")
        if text is not None and text in (*truth, *drop):
            raise BadInput(f"the column {text!r} holds the texts and cannot be the ground truth or dropped as well; name another column.")
        opened = cls(path, columns, tuple(truth), tuple(drop), text)
        if not opened.features:
            raise BadInput(f"no column of {path} is left as a feature; drop fewer columns.")
        return opened

    @property
    def features(self) -> tuple[str, ...]:
        """The feature columns."""
        return (self.text,) if self.text is not None else tuple(name for name in self.columns if name not in (*self.truth, *self.drop))

    def rows(self) -> Rows:
        """The rows that a model sees: texts, a frame of `features`, or the matrix of a .npy file."""
        return self.rows_of(self.features)

    def choices(self) -> Iterator[tuple[str, ...]]:
        """The sets of columns for which answers to these rows may have been recorded, the most likely first.

        The first is `features`. The others exclude fewer columns: a subset of `drop`, with or without the ground truth. If `drop`
        has more than MAX_DROP_COLUMNS columns, only all or none of them are excluded.
        """
        sizes = range(len(self.drop), -1, -1) if len(self.drop) <= MAX_DROP_COLUMNS else (len(self.drop), 0)
        excluded = [(*truth, *drop) for truth in (self.truth, ()) for size in sizes for drop in combinations(self.drop, size)]
        candidates = (tuple(name for name in self.columns if name not in names) for names in excluded)
        yield from (names for names in dict.fromkeys((self.features, *candidates)) if names or not self.columns)

    def sibling(self, path: Path) -> TableFile:
        """Open another file with the same column roles, as far as it has these columns.

        Raises:
            as `open`.
        """
        available = TableFile.open(path).columns
        truth, drop = ([name for name in names if name in available] for names in (self.truth, self.drop))
        return TableFile.open(path, truth=truth, drop=drop, text=self.text)

    def rows_of(self, names: Sequence[str]) -> Rows:
        """The rows, with these columns only."""
        if not self.columns:
            return as_rows(self.path)
        part = self.source.part(names)
        if self.text is not None and tuple(names) == (self.text,):
            return Rows(self.source.count, lambda start, stop: _texts(part(start, stop), self.path, start), "list of texts")
        kind = "Parquet file" if self.path.suffix == ".parquet" else "Arrow table"
        return Rows(self.source.count, lambda start, stop: frame_of(part(start, stop)), kind)

    def truth_values(self) -> NDArray[Any] | None:
        """The ground truth: (rows,) for one column, (rows, columns) for more, None if there is none.

        Raises:
            BadInput: an empty cell.
        """
        if not self.truth:
            return None
        columns = [self.values(name) for name in self.truth]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def values(self, name: str) -> NDArray[Any]:
        """(rows,) values of one column.

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
        """The file's columns, its number of rows, and a reader of some of the columns."""
        if self.path.suffix == ".parquet":
            import pyarrow.parquet as pq

            count, schema = ParquetParts(self.path).count, pq.read_schema(self.path)
            index = (schema.pandas_metadata or {}).get("index_columns", [])  # pandas stores its row index there
            names = tuple(name for name in schema.names if name not in index)
            return _Source(names, count, lambda names: ParquetParts(self.path, names).table)
        table = read_table(self.path)

        def part(names: Sequence[str]) -> Callable[[int, int], Any]:
            chosen = table.select(list(names))
            return lambda start, stop: chosen.slice(start, stop - start)

        return _Source(tuple(table.column_names), table.num_rows, part)


@dataclass(frozen=True)
class _Source:
    """Column names, number of rows, and a reader: `part(names)(start, stop)` returns an Arrow table."""

    names: tuple[str, ...]
    count: int
    part: Callable[[Sequence[str]], Callable[[int, int], Any]]


def _texts(table: Any, path: Path, start: int) -> list[str]:
    texts = table.column(0).to_pylist()
    for row, text in enumerate(texts, start):
        if not isinstance(text, str):
            found = "is empty" if text is None else f"holds a {type(text).__name__}"
            raise BadInput(f"row {row} of {path} {found} where a text is expected (column {table.column_names[0]!r}); fill or drop it.")
    return list(texts)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:12])) + (", ..." if len(names) > 12 else "")
