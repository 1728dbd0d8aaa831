"""The rows of a torch DataLoader, in its order, and of an IterableDataset, which is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tutelage.core.arrays import tensor_array
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, one_line, require
from tutelage.core.torch_runtime import own_draws, own_torch_draws
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.tables.hugging_face import check_ends, has_transform
from tutelage.data.torch_data.dataset_items import inputs_and_truth

BATCH = 32
"""Rows that are collated at once where a DataLoader does not say how many."""
Part = Callable[[int, int], tuple[Any, Any]]
"""(start, stop) -> the inputs of these rows, and their ground truth, or None."""


def is_loader(data: Any) -> bool:
    """Whether these are the batches of a DataLoader."""
    return _is_a(data, "DataLoader")


def is_iterable(data: Any) -> bool:
    """Whether this is a Dataset without row numbers, of torch or of Hugging Face."""
    return _is_a(data, "IterableDataset")


def is_read_by_items(data: Any) -> bool:
    """Whether the items of a Dataset alone say what its rows are: an IterableDataset, or one of Hugging Face with a transform."""
    return is_iterable(data) or has_transform(data)


def _is_a(data: Any, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(data).__mro__)


def read_items(dataset: Any) -> list[Any]:
    """All items of an IterableDataset, in order.

    Raises:
        BadInput: its code fails, or it has no end.
    """
    check_ends(dataset)
    try:
        with own_draws(), own_torch_draws():
            return list(dataset)
    except FOREIGN as error:  # the code of the user
        raise BadInput(f"the items of {type(dataset).__name__} cannot be read ({one_line(error)}).") from error


def loader_parts(loader: Any, *, by_position: bool = False) -> tuple[int, Part]:
    """The number of rows of a DataLoader, and a function that reads some of them, with its workers, in its order.

    Rows of a Dataset that has no row numbers are read now, once.

    Args:
        loader: the DataLoader.
        by_position: as in `inputs_and_truth`.

    Raises:
        BadInput: it shuffles, leaves rows out, or makes batches as it likes, so that the order of its rows is not known.
    """
    if is_iterable(loader.dataset) or loader.batch_sampler is None:
        if loader.batch_sampler is None and not is_iterable(loader.dataset):
            _check_order(loader.sampler)
        inputs, truth = joined_batches(read_items(_with_collate(loader)), by_position=by_position)
        return len(inputs), lambda start, stop: (inputs[start:stop], None if truth is None else truth[start:stop])
    return len(loader.dataset), _parts_in(loader, _batches_of(loader), by_position)


def numbered_parts(loader: Any, *, by_position: bool = False) -> tuple[int, Part]:
    """The same by the row numbers of the Dataset, in whatever order the DataLoader reads it, with its collate function."""
    rows, size = len(loader.dataset), loader.batch_size or BATCH
    return rows, _parts_in(loader, [list(range(start, min(start + size, rows))) for start in range(0, rows, size)], by_position)


def _parts_in(loader: Any, numbers: list[list[int]], by_position: bool) -> Part:
    size = len(numbers[0]) if numbers else 1

    def part(start: int, stop: int) -> tuple[Any, Any]:
        first, last = start // size, -(-stop // size)
        inputs, truth = joined_batches(_read(loader, numbers[first:last]), by_position=by_position)
        inside = slice(start - first * size, stop - first * size)
        return inputs[inside], None if truth is None else truth[inside]

    return part


def joined_items(items: Sequence[Any], *, first: int = 0, by_position: bool = False) -> tuple[Any, Any]:
    """The inputs of some items of a Dataset, of which `first` is the number of the first, and the truth of each; None if they have none.

    Raises:
        ShapeError: no items, or items of different shapes. BadInput: as `inputs_and_truth`.
    """
    pairs = [inputs_and_truth(item, by_position=by_position) for item in items]
    if not pairs:
        raise ShapeError("the Dataset has no rows; give at least one.")
    inputs, truths = zip(*pairs, strict=True)
    truth = None if truths[0] is None else [_plain(each) for each in truths]
    if isinstance(inputs[0], Mapping | tuple):
        return StructuredRows.of_items(inputs), truth
    try:
        return np.stack([tensor_array(each) if hasattr(each, "detach") else np.asarray(each) for each in inputs]), truth
    except ValueError as error:
        raise ShapeError(f"the items {first} to {first + len(items) - 1} of the Dataset do not have the same shape ({error}).") from error


def _plain(truth: Any) -> Any:
    array = tensor_array(truth) if hasattr(truth, "detach") else truth
    return array.item() if getattr(array, "shape", None) == () else array


def _batches_of(loader: Any) -> list[list[int]]:
    """The rows of each batch of a DataLoader that reads its Dataset in order."""
    data = require("torch").utils.data
    sampler = loader.batch_sampler
    if type(sampler) is not data.BatchSampler:
        raise BadInput(
            f"the DataLoader has a {type(sampler).__name__}, so that the order of its rows is not known, and answers could not be told "
            "apart; pass its dataset, or a DataLoader with shuffle=False."
        )
    _check_order(sampler.sampler)
    if sampler.drop_last and len(loader.dataset) % sampler.batch_size:
        raise BadInput("the DataLoader leaves out the last rows (drop_last), which would get no answer; pass drop_last=False.")
    return list(sampler)


def _check_order(sampler: Any) -> None:
    if type(sampler) is not require("torch").utils.data.SequentialSampler:
        raise BadInput(
            f"the DataLoader shuffles (it has a {type(sampler).__name__}), so that its answers would be in no known order; pass its "
            "dataset, or a DataLoader with shuffle=False."
        )


def _read(loader: Any, batches: list[list[int]]) -> list[Any]:
    """Batches of a DataLoader, read by its workers and its collate function."""
    names = ["collate_fn", "num_workers", "timeout", "worker_init_fn", "multiprocessing_context"]
    names += ["prefetch_factor"] if loader.num_workers else []
    settings = {name: getattr(loader, name) for name in names}
    settings["collate_fn"] = collate_of(loader)
    loaded = require("torch").utils.data.DataLoader(loader.dataset, batch_sampler=batches, **settings)
    try:
        with own_draws(), own_torch_draws():
            return list(loaded)
    except TutelageError:
        raise
    except FOREIGN as error:  # the code of the user
        raise BadInput(f"the items of {type(loader.dataset).__name__} cannot be read as a batch ({one_line(error)}).") from error


def _with_collate(loader: Any) -> Any:
    """A DataLoader of a stream; its batches are put together by `collate_of`."""
    if loader.batch_size is None or collate_of(loader) is loader.collate_fn:
        return loader
    names = ["batch_size", "drop_last", "num_workers", "timeout", "worker_init_fn", "multiprocessing_context"]
    names += ["prefetch_factor"] if loader.num_workers else []
    settings = {name: getattr(loader, name) for name in names}
    return require("torch").utils.data.DataLoader(loader.dataset, collate_fn=collate_of(loader), **settings)


def collate_of(loader: Any) -> Callable[[list[Any]], Any]:
    """What puts the items of a batch together: the function of a DataLoader, if it has one of its own, or `collated`."""
    own = None if loader is None else loader.collate_fn
    return collated if own is None or own is require("torch").utils.data.default_collate else own


def collated(items: list[Any]) -> Any:
    """A batch of the items of a Dataset: several inputs are padded to the longest of the batch, anything else is stacked as torch does."""
    if not isinstance(items[0], Mapping) and not (isinstance(items[0], list | tuple) and isinstance(items[0][0], Mapping | tuple)):
        return require("torch").utils.data.default_collate(items)
    inputs, truth = zip(*map(inputs_and_truth, items), strict=True)
    rows = StructuredRows.of_items(inputs)
    return rows if truth[0] is None else (rows, list(truth))


def joined_batches(batches: Sequence[Any], *, by_position: bool = False) -> tuple[Any, Any]:
    """The inputs of several batches as those of one, and their ground truth, or None; that of positions with the padding of its batch.

    Raises:
        ShapeError: no rows, or batches of different shapes. BadInput: as `inputs_and_truth`.
    """
    pairs = [inputs_and_truth(batch, axes=1, by_position=by_position) for batch in batches]
    if not pairs:
        raise ShapeError("the DataLoader has no rows; give at least one.")
    truths = [truth for _, truth in pairs]
    truth = None if truths[0] is None else [one for each in truths for one in (tensor_array(each) if hasattr(each, "detach") else each)]
    if isinstance(pairs[0][0], Mapping | tuple | StructuredRows):
        structures = [StructuredRows.of(inputs) for inputs, _ in pairs]
        return StructuredRows.joined(structures), truth
    arrays = [tensor_array(inputs) if hasattr(inputs, "detach") else np.asarray(inputs) for inputs, _ in pairs]
    try:
        return np.concatenate(arrays), truth
    except ValueError as error:
        raise ShapeError(
            f"the batches of the DataLoader do not have the same shape ({error}); pad all rows to one length, or return mappings with "
            "an attention_mask."
        ) from error
