"""Datasets of Hugging Face: read in parts, and from where other processes read the same rows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.core.errors import FOREIGN, BadInput
from tutelage.data.tables.arrow_parts import ArrowParts
from tutelage.data.tables.origin import Origin
from tutelage.data.tables.settled import READ_ROWS

SENT_BYTES = 1 << 16
"""A Dataset of more bytes, besides those in its files, is not sent to each process: its rows are."""


def has_transform(dataset: Any) -> bool:
    """Whether a Dataset has a transform, which makes of its columns what its items hold."""
    return _is_of_package(dataset) and getattr(dataset, "format", {}).get("type") == "custom"


def table_parts(dataset: Any) -> ArrowParts:
    """The rows of a Dataset whose columns hold plain values.

    Raises:
        BadInput: it has a transform, whose result has no types that are known.
    """
    if has_transform(dataset):
        raise BadInput("this Dataset has a transform, which would not be applied; pass its map(transform, batched=True) instead.")
    arrow = dataset.with_format("arrow")

    def columns(names: list[str]) -> Iterator[Any]:
        some = arrow.select_columns(names)
        return (some[start : start + READ_ROWS] for start in range(0, len(some), READ_ROWS))

    return ArrowParts(len(dataset), arrow.features.arrow_schema, lambda start, stop: arrow[start:stop], "Hugging Face Dataset", columns)


def origin_of(dataset: Any) -> Origin | None:
    """The Arrow files of a Dataset, and how it is made of them: its columns, the rows that were chosen, and their order.

    None for a Dataset that is in memory, or whose choice of rows is (`flatten_indices()` writes it to a file), or that has a transform
    which cannot be sent.
    """
    files = [str(Path(file["filename"]).absolute()) for file in dataset.cache_files]
    if not files:
        return None
    try:
        content = pickle.dumps(dataset)
    except FOREIGN:  # what a transform of the user's holds
        return None
    if len(content) > SENT_BYTES:
        return None
    return Origin(tuple(dict.fromkeys(files)), dataset=content, fingerprint=dataset._fingerprint)


def opened(content: bytes) -> Any:
    """The Dataset that `origin_of` describes, in this process or another one of the same program."""
    return pickle.loads(content)  # noqa: S301 - from the process that plans, as the job is itself


def check_one_split(data: Any) -> None:
    """Check that this is not a mapping from splits to Datasets.

    Raises:
        BadInput: it is one; names the splits.
    """
    if isinstance(data, Mapping) and data and all(_is_of_package(each) and hasattr(each, "column_names") for each in data.values()):
        splits = ", ".join(map(repr, data))
        first = next(iter(data))
        raise BadInput(f"this {type(data).__name__} holds the splits {splits}; pass one of them, such as data[{first!r}].")


def check_ends(data: Any) -> None:
    """Check that an IterableDataset is not repeated without end.

    Raises:
        BadInput: it is.
    """
    step = getattr(data, "_ex_iterable", None) if _is_of_package(data) else None
    while step is not None and type(step).__name__ != "TakeExamplesIterable":
        if type(step).__name__ == "RepeatExamplesIterable" and step.num_times is None:
            raise BadInput("this IterableDataset is repeated without end; pass its take(rows), or repeat(times).")
        step = getattr(step, "ex_iterable", None)


def _is_of_package(data: Any) -> bool:
    return type(data).__module__.startswith("datasets.")
