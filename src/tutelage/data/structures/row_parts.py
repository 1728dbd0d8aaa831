"""Parts of rows of any container, put together again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.structures.structured import StructuredRows


def rows_at(inputs: Any, places: NDArray[Any]) -> Any:
    """The rows at these positions, in this order, in the container that they came in."""
    if hasattr(inputs, "iloc"):
        return inputs.iloc[places]
    if isinstance(inputs, list | tuple):
        return [inputs[place] for place in places]
    return inputs[places]


def taken(rows: Any, places: NDArray[Any]) -> Any:
    """The rows at these positions, or where a mask is true, of any container."""
    if isinstance(rows, StructuredRows | np.ndarray):
        return rows[places]
    from sklearn.utils import _safe_indexing  # which takes longer to load than all that records answers

    return _safe_indexing(rows, places)


def concatenated(parts: list[Any]) -> Any:
    """Concatenate parts of the same container type."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, StructuredRows):
        return StructuredRows.joined(parts)
    if hasattr(first, "iloc") or hasattr(first, "get_columns"):
        return _of_frames(parts)
    if isinstance(first, list):
        return [row for part in parts for row in part]
    if hasattr(first, "tocsr"):
        from scipy import sparse

        return sparse.vstack(parts).tocsr()
    return np.concatenate([np.asarray(part) for part in parts])


def _of_frames(parts: list[Any]) -> Any:
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    import polars as pl

    return pl.concat(parts)


class Gathered:
    """Parts of rows, or of what belongs to them, that are joined as they are read. Numbers are held once, never twice.

    Args:
        count: how many rows all parts have together.
        join: joins parts that are not arrays of numbers.
    """

    def __init__(self, count: int, join: Callable[[list[Any]], Any] = concatenated) -> None:
        self.count, self.join = count, join
        self._numbers: NDArray[Any] | None = None
        self._filled = 0
        self._others: list[Any] = []

    def add(self, part: Any) -> None:
        """Add the next part."""
        if not isinstance(part, np.ndarray) or part.dtype.kind not in "biuf":
            self._others.append(part)
            return
        if self._numbers is None and len(part) == self.count:  # all of them
            self._numbers, self._filled = part, len(part)
            return
        kind = part.dtype if self._numbers is None else np.result_type(self._numbers, part)
        if self._numbers is None or self._numbers.dtype != kind:
            wider = np.empty((self.count, *part.shape[1:]), kind)
            if self._numbers is not None:
                wider[: self._filled] = self._numbers[: self._filled]
            self._numbers = wider
        self._numbers[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    @property
    def whole(self) -> Any:
        """All rows, after the last part was added."""
        return self.join(self._others) if self._numbers is None else self._numbers
