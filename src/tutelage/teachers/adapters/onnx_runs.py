"""Which rows of a batch an ONNX session is given at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXT_CHARACTERS = 1 << 16
"""Characters of the texts of a run, each counted as long as the longest: a graph of words pads all texts to the tokens of that one."""
TEXT_ROWS = 256
"""Rows of texts a run: a graph of words has a number for each word of its vocabulary and each row."""


def runs(count: int, texts: Sequence[NDArray[Any]], *, most: int | None = None) -> Iterator[slice]:
    """The rows of a batch in parts, each of which is one run of the session.

    Args:
        count: number of rows; none are a run as well.
        texts: (rows,) or (rows, columns) texts of each input of texts; none for a graph of numbers.
        most: rows a run; None for any number. 1 for a file that answers a row by the others of its run (`FileDescription.row_by_row`).

    Example:
        >>> list(runs(5, [], most=2))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
        >>> list(runs(3, [np.array(["a" * 60_000, "b", "c"], dtype=object)]))
        [slice(0, 1, None), slice(1, 3, None)]
    """
    if count == 0:
        yield slice(0, 0)
        return
    if not texts:
        step = count if most is None else most
        yield from (slice(start, min(start + step, count)) for start in range(0, count, step))
        return
    cells = np.column_stack([each.reshape(count, -1) for each in texts])
    lengths = [sum(map(len, row)) for row in cells.tolist()]
    most = TEXT_ROWS if most is None else min(most, TEXT_ROWS)
    start, longest = 0, 0
    for place, length in enumerate(lengths):
        longest = max(longest, length)
        if place > start and (place - start == most or (place - start + 1) * longest > TEXT_CHARACTERS):
            yield slice(start, place)
            start, longest = place, length
    yield slice(start, count)


def parts_of(feeds: Mapping[str, NDArray[Any]], count: int, *, most: int | None = None) -> Iterator[dict[str, NDArray[Any]]]:
    """The inputs of each run, of those of all rows: texts are arrays of objects. Otherwise as `runs`."""
    for part in runs(count, [cells for cells in feeds.values() if cells.dtype == object], most=most):
        yield {name: cells[part] for name, cells in feeds.items()}
