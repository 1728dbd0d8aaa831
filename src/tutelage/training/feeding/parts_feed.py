"""Batches of rows that are read in parts, with their recorded answers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.data.structures.network_answers import tensors_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.softlabels.streaming.part import Part
from tutelage.softlabels.streaming.parts import Parts
from tutelage.softlabels.streaming.windows import Windows
from tutelage.training.feeding.feeds import Batch, Batching


@dataclass(frozen=True)
class PartsFeed:
    """Batches of `Parts`, in the order that these have for each epoch; the windows of this process are in memory.

    Attributes:
        parts: the rows and their answers.
        network: the network that takes the rows.
        array: the rows of a shard as an array, after checking that a network can take them.
        truth: the ground truth of some rows, or of their positions, as the losses take it; None leaves it out.
    """

    parts: Parts
    network: nn.Module
    array: Callable[[Any], Any]
    truth: Callable[[Part], Tensor] | None = None

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return len(self.parts)

    @property
    def _shown(self) -> int:
        """The number of rows of an epoch."""
        return len(self.parts) - len(self.parts.held_out)

    def steps(self, batching: Batching) -> int:
        """See `Feed`."""
        return batching.steps(self._shown)

    def plan(self, epoch: int, batching: Batching) -> Iterator[list[Tensor]]:
        """See `Feed`."""
        return batching.cut_parts(map(torch.from_numpy, self.parts.order(epoch).parts()), self._shown)

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`."""
        order = self.parts.order(epoch)
        try:
            for rows in parts:
                yield self._batch(self._windows.take(order, rows.numpy()), rows)
        finally:  # the epoch ended, perhaps before rows that fill no step; the training stopped; or the rows cannot be read
            self._windows.close()

    def first(self) -> Batch:
        """A batch of at most two rows, of the first shard; no window is read for it."""
        part = self.parts.shard(0)
        few = part.take(part.numbers[:2])
        return self._batch(replace(few, rows=self._converted(few.rows)), torch.from_numpy(few.numbers))

    @cached_property
    def _windows(self) -> Windows:
        return Windows(self.parts, self._converted)

    @cached_property
    def _dtype(self) -> torch.dtype:
        """The dtype in which the network takes the rows."""
        return torch_runtime.input_dtype(self.network, torch_runtime.tensor_of(self.array(self.parts.shard(0).rows)[:2]))

    def _converted(self, rows: Any) -> Any:
        """The rows of a shard as they are held: several inputs as they are, others as numbers that take no more than the network's.

        Raises:
            BadInput: numbers with fractions, for a network that takes those of the first shard as ids.
        """
        if isinstance(rows, StructuredRows):
            return rows
        array = self.array(rows)
        if array.dtype.kind == "f" and not self._dtype.is_floating_point:
            raise BadInput(
                f"the network takes the whole numbers of the first shard as ids, and another shard holds {array.dtype}; expected whole "
                "numbers in all, without gaps."
            )
        return array.astype(np.float32) if array.dtype.itemsize > 4 and self._dtype == torch.float32 else array

    def _batch(self, part: Part, rows: Tensor) -> Batch:
        device = torch_runtime.device_of(self.network)
        labels = None if self.truth is None or part.y is None else self.truth(part).to(device)
        if isinstance(part.rows, StructuredRows):
            return Batch(tensors_of(part.rows, self.network), rows, labels, originals=part.rows, recorded=part.answers)
        given = torch_runtime.tensor_of(part.rows)
        return Batch(given.to(device, self._dtype), rows, labels, recorded=part.answers)
