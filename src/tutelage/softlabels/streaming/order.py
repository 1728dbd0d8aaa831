"""The order of the rows of an epoch: blocks of shards in random order, and the rows of a few blocks at a time shuffled together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def no_rows() -> Places:
    """The numbers of no rows."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class EpochOrder:
    """Every row once, in an order that the seed and the number of the epoch settle, and of which any window can be computed alone.

    The blocks are shuffled and laid end to end. The line that they form is cut into one piece for each stream, and each piece into
    windows of whole blocks, whose rows are shuffled. The streams take turns: the rows at places i, i + streams, ... are those of stream i.
    So a process that trains on every n-th row of a batch reads its own blocks only, except for the one at each cut.

    Attributes:
        rows: number of rows.
        block_rows: rows of a block, which are read together; the last may have fewer.
        window_blocks: blocks of a window.
        seed: what the order is drawn from, together with the epoch.
        epoch: the number of the epoch.
        streams: number of streams.
        held_out: the numbers of rows that no epoch shows, ascending.
    """

    rows: int
    block_rows: int
    window_blocks: int
    seed: int
    epoch: int
    streams: int = 1
    held_out: Places = field(default_factory=no_rows, repr=False, compare=False)

    @property
    def shown(self) -> int:
        """The number of rows of the epoch."""
        return self.rows - len(self.held_out)

    def _rank(self, rows: Places) -> Places:
        """How many rows of the epoch come before each of these in the data."""
        return np.asarray(rows - np.searchsorted(self.held_out, rows))

    def _at(self, ranks: Places) -> Places:
        """The rows of the epoch that so many others come before in the data."""
        return np.asarray(ranks + np.searchsorted(self.held_out - np.arange(len(self.held_out)), ranks, side="right"))

    @cached_property
    def _begins(self) -> Places:
        """(all blocks + 1,) the rank of the first row of each block."""
        return self._rank(np.minimum(np.arange(-(-self.rows // self.block_rows) + 1) * self.block_rows, self.rows))

    @cached_property
    def _blocks(self) -> Places:
        """The blocks that have rows in the epoch, in random order."""
        sizes = np.diff(self._begins)
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(sizes)).astype(np.int64)
        return order[sizes[order] > 0]

    @cached_property
    def _starts(self) -> Places:
        """(blocks + 1,) where each of the shuffled blocks starts in the line, and where the last ends."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(self._begins)[self._blocks])])

    @cached_property
    def _cuts(self) -> Places:
        """(streams + 1,) where the piece of each stream starts in the line, and where the last ends."""
        sizes = [-(-(self.shown - stream) // self.streams) for stream in range(self.streams)]
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]).astype(np.int64)

    @cached_property
    def _windows(self) -> tuple[Places, Places]:
        """Where each window starts in the line, with the end of the last; and the first window of each stream, with their number."""
        starts: list[int] = []
        first = []
        for begin, end in zip(self._cuts[:-1].tolist(), self._cuts[1:].tolist(), strict=True):
            first.append(len(starts))
            inside = self._starts[(self._starts > begin) & (self._starts < end)]
            starts += [begin, *inside[self.window_blocks - 1 :: self.window_blocks].tolist()] if begin < end else []
        return np.array([*starts, self.shown], np.int64), np.array([*first, len(starts)], np.int64)

    @property
    def count(self) -> int:
        """The number of windows of all streams."""
        return len(self._windows[0]) - 1

    def windows_of(self, rows: Places) -> Places:
        """(rows,) the window that each row belongs to."""
        place = np.zeros(len(self._begins) - 1, np.int64)
        place[self._blocks] = self._starts[:-1]
        block = rows // self.block_rows
        line = place[block] + self._rank(rows) - self._begins[block]
        return np.asarray(np.searchsorted(self._windows[0], line, side="right") - 1)

    def stream_of(self, window: int) -> int:
        """The stream that a window belongs to."""
        return int(np.searchsorted(self._windows[1], window, side="right") - 1)

    def spans(self, window: int) -> tuple[tuple[int, int], ...]:
        """The rows of a window, as ascending pairs of the first row and the row after the last; those held out may lie between them."""
        begin, end = self._windows[0][window : window + 2].tolist()
        first = int(np.searchsorted(self._starts, begin, side="right") - 1)
        found = []
        while first < len(self._blocks) and self._starts[first] < end:
            start = int(self._begins[self._blocks[first]]) - int(self._starts[first])
            ranks = start + max(begin, int(self._starts[first])), start + min(end, int(self._starts[first + 1])) - 1
            one, last = self._at(np.array(ranks)).tolist()
            found.append((one, last + 1))
            first += 1
        return tuple(sorted(found))

    def ascending(self, window: int) -> Places:
        """The rows of a window, as they follow each other in the data."""
        rows = np.concatenate([np.arange(start, stop) for start, stop in self.spans(window)])
        if not len(self.held_out):
            return rows
        places = np.minimum(np.searchsorted(self.held_out, rows), len(self.held_out) - 1)
        return np.asarray(rows[self.held_out[places] != rows])

    def window(self, window: int) -> Places:
        """The rows of a window, shuffled."""
        return np.random.default_rng([self.seed, self.epoch, window]).permutation(self.ascending(window))

    def parts(self) -> Iterator[Places]:
        """The rows of the epoch in order, some at a time."""
        windows = [iter(range(*self._windows[1][stream : stream + 2].tolist())) for stream in range(self.streams)]
        waiting = [np.zeros(0, np.int64) for _ in windows]
        while True:
            for stream, numbers in enumerate(windows):
                if not len(waiting[stream]):
                    waiting[stream] = next((self.window(number) for number in numbers), waiting[stream])
            turns = min(map(len, waiting))
            if turns:
                yield np.stack([rows[:turns] for rows in waiting], axis=1).reshape(-1)
                waiting = [rows[turns:] for rows in waiting]
                continue
            last = np.concatenate([rows[:1] for rows in waiting])  # the first streams may have one row more than the others
            if len(last):
                yield last
            return

    def whole(self) -> Places:
        """(rows,) all rows in the order of the epoch."""
        return np.concatenate(list(self.parts()))
