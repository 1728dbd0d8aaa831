"""Feeds: the batches of an epoch with their row numbers, from tensors or views; `loader_feed` has those of a Dataset."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tutelage.data.structures.structured import StructuredRows

if TYPE_CHECKING:
    from tutelage.core.torch_runtime import Inputs
    from tutelage.data.views import Views


@dataclass(frozen=True)
class Batch:
    """The rows of one step.

    Attributes:
        inputs: (batch, ...), on the device and in the dtype of the network, which may modify them in place; a dict or a tuple of such
            tensors for several inputs.
        rows: (batch,) int64 on the CPU: the row numbers in the data, below `Feed.rows`.
        labels: (batch, ...) the ground truth that a Dataset pairs with its inputs, as the losses take it, or (positions,) that of every
            position, such as (batch, height, width); None if the feed has none.
        answers: (batch,) int64 on the CPU: the number of the teacher's answer to each row; None if it is the row number, as it is
            without `Views`.
        originals: (batch, ...) the inputs as they are in the data, which no network modifies; None if they are `inputs`.
        places: (positions,) int64 on the CPU: the number of the teacher's answer to each position that is learnt; None if an answer
            belongs to a row.
        kept: (positions,) which of the positions that the attention mask leaves are learnt; None if all are.
        recorded: the recorded answers to the rows, read together with them; None if they are held for all rows, or not recorded.
    """

    inputs: Inputs
    rows: Tensor
    labels: Tensor | None = None
    answers: Tensor | None = None
    originals: Tensor | StructuredRows | None = None
    places: Tensor | None = None
    kept: Tensor | None = None
    recorded: Any = None

    @property
    def answer_rows(self) -> Tensor:
        """(batch,) the number of the teacher's answer to each row."""
        return self.rows if self.answers is None else self.answers

    @property
    def answer_places(self) -> Tensor:
        """The number of each of the teacher's answers that is learnt."""
        return self.answer_rows if self.places is None else self.places

    @property
    def as_in_data(self) -> Tensor | StructuredRows:
        """(batch, ...) the inputs before they were cast to what the student takes: the teacher's inputs."""
        given = self.inputs if self.originals is None else self.originals
        return given if isinstance(given, Tensor | StructuredRows) else StructuredRows.of(given)

    @property
    def device(self) -> torch.device:
        """Where the inputs are."""
        return first_of(self.inputs).device

    def copied(self) -> Batch:
        """The same with a copy of the inputs, for a network that may modify them in place, where they are read again."""
        if isinstance(self.inputs, dict):
            return replace(self, inputs={name: each.clone() for name, each in self.inputs.items()})
        return replace(self, inputs=self.inputs.clone() if isinstance(self.inputs, Tensor) else tuple(each.clone() for each in self.inputs))


def first_of(inputs: Inputs) -> Tensor:
    """The only input, or the first of several."""
    if isinstance(inputs, Tensor):
        return inputs
    return next(iter(inputs.values())) if isinstance(inputs, dict) else inputs[0]


