"""The windows of an epoch: the rows that are shuffled together, and held in memory until the next window is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from tutelage.softlabels.streaming.order import EpochOrder, Places
from tutelage.softlabels.streaming.part import Part, gathered_parts, joined_parts


class Shards(Protocol):
    """What is read shard by shard."""

    @property
    def shard_rows(self) -> int:
        """Rows of a shard; the last may have fewer."""
        ...

    def shard(self, index: int) -> Part:
        """The rows and answers of a shard."""
        ...


class Windows:
    """Reads the windows of an epoch, and holds one of each stream.

    Args:
        parts: what is read.
        converted: changes the rows of each shard before they are held, for example to an array.
    """

    def __init__(self, parts: Shards, converted: Callable[[Any], Any] = lambda rows: rows) -> None:
        self.parts, self.converted = parts, converted
        self._held: dict[int, tuple[Any, Part]] = {}

    def take(self, order: EpochOrder, rows: Places) -> Part:
        """These rows, which follow each other in the order of an epoch.

        Raises:
            as `Parts.shard`.
        """
        windows = order.windows_of(rows)
        found, places = [], []
        for number in np.unique(windows).tolist():
            window = self._window(order, number)
            inside = np.flatnonzero(windows == number)
            found.append(window.take(np.searchsorted(window.numbers, rows[inside])))
            places.append(inside)
        return found[0] if len(found) == 1 else joined_parts(found).take(np.argsort(np.concatenate(places)))

    def _window(self, order: EpochOrder, number: int) -> Part:
        stream, spans = order.stream_of(number), order.spans(number)
        held = self._held.pop(stream, None)
        if held is None or held[0] != spans:
            held = None  # freed before the next one is read
            held = (spans, self._read(spans))
        self._held[stream] = held
        return held[1]

    def _read(self, spans: tuple[tuple[int, int], ...]) -> Part:
        return gathered_parts(_parts_of_spans(self.parts, spans, self.converted), sum(stop - start for start, stop in spans))


def _parts_of_spans(parts: Shards, spans: tuple[tuple[int, int], ...], converted: Callable[[Any], Any]) -> Iterator[Part]:
    for start, stop in spans:
        for index in range(start // parts.shard_rows, -(-stop // parts.shard_rows)):
            part = parts.shard(index)
            inside = np.flatnonzero((part.numbers >= start) & (part.numbers < stop))
            part = part if len(inside) == len(part) else part.take(inside)
            yield replace(part, rows=converted(part.rows))
