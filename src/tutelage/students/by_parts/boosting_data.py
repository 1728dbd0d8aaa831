"""Rows that are read in parts, as the boosting engines take them: LightGBM's Sequence and XGBoost's external memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from tutelage.core.arrays import Floats
from tutelage.core.errors import require
from tutelage.students.by_parts.blocks import Blocks


@dataclass
class BoostingRows:
    """The rows of blocks whose weight is above zero; one shard is in memory.

    Attributes:
        blocks: the rows.
        dtype: that of the rows: LightGBM draws its sample in double precision only, row by row.
        sizes: how many rows of each shard there are.
    """

    blocks: Blocks
    dtype: Any
    sizes: list[int] = field(default_factory=list)
    _held: tuple[int, Any] = (-1, None)

    def targets(self) -> tuple[Floats, Floats | None]:
        """(rows, classes) the targets in single precision, and (rows,) the weights or none, after all rows were read and checked."""
        targets, weights = [], []
        self.sizes = []
        for number, (X, of_block, own) in enumerate(self.blocks):
            weighs = np.ones(len(of_block), dtype=bool) if own is None else own > 0
            targets.append(of_block[weighs].astype(np.float32))
            weights.append(np.zeros(0) if own is None else own[weighs])
            self.sizes.append(int(weighs.sum()))
            self._held = (number, self._dense(X)[weighs])
        return np.concatenate(targets), None if self.blocks.weights is None else np.concatenate(weights)

    def shard(self, index: int) -> NDArray[Any]:
        """(rows, features) the rows of one shard."""
        if self._held[0] != index:
            self._held = (-1, None)  # freed before the next one is read
            X, _, weights = self.blocks.block(index)
            self._held = (index, self._dense(X) if weights is None else self._dense(X)[weights > 0])
        rows: NDArray[Any] = self._held[1]
        return rows

    def _dense(self, X: Any) -> NDArray[Any]:
        sparse: bool = issparse(X)
        return np.ascontiguousarray(X.toarray() if sparse else X, dtype=self.dtype)


def sequences(rows: BoostingRows) -> list[Any]:
    """A LightGBM Sequence for each shard that has rows."""
    lightgbm = require("lightgbm")

    class Shard(lightgbm.Sequence):  # type: ignore[misc, name-defined]
        """The rows of one shard."""

        def __init__(self, index: int) -> None:
            self.index, self.batch_size = index, max(rows.sizes[index], 1)

        def __getitem__(self, places: Any) -> Any:
            return rows.shard(self.index)[places]

        def __len__(self) -> int:
            return rows.sizes[self.index]

    return [Shard(index) for index, size in enumerate(rows.sizes) if size]


@contextmanager
def external_matrix(rows: BoostingRows, *, labels: Floats | None, weights: Floats | None, margin: Floats, max_bin: int) -> Iterator[Any]:
    """An XGBoost matrix whose quantised rows are on disk, in a temporary folder, while the block runs.

    Args:
        rows: the rows.
        labels: (rows,) the targets of two classes; None for more.
        weights: (rows,) or None.
        margin: (classes,) the score of each row before the first tree; none for two classes.
        max_bin: maximum number of bins per feature.
    """
    xgboost = require("xgboost")
    starts = np.concatenate([[0], np.cumsum(rows.sizes)])

    class Shards(xgboost.DataIter):  # type: ignore[misc, name-defined]
        """The shards, one after the other."""

        def __init__(self, cache: str) -> None:
            self.index = 0
            super().__init__(cache_prefix=cache)

        def next(self, input_data: Any) -> bool:
            while self.index < len(rows.sizes) and not rows.sizes[self.index]:
                self.index += 1
            if self.index == len(rows.sizes):
                return False
            inside = slice(*starts[self.index : self.index + 2])
            more: dict[str, Any] = {} if labels is None else {"label": labels[inside]}
            if weights is not None:
                more["weight"] = weights[inside]
            if len(margin):
                more["base_margin"] = np.repeat(margin[None], rows.sizes[self.index], axis=0)
            input_data(data=rows.shard(self.index), **more)
            self.index += 1
            return True

        def reset(self) -> None:
            self.index = 0

    with TemporaryDirectory() as folder:
        yield xgboost.ExtMemQuantileDMatrix(Shards(f"{folder}/rows"), max_bin=max_bin)