@dataclass(frozen=True)
class Batching:
    """How the rows of an epoch are divided into steps, and these into batches.

    The steps are those of batches that are `accumulate` times as large, so that both trainings learn from the same rows in each step.

    Attributes:
        batch_size: rows that the network processes at once.
        accumulate: batches per step, whose gradients are added up.
        drop_last: leave out the rows of an epoch that do not fill a step; else the last step is smaller.
    """

    batch_size: int
    accumulate: int = 1
    drop_last: bool = False

    @property
    def step_size(self) -> int:
        """Rows per step."""
        return self.batch_size * self.accumulate

    def steps(self, rows: int) -> int:
        """The number of steps of an epoch."""
        return rows // self.step_size if self.drop_last else step_count(rows, batch_size=self.step_size, epochs=1)

    def shown(self, order: Tensor) -> Tensor:
        """The rows of an epoch, without those at the end that are left out."""
        return order[: len(order) - len(order) % self.step_size] if self.drop_last else order

    def cut(self, order: Tensor) -> list[list[Tensor]]:
        """For each step of an epoch the rows of its batches; `order` has the row numbers of the epoch, in order."""
        order = self.shown(order)
        return [in_batches(step, self.batch_size) for step in in_batches(order, self.step_size)] if len(order) else []

    def cut_parts(self, order: Iterator[Tensor], rows: int) -> Iterator[list[Tensor]]:
        """The steps that `cut` returns, one after the other, of an order of so many rows that is not held as a whole."""
        steps, left = self.steps(rows), rows - rows % self.step_size if self.drop_last else rows
        waiting = torch.zeros(0, dtype=torch.int64)
        for number in range(steps):
            size = self.step_size if number < steps - 1 else left
            while len(waiting) < size:
                waiting = torch.cat([waiting, next(order)])
            step, waiting, left = waiting[:size], waiting[size:], left - size
            yield in_batches(step, self.batch_size)


class Feed(Protocol):
    """Gives the batches of an epoch; the same epoch and order always give the same batches."""

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        ...

    def steps(self, batching: Batching) -> int:
        """The number of steps of an epoch."""
        ...

    def plan(self, epoch: int, batching: Batching) -> list[list[Tensor]] | Iterator[list[Tensor]]:
        """For each step of an epoch (from 1) the rows of its batches, drawn from torch's random state.

        An iterator if there are too many to be held; it must not draw from that state.
        """
        ...

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """The batches of an epoch (from 1): one for each of these parts of its plan; of an iterator, of some steps at a time."""
        ...


class EveryRowOnce:
    """The plan of an epoch that shows every row once, in random order."""

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        raise NotImplementedError

    def steps(self, batching: Batching) -> int:
        """See `Feed`."""
        return batching.steps(self.rows)

    def plan(self, epoch: int, batching: Batching) -> list[list[Tensor]]:
        """See `Feed`."""
        return batching.cut(torch.randperm(self.rows))


def in_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """The rows of each step. A single last row joins the batch before it: one row has no statistics, and no relation to other rows.

    Args:
        order: (rows,) the row numbers of an epoch, in order.
        batch_size: rows per step.
    """
    parts = list(torch.split(order, min(batch_size, max(len(order), 1))))
    if batch_size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def step_count(rows: int, *, batch_size: int, epochs: int) -> int:
    """The number of steps of a training: one per batch, including the smaller last one unless it is a single row (see `in_batches`)."""
    joined = batch_size > 1 and rows > batch_size and rows % batch_size == 1
    return epochs * (-(-rows // batch_size) - joined)


@dataclass(frozen=True)
class TensorFeed(EveryRowOnce):
    """Batches of a tensor in memory, by indexing.

    Attributes:
        inputs: (rows, ...), on the device of the network.
        dtype: the dtype that the network takes; None if it is that of `inputs`.
    """

    inputs: Tensor
    dtype: torch.dtype | None = None

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return len(self.inputs)

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`."""
        for rows in parts:
            found = self.inputs.index_select(0, rows.to(self.inputs.device))  # several times faster than [rows]
            yield Batch(found, rows) if self.dtype is None else Batch(found.to(self.dtype), rows, originals=found)


@dataclass(frozen=True)
class ViewFeed(EveryRowOnce):
    """Batches of `Views`: each epoch shows the next view of every row, in turn.

    Attributes:
        views: the rows and their augmentation.
        device: the device of the network.
        dtype: the dtype that the network takes.
    """

    views: Views
    device: torch.device
    dtype: torch.dtype = torch.float32

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return self.views.rows

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`; the answers to view k follow those to view k - 1."""
        number = (epoch - 1) % self.views.count
        for rows in parts:
            shown = torch.from_numpy(np.ascontiguousarray(self.views.view(number, rows.numpy()))).to(self.device)
            yield Batch(shown.to(self.dtype, copy=True), rows, answers=rows + number * self.rows, originals=shown)
