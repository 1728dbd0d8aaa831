"""What an epoch consists of: batches of inputs that know their rows, from tensors, views, a Dataset or a DataLoader."""

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
    """Rows of one step.

    Attributes:
        inputs: (batch, ...), on the device of the network.
        rows: (batch,) int64 on the CPU: which row of the data each is; below `Feed.rows`.
        labels: (batch, ...) what a Dataset pairs its inputs with; None where the feed knows none.
        answers: (batch,) int64 on the CPU: which answer belongs to each, `rows` unless a row has several views.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor | None = None
    answers: Tensor | None = None

    @property
    def answer_rows(self) -> Tensor:
        """(batch,) which answer belongs to each."""
        return self.rows if self.answers is None else self.answers


class Feed(Protocol):
    """Gives the batches of an epoch, always the same for the same epoch and order."""

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        ...

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """The batches of an epoch (from 1), a batch for each part of its shuffled rows."""
        ...


@dataclass(frozen=True)
class TensorFeed:
    """Whole tensors: a batch is one index away.

    Attributes:
        inputs: (rows, ...), on the device where they are needed.
    """

    inputs: Tensor

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return len(self.inputs)

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`."""
        for rows in parts:
            yield Batch(self.inputs.index_select(0, rows.to(self.inputs.device)), rows)  # several times quicker than [rows]


@dataclass(frozen=True)
class ViewFeed:
    """Another view each epoch, in turn, of every row.

    Attributes:
        views: what the rows look like.
        device: where inputs are needed.
    """

    views: Views
    device: torch.device

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return self.views.rows

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`; the answers of view k follow those of view k - 1."""
        number = (epoch - 1) % self.views.count
        for rows in parts:
            seen = self.views.view(number, rows.numpy())
            inputs = torch.from_numpy(np.ascontiguousarray(seen, dtype=np.float32)).to(self.device)
            yield Batch(inputs, rows, answers=rows + number * self.rows)


@dataclass(frozen=True)
class LoaderFeed:
    """A map-style Dataset through torch's own DataLoader: its workers and collate function, our order of rows.

    Attributes:
        dataset: item i is row i: its inputs, or a pair of inputs and label.
        device: where inputs are needed.
        options: of the DataLoader: collate_fn, num_workers, pin_memory.
    """

    dataset: Dataset[Any]
    device: torch.device
    options: dict[str, Any]

    @classmethod
    def of(cls, data: Any, device: torch.device) -> LoaderFeed:
        """From a Dataset or a DataLoader. Of a DataLoader its batch size and sampler are left to the training.

        Raises:
            BadInput: a dataset without length and index; its rows could not be told apart.
        """
        from torch.utils.data import DataLoader

        options: dict[str, Any] = {}
        if isinstance(data, DataLoader):
            options = {"collate_fn": data.collate_fn, "num_workers": data.num_workers, "pin_memory": data.pin_memory}
            data = data.dataset
        if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise BadInput(
                f"{type(data).__name__} has no length or no index, so that its rows have no number and no answer could be paired "
                "with them; use a map-style Dataset."
            )
        return cls(data, device, options)

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return len(self.dataset)  # type: ignore[arg-type]

    def batches(self, epoch: int, parts: list[Tensor]) -> Iterator[Batch]:
        """See `Feed`."""
        for rows, said in zip(parts, self._loader(epoch, parts), strict=True):
            inputs, labels = said if isinstance(said, list | tuple) and len(said) == 2 else (said, None)
            if not isinstance(inputs, Tensor):
                raise BadInput(
                    f"the dataset gives {_told(said)} an item; expected a tensor of inputs, or a pair of inputs and label. "
                    "Pass a DataLoader with a collate_fn that gives these."
                )
            yield Batch(inputs.to(self.device), rows, None if labels is None else torch.as_tensor(labels).to(self.device))

    def _loader(self, epoch: int, parts: list[Tensor]) -> DataLoader[Any]:
        from torch.utils.data import DataLoader

        own = torch.Generator().manual_seed(epoch)  # the seeds of its workers are no draw from the training's random state
        return DataLoader(self.dataset, batch_sampler=[part.tolist() for part in parts], generator=own, **self.options)


def _told(said: Any) -> str:
    return f"{len(said)} values" if isinstance(said, list | tuple) else f"a {type(said).__name__}"
