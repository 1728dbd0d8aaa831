"""The proof of a recording that many processes made: every shard belongs to it, is whole, and holds answers to its rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np

from tutelage.core.errors import LabelMismatch
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.row_names import Names, row_names
from tutelage.softlabels.encoding import EncodingCost
from tutelage.softlabels.shards import PLAN, Provenance, Shard, names_of_signed, shard_and_sha256, shard_path

AT_ONCE, BYTES_AT_ONCE = 8, 1 << 29
"""Shards that are read at the same time, and the bytes that they may have together."""
AHEAD = 8
"""Shards for each of those whose names may wait until all before them are read."""

Proof = tuple[Names, EncodingCost, str]
"""The names of the rows of a shard, the loss of its encoding, and the SHA-256 of its file."""


def proofs(folder: AnyPath, provenance: Provenance, signed: Mapping[int, Collection[str]], inputs: Callable[[int], Any]) -> Iterator[Proof]:
    """Prove every shard, several at a time, and yield the proofs in the order of the shards.

    Args:
        folder: of the recording.
        provenance: of the recording.
        signed: SHA-256 of the files of shards that were checked when they were written, by the number of the shard.
        inputs: reads the rows of a shard; called for those that were not, by one thread at a time: a Dataset need not stand more.

    Raises:
        LabelMismatch: a shard holds answers to other rows, belongs to another recording, or was signed twice. DamagedFile: one is damaged.
    """
    reading = Lock()

    def alone(index: int) -> Any:
        with reading:
            return inputs(index)

    size = shard_path(folder, 0).stat().st_size
    at_once = int(np.clip(BYTES_AT_ONCE // max(size, 1), 1, AT_ONCE))
    with ThreadPoolExecutor(at_once) as pool:
        for start in range(0, provenance.shards, AHEAD * at_once):
            some = range(start, min(start + AHEAD * at_once, provenance.shards))
            yield from pool.map(lambda index: _proof(folder, index, provenance, signed.get(index, ()), alone), some)


def _proof(folder: AnyPath, index: int, provenance: Provenance, signed: Collection[str], inputs: Callable[[int], Any]) -> Proof:
    if len(signed) > 1:
        path = shard_path(folder, index)
        raise LabelMismatch(
            f"{path} was written twice with different content: the teacher is not deterministic, or answers otherwise on another "
            f"machine. Delete it, delete {folder / PLAN / path.stem}.*, and label shard {index} again."
        )
    found = names_of_signed(folder, index, provenance, signed)
    if found is not None:
        return found
    shard, sha256 = shard_and_sha256(folder, index, provenance)
    check_rows(folder, index, shard, inputs(index))
    return shard.names, shard.cost, sha256


def check_rows(folder: AnyPath, index: int, shard: Shard, inputs: Any) -> None:
    """Check that a shard holds answers to its rows.

    Raises:
        LabelMismatch: it does not.
    """
    if not np.array_equal(row_names(inputs), shard.names):
        raise LabelMismatch(f"{shard_path(folder, index)} holds answers to other rows. Delete it, and label shard {index} again.")
