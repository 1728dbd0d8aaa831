"""The windows of an epoch: the rows that are shuffled together, and held in memory while the next window is read by a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event, Thread
from typing import Any, Protocol

import numpy as np

from tutelage.softlabels.streaming.order import EpochOrder, Places
from tutelage.softlabels.streaming.part import Part, gathered_parts, joined_parts

Spans = tuple[tuple[int, int], ...]


class Shards(Protocol):
    """What is read shard by shard."""

    @property
    def shard_rows(self) -> int:
        """Rows of a shard; the last may have fewer."""
        ...

    @property
    def ahead(self) -> bool:
        """Whether the next window is read while this one is used."""
        ...

    def shard(self, index: int) -> Part:
        """The rows and answers of a shard; one thread at a time reads."""
        ...


class Windows:
    """Reads the windows of an epoch, and holds one of each stream; and one more, which is read ahead.

    Args:
        parts: what is read.
        converted: changes the rows of each shard before they are held, for example to an array.
    """

    def __init__(self, parts: Shards, converted: Callable[[Any], Any] = lambda rows: rows) -> None:
        self.parts, self.converted = parts, converted
        self._held: dict[int, tuple[Spans, Part]] = {}
        self._next: _Reading | None = None

    def take(self, order: EpochOrder, rows: Places) -> Part:
        """These rows, which follow each other in the order of an epoch.

        Raises:
            as `Parts.shard`, also what the thread met that read ahead.
        """
        windows = order.windows_of(rows)
        found, places = [], []
        for number in np.unique(windows).tolist():
            window = self._window(order, number)
            inside = np.flatnonzero(windows == number)
            found.append(window.take(np.searchsorted(window.numbers, rows[inside])))
            places.append(inside)
        return found[0] if len(found) == 1 else joined_parts(found).take(np.argsort(np.concatenate(places)))

    def close(self) -> None:
        """Give up what is read ahead, after the shard that is being read, so that no thread is left."""
        if self._next is not None:
            self._next.give_up()
            self._next = None

    def _window(self, order: EpochOrder, number: int) -> Part:
        stream, spans = order.stream_of(number), order.spans(number)
        held = self._held.pop(stream, None)
        if held is None or held[0] != spans:
            held = None  # freed before the next one is read
            held = (spans, self._read(order, number, spans))
            self._read_ahead(order, number + 1, stream)
        self._held[stream] = held
        return held[1]

    def _read(self, order: EpochOrder, number: int, spans: Spans) -> Part:
        if self._next is not None and self._next.spans == spans:
            reading, self._next = self._next, None
            return reading.result()
        return self._gathered(order, number, spans, Event())

    def _read_ahead(self, order: EpochOrder, number: int, stream: int) -> None:
        """Begin to read a window, if it is one of this stream and none is read ahead already."""
        if self.parts.ahead and self._next is None and number < order.count and order.stream_of(number) == stream:
            spans = order.spans(number)
            self._next = _Reading(spans, lambda given_up: self._gathered(order, number, spans, given_up))

    def _gathered(self, order: EpochOrder, number: int, spans: Spans, given_up: Event) -> Part:
        rows = order.ascending(number)
        return gathered_parts(_parts_of_spans(self.parts, rows, spans, self.converted, given_up), len(rows))


class _GivenUp(Exception):
    """Ends a thread whose window is not needed any more."""


class _Reading:
    """A window that a thread reads.

    Args:
        spans: of the window.
        read: reads it, and ends early with `_GivenUp` when this event is set.
    """

    def __init__(self, spans: Spans, read: Callable[[Event], Part]) -> None:
        self.spans = spans
        self._given_up, self._found, self._error = Event(), list[Part](), list[BaseException]()
        self._thread = Thread(target=self._run, args=(read,), name="tutelage reads ahead")
        self._thread.start()

    def _run(self, read: Callable[[Event], Part]) -> None:
        try:
            self._found.append(read(self._given_up))
        except BaseException as error:  # raised where the window is asked for
            self._error.append(error)

    def give_up(self) -> None:
        """End the thread."""
        self._given_up.set()
        self._thread.join()

    def result(self) -> Part:
        """The window.

        Raises:
            what the thread met.
        """
        self._thread.join()
        if self._error:
            raise self._error[0]
        return self._found[0]


def _parts_of_spans(shards: Shards, rows: Places, spans: Spans, converted: Callable[[Any], Any], given_up: Event) -> Iterator[Part]:
    for start, stop in spans:
        for index in range(start // shards.shard_rows, -(-stop // shards.shard_rows)):
            if given_up.is_set():
                raise _GivenUp
            begin, end = max(start, index * shards.shard_rows), min(stop, (index + 1) * shards.shard_rows)
            first, last = np.searchsorted(rows, [begin, end])
            if first == last:
                continue
            part = shards.shard(index)
            part = part if last - first == len(part) else part.take(rows[first:last] - part.numbers[0])
            yield replace(part, rows=converted(part.rows))
