"""Batches of a torch Dataset or DataLoader, whose settings are honoured or refused by name, and whose random draws are seeded."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler

from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, one_line
from tutelage.core.torch_runtime import own_draws, own_torch_draws, tensor_of
from tutelage.data.structures.network_answers import padded_with
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.data.torch_data.dataset_items import inputs_and_truth
from tutelage.data.torch_data.loader_rows import BATCH, collate_of, collated, is_iterable, read_items
from tutelage.data.truth.given_truth import label_names
from tutelage.training.feeding.feeds import Batch, Batching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tutelage.core.torch_runtime import Inputs

Truth = Callable[[Any, Any], Tensor]
"""The ground truth of a batch as the losses take it, from what the Dataset pairs with its inputs, and these."""


@dataclass(frozen=True)
class LoaderFeed:
    """Batches of a map-style Dataset, read by a DataLoader's workers and collate function, in the order of its sampler.

    What the Dataset, the collate function and the sampler draw from `random`, NumPy's and torch's global generators is settled by the
    seed, the epoch and the rows of the batch, with any number of workers, and after an interruption; so is what the network draws from
    the first two in the step of a batch.

    Attributes:
        dataset: item i is row i: its inputs, or a pair of inputs and ground truth.
        device: the device of the network.
        loader: the DataLoader whose settings are used; None for a Dataset, which is shuffled.
        seed: the seed of the training.
        dtype: the dtype that the network takes, of several inputs those that are no whole numbers; None casts nothing.
        truth: converts the ground truth of a batch; None leaves it out.
        by_position: whether each token or pixel has an answer, so that the second part of a pair is the truth of each of them.
        pad_token: that of the network, with which ids of different lengths are padded; None if it states none.
    """

    dataset: Dataset[Any]
    device: torch.device
    loader: DataLoader[Any] | None = None
    seed: int = 0
    dtype: torch.dtype | None = None
    truth: Truth | None = None
    by_position: bool = False
    pad_token: int | None = None

    @classmethod
    def of(cls, data: Any, device: torch.device, *, seed: int = 0, truth: Truth | None = None, by_position: bool = False) -> LoaderFeed:
        """From a Dataset or a DataLoader.

        Raises:
            BadInput: as `map_style`; a setting of a DataLoader that cannot be honoured. ShapeError: no rows.
        """
        loader = data if isinstance(data, DataLoader) else None
        if loader is not None:
            _check_loader(loader)
        return cls(map_style(data), device, loader, seed, truth=truth, by_position=by_position)

    def first(self) -> tuple[Inputs, Any]:
        """The inputs of a first batch of at most two rows, and what the Dataset pairs with them, or None."""
        rows = self.few(2)
        with own_draws():
            item = next(iter(self._items(1, [rows])))
        return self._batch(rows, item).inputs, self._pair(item)[1]

    def few(self, most: int) -> Tensor:
        """The numbers of a few rows that share a batch."""
        if self._own_batches is None and self._is_usual:
            return torch.arange(min(most, self._batch_rows, self.rows))
        return next(iter(self._together(1)), torch.arange(1))[:most]

    def _together(self, epoch: int) -> list[Tensor]:
        """The numbers of the rows of the user's own batches or sampler, those together that may share a batch.

        A copy is drawn from, since a sampler may count the epochs for which it was asked.
        """
        if self._own_batches is not None:
            return [rows for rows in self._drawn(copy.copy(self._own_batches), epoch) if len(rows)]
        order = torch.arange(self.rows) if self._is_usual else self._order(copy.copy(self._sampler), epoch)
        return [part for part in torch.split(order, self._batch_rows) if len(part)]

    @property
    def _is_usual(self) -> bool:
        """Whether any rows may share a batch: they are drawn by no sampler of the user's own."""
        return self._sampler is None or type(self._sampler) in (RandomSampler, SequentialSampler)

    @property
    def _batch_rows(self) -> int:
        return BATCH if self.loader is None else self.loader.batch_sampler.batch_size  # type: ignore[union-attr]

    @property
    def of_one_size(self) -> bool:
        """Whether all rows are of one size for certain: any two of them may be put into a batch, in which rows are not padded."""
        if self.loader is None:
            return True
        drawn = self._own_batches is None and self.loader.batch_sampler.batch_size != 1  # type: ignore[union-attr]
        return drawn and type(self._sampler) is RandomSampler and collate_of(self.loader) is collated

    def _pair(self, item: Any) -> tuple[Any, Any]:
        return inputs_and_truth(item, axes=1, by_position=self.by_position)

    def read(self) -> Generator[tuple[Tensor, Any, Any]]:
        """The numbers and inputs of all rows, and what the Dataset pairs with them: a batch at a time, of rows that may share one.

        Those that no batch of the user's own shows come last, alone.
        """
        parts = self._together(1)
        shown = torch.isin(torch.arange(self.rows), torch.cat([*parts, torch.zeros(0, dtype=torch.int64)]))
        parts = [*parts, *(~shown).nonzero()]
        with own_draws():
            for rows, item in zip(parts, self._items(0, parts), strict=True):
                inputs, truth = self._pair(item)
                yield rows, StructuredRows.of(inputs) if is_structure(inputs) else inputs, truth

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return len(self.dataset)  # type: ignore[arg-type]

    def steps(self, batching: Batching) -> int:
        """See `Feed`; with a batch sampler of the user's own, what its length says."""
        sampler = self._own_batches
        if sampler is not None:
            return -(-len(sampler) // batching.accumulate)
        return batching.steps(self.rows if self.loader is None else len(self.loader.batch_sampler.sampler))  # type: ignore[union-attr]

    def plan(self, epoch: int, batching: Batching) -> list[list[Tensor]]:
        """See `Feed`; the order is that of the DataLoader's sampler."""
        if self._own_batches is not None:
            drawn = self._drawn(self._own_batches, epoch)
            return [drawn[start : start + batching.accumulate] for start in range(0, len(drawn), batching.accumulate)]
        if self.loader is None:
            return batching.cut(torch.randperm(self.rows))
        return batching.cut(self._order(self._sampler, epoch))

    @property
    def _own_batches(self) -> Any:
        """The batch sampler of the user's own; None if there is none."""
        sampler = None if self.loader is None else self.loader.batch_sampler
        return None if sampler is None or type(sampler) is BatchSampler else sampler

    @property
    def _sampler(self) -> Any:
        """What puts the rows of a DataLoader in order; None without one, or with batches of the user's own."""
        return None if self.loader is None else getattr(self.loader.batch_sampler, "sampler", None)

    def _drawn(self, sampler: Any, epoch: int) -> list[Tensor]:
        """The rows of each batch of an epoch, by a batch sampler of the user's own."""
        with own_draws(), own_torch_draws(), _at_epoch(epoch, sampler, getattr(sampler, "sampler", None)):
            _seed_draws("batches", self.seed, epoch)
            return [torch.as_tensor(rows, dtype=torch.int64) for rows in sampler]

    def _order(self, sampler: Any, epoch: int) -> Tensor:
        if type(sampler) is RandomSampler and not sampler.replacement and sampler.num_samples == self.rows:
            return torch.randperm(self.rows)  # as for rows in memory
        if type(sampler) is SequentialSampler:
            return torch.arange(self.rows)
        with own_draws(), own_torch_draws(), _at_epoch(epoch, sampler):
            _seed_draws("order", self.seed, epoch)
            return torch.as_tensor(list(sampler), dtype=torch.int64)

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`."""
        for rows, item in zip(parts, self._items(epoch, parts), strict=True):
            batch = self._batch(rows, item)
            _seed_plain_draws("step", rows.tolist(), self.seed, epoch)
            yield batch

    def _batch(self, rows: Tensor, item: Any) -> Batch:
        inputs, truth = self._pair(item)
        if is_structure(inputs):
            return self._structured(rows, inputs, truth)
        if not isinstance(inputs, Tensor) or inputs.shape[:1] != rows.shape:
            seen = f"of shape {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
            raise BadInput(
                f"the inputs of a batch of {len(rows)} rows are {seen}; expected a tensor, (batch, ...). "
                "Pass a DataLoader with a collate_fn that returns one, or a pair of it and the ground truth."
            )
        given = inputs.to(self.device)
        return Batch(given.to(self.dtype or given.dtype, copy=True), rows, self._labels(rows, truth, inputs), originals=given)

    def _structured(self, rows: Tensor, inputs: Any, truth: Any) -> Batch:
        """A batch of several inputs, padded as the collate function did."""
        structure = StructuredRows.of(inputs)
        if len(structure) != len(rows):
            raise BadInput(f"a batch of {len(rows)} rows has inputs with {len(structure)} entries; expected one for each row.")
        tensors = {name: self._tensor(array) for name, array in padded_with(structure, self.pad_token).padded().items()}
        given: Inputs = tensors if structure.named else tuple(tensors.values())
        return Batch(given, rows, self._labels(rows, truth, structure), originals=structure)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        values = tensor_of(array)
        kind = torch.int64 if array.dtype.kind in "iu" else self.dtype if values.is_floating_point() else values.dtype
        return values.to(self.device, kind, copy=True)

    def _labels(self, rows: Tensor, truth: Any, inputs: Any) -> Tensor | None:
        if truth is None or self.truth is None:
            return None
        if len(truth) != len(rows):
            raise ShapeError(f"a batch of the dataset has {len(rows)} rows and {len(truth)} labels; expected one for each row.")
        return self.truth(truth, inputs).to(self.device)

    def _items(self, epoch: int, parts: list[Tensor]) -> Iterator[Any]:
        batches = _Batches(self.dataset, collate_of(self.loader), self.seed, epoch)
        # Its own generator, so that the seeds of the workers are not drawn from the random state of the training.
        generator = torch.Generator().manual_seed(epoch)
        numbers: Sequence[list[int]] = [part.tolist() for part in parts]
        loaded = DataLoader(
            batches, batch_size=None, sampler=numbers, collate_fn=_unchanged, generator=generator, **_reading_options(self.loader)
        )
        try:
            yield from loaded
        except TutelageError:
            raise
        except FOREIGN as error:  # whatever the code of the Dataset raises
            raise BadInput(f"the items of {type(self.dataset).__name__} cannot be read as a batch ({one_line(error)}).") from error


@dataclass(frozen=True)
class ItemList(Dataset[Any]):
    """The items of a Dataset that was read once, or of one of Hugging Face with a transform, which are read anew each time.

    Attributes:
        items: one for each row.
        class_label_names: the names of its labels, by number; None if it has none.
    """

    items: Sequence[Any]
    class_label_names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, data: Any) -> ItemList:
        """From a Dataset whose items alone say what its rows are (see `is_read_by_items`).

        Raises:
            BadInput: as `read_items`.
        """
        return cls(read_items(data) if is_iterable(data) else data, label_names(data))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> Any:
        return self.items[row]


def map_style(data: Any) -> Any:
    """The Dataset of a DataLoader, or a Dataset itself, whose rows have numbers.

    Raises:
        BadInput: a dataset without length or index. ShapeError: no rows.
    """
    dataset = data.dataset if isinstance(data, DataLoader) else data
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")) or isinstance(dataset, IterableDataset):
        raise BadInput(
            f"{type(dataset).__name__} has no length or no index, so its rows have no numbers and cannot be paired with answers; "
            "expected a map-style Dataset, with __len__ and __getitem__. An IterableDataset without a DataLoader is read once, into memory."
        )
    if len(dataset) == 0:
        raise ShapeError(f"the {type(dataset).__name__} has no rows; give at least one.")
    return dataset


def _check_loader(loader: DataLoader[Any]) -> None:
    """Check that a DataLoader has no setting that a training cannot honour.

    Raises:
        BadInput: names the setting.
    """
    if loader.batch_sampler is None:
        raise BadInput("the DataLoader has batch_size=None, so that its items have no row numbers; give it a batch size.")
    samplers = [loader, loader.sampler, loader.batch_sampler]
    if any(isinstance(getattr(each, "generator", None), torch.Generator) for each in samplers):
        raise BadInput(
            "the DataLoader or its sampler has a generator, whose state a training cannot resume; leave generator= out, and pass seed=."
        )


def _reading_options(loader: DataLoader[Any] | None) -> dict[str, Any]:
    """How a DataLoader reads: its workers and its memory, which change no batch."""
    if loader is None:
        return {}
    names = ["num_workers", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context"]
    names += ["prefetch_factor"] if loader.num_workers else []
    return {name: getattr(loader, name) for name in names}


def _unchanged(batch: Any) -> Any:
    return batch


@dataclass(frozen=True)
class _Batches(Dataset[Any]):
    """Whole batches as items: what is drawn at random for one depends on the seed, the epoch and its rows."""

    dataset: Any
    collate: Callable[[list[Any]], Any]
    seed: int
    epoch: int

    def __getitem__(self, rows: list[int]) -> Any:
        with own_torch_draws():
            _seed_draws(rows, self.seed, self.epoch)
            together = getattr(self.dataset, "__getitems__", None)
            return self.collate(together(rows) if together else [self.dataset[row] for row in rows])


@contextmanager
def _at_epoch(epoch: int, *samplers: Any) -> Iterator[None]:
    """Tell samplers that count epochs themselves, as a DistributedSampler does, which one they draw; their `epoch` is left as it was."""
    counting = [sampler for sampler in samplers if callable(getattr(sampler, "set_epoch", None))]
    before = [getattr(sampler, "epoch", None) for sampler in counting]
    for sampler in counting:
        sampler.set_epoch(max(epoch - 1, 0))  # 0 before the training
    try:
        yield
    finally:
        for sampler, its_epoch in zip(counting, before, strict=True):
            if its_epoch is not None:
                sampler.set_epoch(its_epoch)


def _seed_draws(*what: Any) -> None:
    """Settle the global random states of Python, NumPy and torch by these values."""
    torch.default_generator.manual_seed(_seed_plain_draws(*what))


def _seed_plain_draws(*what: Any) -> int:
    """Settle the global random states of Python and NumPy by these values; returns the seed."""
    key = int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=4).digest(), "big")
    random.seed(key)
    np.random.seed(key)  # noqa: NPY002 - what Datasets draw from
    return key
