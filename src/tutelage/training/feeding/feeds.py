"""Feeds: the batches of an epoch with their row numbers, from tensors, views, a Dataset or a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tutelage.core.errors import BadInput

if TYPE_CHECKING:
    from torch.utils.data import DataLoader, Dataset

    from tutelage.data.views import Views


@dataclass(frozen=True)
class Batch:
    """The rows of one step.

    Attributes:
        inputs: (batch, ...), on the device of the network.
        rows: (batch,) int64 on the CPU: the row numbers in the data, below `Feed.rows`.
        labels: (batch, ...) the ground truth that a Dataset pairs with its inputs; None if the feed has none.
        answers: (batch,) int64 on the CPU: the number of the teacher's answer to each row; None if it is the row number, as it is
            without `Views`.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor | None = None
    answers: Tensor | None = None

    @property
    def answer_rows(self) -> Tensor:
        """(batch,) the number of the teacher's answer to each row."""
        return self.rows if self.answers is None else self.answers


class Feed(Protocol):
    """Gives the batches of an epoch; the same epoch and order always give the same batches."""

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        ...

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """The batches of an epoch (from 1): one for each part of the shuffled rows."""
        ...


@dataclass(frozen=True)
class TensorFeed:
    """Batches of a tensor in memory, by indexing.

    Attributes:
        inputs: (rows, ...), on the device of the network.
    """

    inputs: Tensor

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return len(self.inputs)

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`."""
        for rows in parts:
            yield Batch(self.inputs.index_select(0, rows.to(self.inputs.device)), rows)  # several times faster than [rows]


@dataclass(frozen=True)
class ViewFeed:
    """Batches of `Views`: each epoch shows the next view of every row, in turn.

    Attributes:
        views: the rows and their augmentation.
        device: the device of the network.
    """

    views: Views
    device: torch.device

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return self.views.rows

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`; the answers to view k follow those to view k - 1."""
        number = (epoch - 1) % self.views.count
        for rows in parts:
            shown = self.views.view(number, rows.numpy())
            inputs = torch.from_numpy(np.ascontiguousarray(shown, dtype=np.float32)).to(self.device)
            yield Batch(inputs, rows, answers=rows + number * self.rows)


@dataclass(frozen=True)
class LoaderFeed:
    """Batches of a map-style Dataset, read through torch's DataLoader with its workers and collate function, in the loop's order.

    Attributes:
        dataset: item i is row i: its inputs, or a pair of inputs and ground truth.
        device: the device of the network.
        options: options of the DataLoader: collate_fn, num_workers, pin_memory.
    """

    dataset: Dataset[Any]
    device: torch.device
    options: dict[str, Any]

    @classmethod
    def of(cls, data: Any, device: torch.device) -> LoaderFeed:
        """From a Dataset or a DataLoader. The batch size and sampler of a DataLoader are not used: the training settings decide.

        Raises:
            BadInput: a dataset without length or index; its rows have no numbers.
        """
        from torch.utils.data import DataLoader

        options: dict[str, Any] = {}
        if isinstance(data, DataLoader):
            options = {"collate_fn": data.collate_fn, "num_workers": data.num_workers, "pin_memory": data.pin_memory}
            data = data.dataset
        if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise BadInput(
                f"{type(data).__name__} has no length or no index, so its rows have no numbers and cannot be paired with answers; "
                "expected a map-style Dataset, with __len__ and __getitem__."
            )
        return cls(data, device, options)

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return len(self.dataset)  # type: ignore[arg-type]

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`."""
        for rows, item in zip(parts, self._loader(epoch, parts), strict=True):
            inputs, labels = item if isinstance(item, list | tuple) and len(item) == 2 else (item, None)
            if not isinstance(inputs, Tensor):
                raise BadInput(
                    f"a batch of the dataset is {_description(item)}; expected a tensor of inputs, or a pair of inputs and ground truth. "
                    "Pass a DataLoader with a collate_fn that returns one of these."
                )
            yield Batch(inputs.to(self.device), rows, None if labels is None else torch.as_tensor(labels).to(self.device))

    def _loader(self, epoch: int, parts: list[Tensor]) -> DataLoader[Any]:
        from torch.utils.data import DataLoader

        generator = torch.Generator().manual_seed(
            epoch
        )  # so that the seeds of the workers are not drawn from the random state of the training
        return DataLoader(self.dataset, batch_sampler=[part.tolist() for part in parts], generator=generator, **self.options)


def _description(item: Any) -> str:
    return f"a {type(item).__name__} of {len(item)} values" if isinstance(item, list | tuple) else f"a {type(item).__name__}"
