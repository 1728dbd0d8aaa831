"""Rows drawn from parts: each has a random key, settled by the seed, and those with the smallest keys are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.softlabels.streaming.order import Places
from tutelage.softlabels.streaming.part import Part, gathered_parts
from tutelage.softlabels.streaming.parts import Parts

BLOCK_ROWS = 65_536
"""Keys that are drawn at a time."""


def drawn_rows(rows: int, size: int, seed: int) -> Places:
    """The numbers of rows that are drawn without replacement, ascending; memory holds about twice as many keys.

    Args:
        rows: the number of all rows.
        size: how many are drawn; all if there are no more.
        seed: settles which.
    """
    if size >= rows:
        return np.arange(rows)
    keys, numbers, highest = np.zeros(0), np.zeros(0, np.int64), np.inf
    for block in range(-(-rows // BLOCK_ROWS)):
        found = np.random.default_rng([seed, block]).random(BLOCK_ROWS)[: rows - block * BLOCK_ROWS]
        below = np.flatnonzero(found < highest)
        keys, numbers = np.concatenate([keys, found[below]]), np.concatenate([numbers, below + block * BLOCK_ROWS])
        if len(keys) >= 2 * size:
            keys, numbers = _smallest(keys, numbers, size)
            highest = float(keys.max())
    return np.sort(_smallest(keys, numbers, size)[1])


def _smallest(keys: Any, numbers: Places, size: int) -> tuple[Any, Places]:
    order = np.argpartition(keys, size - 1)[:size]
    return keys[order], numbers[order]


def sample(parts: Parts, size: int, converted: Callable[[Any], Any] = lambda rows: rows) -> Part:
    """Rows drawn by the seed of the parts, with their answers, in the order of the data; only shards with such rows are read.

    Args:
        parts: where they are drawn from.
        size: how many rows; all, in their order, if there are no more.
        converted: changes the rows of each shard before they are held.

    Raises:
        as `Parts.shard`.
    """
    return rows_numbered(parts, drawn_rows(len(parts), size, parts.seed), converted)


def rows_numbered(parts: Parts, chosen: Places, converted: Callable[[Any], Any] = lambda rows: rows) -> Part:
    """The rows with these numbers, ascending; arguments and errors as `sample`."""

    def read() -> Iterator[Part]:
        for index in np.unique(chosen // parts.shard_rows).tolist():
            first, last = np.searchsorted(chosen, [index * parts.shard_rows, (index + 1) * parts.shard_rows])
            part = parts.shard(index)
            few = part.take(chosen[first:last] - index * parts.shard_rows) if last - first < len(part) else part
            yield replace(few, rows=converted(few.rows))

    return gathered_parts(read(), len(chosen))
