"""Parts of Parquet files: one row group of a file in memory, a few files of a table open, and none that was replaced since."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, one_line
from tutelage.core.file_systems.copies import random_access
from tutelage.core.file_systems.paths import AnyPath, RemotePath, asked
from tutelage.data.tables.settled import Settled, beyond_floats, unsettled

MOST_OPEN = 4
"""Parquet files of a table that stay open, each with the row group that was read last."""
OF_A_RECORDING = b"tutelage"
"""Where the footer of a shard of recorded answers says what it belongs to."""


def footer_of(path: AnyPath) -> Mapping[bytes, bytes] | None:
    """What the footer of a Parquet file says besides its columns; None of one that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with asked(path):
            return pq.read_schema(random_access(path)).metadata or {}
    except (OSError, pa.ArrowException):
        return None


class OpenFiles:
    """The Parquet files of a table that were read last: of thousands, a few are open, and have a row group in memory."""

    def __init__(self) -> None:
        self._readers: OrderedDict[tuple[AnyPath, tuple[str, ...]], ParquetParts] = OrderedDict()
        self._lock = Lock()

    def table(self, path: AnyPath, footer: str, names: Sequence[str], start: int, stop: int) -> Any:
        """Rows of some columns of a file as an Arrow table.

        Args:
            path: the file.
            footer: of the file as it was when it was first opened.
            names: of the columns.
            start: the first row.
            stop: the row after the last.

        Raises:
            BadInput: it was replaced since, and the columns that were read before are of another file.
        """
        key = (path, tuple(names))
        with self._lock:
            reader = self._readers.pop(key, None)
            if reader is None:
                reader = ParquetParts(path, names)
                if reader.footer != footer:
                    reader.close()
                    raise BadInput(f"{path} was replaced after it was opened; open it again, and leave it as it is while it is read.")
            self._readers[key] = reader
            if len(self._readers) > MOST_OPEN:
                self._readers.popitem(last=False)[1].close()
            return reader.table(start, stop)


class ParquetParts:
    """Reads parts of a Parquet file, all columns or some, with one row group in memory at a time.

    Args:
        path: the file.
        columns: names of the columns to read; None reads all.

    Raises:
        BadInput: not a Parquet file.
    """

    def __init__(self, path: AnyPath, columns: Sequence[str] | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            with asked(path):
                self._file = pa.parquet.ParquetFile(random_access(path), pre_buffer=isinstance(path, RemotePath))
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path} is not a Parquet file ({one_line(error)}).") from error
        self.path, self.schema = path, self._file.schema_arrow
        self.footer = _sha256(self._file.metadata)
        sizes = [self._file.metadata.row_group(index).num_rows for index in range(self._file.num_row_groups)]
        self._ends = np.cumsum(sizes) if sizes else np.zeros(0, dtype=np.int64)
        self.count = int(self._ends[-1]) if sizes else 0
        self.grain = max(sizes, default=1)
        self._columns = None if columns is None else list(columns)
        self._group_in_memory: tuple[int, Any] = (-1, None)

    def settled(self) -> dict[str, Settled]:
        """What the footer says of its columns."""
        return settled_by(self._file.metadata, self.schema, range(self._file.num_row_groups))

    def close(self) -> None:
        """Close the file, and free what was read of it."""
        self._group_in_memory = (-1, None)
        self._file.close(force=True)

    def table(self, start: int, stop: int) -> Any:
        """Rows from `start` to `stop` as an Arrow table."""
        import pyarrow as pa

        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right")
        pieces = []
        for group in range(int(first), int(last) + 1):
            begin = int(self._ends[group - 1]) if group else 0
            table = self._group(group)
            pieces.append(table.slice(max(start - begin, 0), stop - max(start, begin)))
        return pa.concat_tables(pieces)

    def _group(self, index: int) -> Any:
        if self._group_in_memory[0] != index:
            import pyarrow as pa

            self._group_in_memory = (-1, None)  # free the old group before the next one is read
            try:
                with asked(self.path):
                    self._group_in_memory = (index, self._file.read_row_group(index, columns=self._columns))
            except (pa.ArrowException, OSError) as error:
                reason = f"it is damaged, or was changed after it was opened ({one_line(error)})"
                raise BadInput(f"row group {index} of {self.path} cannot be read: {reason}. Restore the file.") from error
        return self._group_in_memory[1]


def settled_by(about: Any, schema: Any, groups: Iterable[int]) -> dict[str, Settled]:
    """What a footer says of whole numbers and truth values; columns of which it does not tell enough are left out.

    Args:
        about: the metadata of the file.
        schema: the Arrow schema of the file.
        groups: the row groups that are read.
    """
    import pyarrow as pa

    types, read = dict(zip(schema.names, schema.types, strict=True)), [about.row_group(index) for index in groups]
    names = [name for name in unsettled(schema) if not (pa.types.is_dictionary(types[name]) or pa.types.is_time(types[name]))]
    filled = any(group.num_rows for group in read)
    found: dict[str, Settled | None] = {name: Settled(filled) for name, kind in types.items() if pa.types.is_null(kind)}
    for place in range(about.num_columns if names else 0):
        leaf = about.schema.column(place)
        if leaf.name == leaf.path and leaf.name in names:  # otherwise a part of a structure
            found[leaf.name] = _said_of([group.column(place) for group in read], types[leaf.name])
    return {name: one for name, one in found.items() if one is not None}


def _said_of(groups: Sequence[Any], kind: Any) -> Settled | None:
    """What the statistics of the row groups say of a column; None if they do not tell enough."""
    import pyarrow as pa

    said = [group.statistics for group in groups]
    if not all(one is not None and one.has_null_count for one in said):
        return None
    gaps = any(one.null_count for one in said)
    if pa.types.is_boolean(kind) or kind.bit_width < 64:
        return Settled(gaps)
    filled = [one for one, group in zip(said, groups, strict=True) if one.null_count < group.num_values]
    if not all(one.has_min_max for one in filled):
        return None
    return Settled(gaps, any(beyond_floats(one.min, one.max) for one in filled))


def _sha256(metadata: Any) -> str:
    """The hash of the footer of a Parquet file: where its columns lie, how long they are, and their smallest and largest values."""
    content = BytesIO()
    metadata.write_metadata_file(content)
    return hashlib.sha256(content.getbuffer()).hexdigest()
