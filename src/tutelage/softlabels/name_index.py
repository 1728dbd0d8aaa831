"""An index of a recording in a folder: the names of its rows, sorted, with their numbers, in a file that is mapped into memory.

    labels/
        names-1a2b3c4d5e6f7081.npy     (2, rows) uint64: the names in ascending order, and the number of the row of each; named by the
                                       shards that it was made from

It is made when some rows of several shards are first looked up, holds nothing that the shards do not, and can be deleted. Where the folder
cannot be written, or is not on this machine, it is a temporary file of the process. Making it takes the memory of a bucket of names,
however many there are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tutelage.core.errors import CannotWrite, DamagedFile, LabelMismatch, one_line
from tutelage.core.file_systems.copies import random_access
from tutelage.core.file_systems.paths import AnyPath, asked
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.data.row_names import Names

BUCKET_ROWS = 1 << 20
"""Rows whose names are sorted at a time, about: names are hashes, so that those with the same first bits are about as many each."""

Index = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""(rows,) names in ascending order, and the number of the row of each, ascending for equal names."""


def is_index(path: AnyPath) -> bool:
    """Whether a file of a recording is an index."""
    return re.fullmatch(r"names-[0-9a-f]{16}\.npy", path.name) is not None


def opened_index(folder: AnyPath, shards: Sequence[AnyPath], sha256: Sequence[str], rows: int, check: Callable[[Index], None]) -> Index:
    """The index of a recording, which is made if there is none yet.

    Args:
        folder: the recording.
        shards: its shards.
        sha256: the hash of each.
        rows: the number of its rows.
        check: raises an error for names that cannot be looked up; called before a new index gets its name.

    Raises:
        DamagedFile: a shard cannot be read. LabelMismatch: what `check` raises.
    """
    path = folder / f"names-{hashlib.sha256(' '.join(sha256).encode()).hexdigest()[:16]}.npy"
    if not isinstance(path, Path):
        return _made_here(shards, rows, check)
    with suppress(OSError, ValueError, EOFError):
        found = np.load(path, mmap_mode="r")
        if found.shape == (2, rows) and found.dtype == np.uint64:
            return found[0], found[1]
    try:
        with whole_file(path) as draft:
            made = open_memmap(draft, mode="w+", dtype=np.uint64, shape=(2, rows))
            _fill((made[0], made[1]), shards)
            check((made[0], made[1]))
            made.flush()
    except CannotWrite:
        return _made_here(shards, rows, check)
    for other in filter(is_index, folder.iterdir()):  # of a recording that was here before
        if other != path:
            other.unlink(missing_ok=True)
    mapped = np.load(path, mmap_mode="r")
    return mapped[0], mapped[1]


def _made_here(shards: Sequence[AnyPath], rows: int, check: Callable[[Index], None]) -> Index:
    """An index in a temporary file of this process."""
    with TemporaryFile() as file:  # it stays for as long as it is mapped
        held: Any = np.memmap(file, np.uint64, "w+", shape=(2, rows))
    _fill((held[0], held[1]), shards)
    check((held[0], held[1]))
    return held[0], held[1]


def _fill(index: Index, shards: Sequence[AnyPath]) -> None:
    """Put the names into buckets by their first bits, in two passes, and sort each bucket."""
    names, numbers = index
    bits = max(0, int(np.ceil(np.log2(max(len(names), 1) / BUCKET_ROWS))))
    counts = np.zeros(1 << bits, np.int64)
    for _, found in _names(shards):
        counts += np.bincount(_bucket(found, bits), minlength=len(counts))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    free = starts[:-1].copy()
    for first, found in _names(shards):
        bucket = _bucket(found, bits)
        order = np.argsort(bucket, kind="stable")
        sizes = np.bincount(bucket, minlength=len(counts))
        before = np.repeat(np.cumsum(sizes) - sizes, sizes)
        places = np.repeat(free, sizes) + np.arange(len(found)) - before
        names[places], numbers[places] = found[order], (first + order).astype(np.uint64)
        free += sizes
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        order = np.argsort(names[start:stop], kind="stable")
        names[start:stop], numbers[start:stop] = names[start:stop][order], numbers[start:stop][order]


def _bucket(names: Names, bits: int) -> NDArray[np.int64]:
    return (names >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(names), np.int64)


def _names(shards: Sequence[AnyPath]) -> Iterator[tuple[int, Names]]:
    """The number of the first row of each shard, and the names of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = 0
    for path in shards:
        try:
            with asked(path):
                file = pq.ParquetFile(random_access(path), page_checksum_verification=True)
                column = file.read(columns=["row_name"], use_threads=False).column(0)
        except (OSError, pa.ArrowException, IndexError) as error:
            raise DamagedFile(f"{path} is not a readable shard ({one_line(error)}). Delete it and record again.") from error
        found: Names = column.to_numpy()
        yield first, found
        first += len(found)


def repeated_rows(index: Index) -> NDArray[np.int64]:
    """The numbers of all rows whose name occurs more than once, equal names together."""
    names, numbers = index
    found = []
    for start in range(0, len(names), BUCKET_ROWS):
        part = names[max(start - 1, 0) : start + BUCKET_ROWS + 1]  # with the neighbours of the first and the last
        same = part[1:] == part[:-1]
        repeated = np.concatenate([same, [False]]) | np.concatenate([[False], same])
        own = slice(min(start, 1), min(start, 1) + min(BUCKET_ROWS, len(names) - start))
        found.append(numbers[start : start + BUCKET_ROWS][repeated[own]])
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, np.int64)


def rows_of_names(index: Index, names: Names) -> NDArray[np.int64]:
    """The number of the first row of each name.

    Raises:
        LabelMismatch: a name that was not recorded.
    """
    known, numbers = index
    place = np.minimum(np.searchsorted(known, names), len(known) - 1)
    missing = known[place] != names
    if missing.any():
        raise not_recorded(missing, len(known))
    return numbers[place].astype(np.int64)


def not_recorded(missing: NDArray[np.bool_], recorded: int) -> LabelMismatch:
    """The error about rows that were not recorded.

    Args:
        missing: (rows,) which rows.
        recorded: how many rows were.
    """
    return LabelMismatch(
        f"{int(missing.sum())} of {len(missing)} rows are not among the {recorded} that these answers were recorded on "
        f"(first: row {int(np.flatnonzero(missing)[0])}). Pass rows that they were recorded on, or record again."
    )


def contradiction(first: int, second: int) -> LabelMismatch:
    """The error about two equal rows with different answers."""
    return LabelMismatch(
        f"rows {first} and {second} are the same row with different answers, so neither can be looked up. "
        "Drop one, average them, or pass all rows in the order in which they were recorded."
    )
