"""Tables of other packages that are read in parts, as Arrow tables: pyarrow's Dataset, and the blocks of Ray Data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, one_line
from tutelage.data.tables.origin import Origin
from tutelage.data.tables.parquet_parts import settled_by
from tutelage.data.tables.settled import Settled, settle, unsettled


@dataclass(frozen=True)
class ArrowParts:
    """A table whose rows have a fixed order, and are read some at a time.

    Attributes:
        count: number of rows.
        schema: the Arrow schema of the columns.
        table: `table(start, stop)` returns these rows as an Arrow table.
        kind: what it is, for error messages.
        columns: `columns(names)` returns all rows of some columns, in Arrow tables that follow each other.
        said: returns what is known of all cells of some columns without reading them.
        grain: rows that are read at once where one of them is asked for.
        origin: from what another process reads the same rows; None if they are sent to it.
    """

    count: int
    schema: Any
    table: Callable[[int, int], Any]
    kind: str
    columns: Callable[[list[str]], Iterator[Any]]
    said: Callable[[], Mapping[str, Settled]] = dict
    grain: int = 1
    origin: Origin | None = None

    def settled(self) -> Mapping[str, Settled]:
        """What those columns hold in all rows of which a part would not show it; what is not said is read once, some rows at a time.

        Raises:
            BadInput: rows that cannot be read.
        """
        names, given = unsettled(self.schema), self.schema.names
        if not names or len(set(given)) < len(given):  # `frame_of` refuses one name twice
            return {}
        said = self.said()
        unsaid = [name for name in names if name not in said]
        return {name: said[name] for name in names if name in said} | (settle(self.columns(unsaid)) if unsaid else {})


def in_memory(table: Any) -> ArrowParts:
    """An Arrow table, or a batch of one."""
    import pyarrow as pa

    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    return ArrowParts(
        len(whole),
        whole.schema,
        lambda start, stop: whole.slice(start, stop - start),
        "Arrow table",
        lambda names: iter([whole.select(names)]),
    )


class Blocks:
    """Tables one after the other, of which the last that was read is in memory.

    Args:
        sizes: the rows of each.
        read: `read(index, names)` returns these columns of one as an Arrow table; all of them for None.
    """

    def __init__(self, sizes: Sequence[int], read: Callable[[int, list[str] | None], Any]) -> None:
        self.sizes, self.ends, self._read = sizes, np.cumsum(np.array(sizes, np.int64)), read
        self._held: tuple[int, Any] = (-1, None)

    def table(self, start: int, stop: int) -> Any:
        """Rows from `start` to `stop`.

        Raises:
            BadInput: a block cannot be read, or has another number of rows than before.
        """
        import pyarrow as pa

        found = []
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right").tolist()
        for index in range(first, last + 1):
            begin = int(self.ends[index - 1]) if index else 0
            block = self._block(index)
            found.append(block.slice(max(start - begin, 0), min(stop - begin, len(block)) - max(start - begin, 0)))
        return pa.concat_tables(found, promote_options="permissive")

    def columns(self, names: list[str]) -> Iterator[Any]:
        """All rows of some columns, block by block.

        Raises:
            BadInput: as `table`.
        """
        return (self._checked(index, names) for index, size in enumerate(self.sizes) if size)

    def _block(self, index: int) -> Any:
        if self._held[0] != index:
            self._held = (-1, None)  # freed before the next one is read
            self._held = (index, self._checked(index, None))
        return self._held[1]

    def _checked(self, index: int, names: list[str] | None) -> Any:
        import pyarrow as pa

        try:
            table = self._read(index, names)
        except (pa.ArrowException, OSError) as error:
            remedy = "read them from files of one schema, that stay as they are"
            raise BadInput(f"part {index} of the rows cannot be read ({one_line(error)}); {remedy}.") from error
        if len(table) != self.sizes[index]:
            had = f"{len(table):,} rows, and had {self.sizes[index]:,}"
            raise BadInput(f"part {index} of the rows has {had}; read them from files that stay as they are.")
        return table


def of_arrow_dataset(dataset: Any) -> ArrowParts:
    """A pyarrow Dataset: its files in their order, read by row groups.

    Raises:
        BadInput: a filtered Dataset.
    """
    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise BadInput(
            f"this pyarrow Dataset is filtered to {dataset.count_rows():,} rows, and can only be read whole; write the rows that pass "
            "(pyarrow.dataset.write_dataset), or pass its to_table()."
        ) from error
    pieces = [piece for fragment in fragments for piece in _pieces(fragment)]
    sizes = [_rows_of(piece) for piece in pieces]
    blocks = Blocks(sizes, lambda index, names: pieces[index].to_table(schema=dataset.schema, columns=names))
    said = partial(_said_by_footers, fragments, dataset.schema)
    return ArrowParts(sum(sizes), dataset.schema, blocks.table, "pyarrow Dataset", blocks.columns, said, max(sizes, default=1))


def _said_by_footers(fragments: Sequence[Any], schema: Any) -> dict[str, Settled]:
    """What the footers of Parquet files say of those columns that each of them holds, in the type of all or as nothing."""
    import pyarrow as pa
    from pyarrow.dataset import get_partition_keys

    found, types = [], dict(zip(schema.names, schema.types, strict=True))
    for fragment in fragments:
        if not hasattr(fragment, "row_groups"):
            return {}
        groups, own = fragment.row_groups, fragment.physical_schema
        if any(group.num_rows for group in groups):
            same = {field.name for field in own if field.type in (pa.null(), types.get(field.name))}
            said = settled_by(fragment.metadata, own, [group.id for group in groups])
            same -= {*get_partition_keys(fragment.partition_expression)}
            found.append({name: one for name, one in said.items() if name in same})
    return {name: reduce(or_, (one[name] for one in found)) for name in (found[0] if found else ()) if all(name in one for one in found)}


def _pieces(fragment: Any) -> list[Any]:
    """The row groups of a Parquet file; other files whole."""
    return list(fragment.split_by_row_group()) if hasattr(fragment, "split_by_row_group") else [fragment]


def _rows_of(piece: Any) -> int:
    """The rows of a row group, which pyarrow counts as those of its file; of another file its own count."""
    return sum(group.num_rows for group in piece.row_groups) if hasattr(piece, "row_groups") else int(piece.count_rows())


def is_arrow_dataset(data: Any) -> bool:
    """Whether this is a Dataset of pyarrow."""
    return type(data).__module__.startswith("pyarrow") and hasattr(data, "get_fragments") and hasattr(data, "count_rows")


LAZY = (
    "a polars LazyFrame is a query, which may give its rows in another order each time; pass its collect(), or write it with "
    "sink_parquet(path) and pass the path, which is read in parts."
)
"""Why a LazyFrame is no rows."""


def is_lazy_frame(data: Any) -> bool:
    """Whether this is a LazyFrame of polars."""
    return type(data).__module__.startswith("polars") and hasattr(data, "collect")
