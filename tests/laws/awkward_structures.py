"""Rows of several inputs, made at random: held in every way, some of them malformed."""

from collections import UserDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def _set(name: str, value: Callable[[int, int], Any]) -> Callable[[dict[Any, Any], int, int], None]:
    def change(given: dict[Any, Any], rows: int, width: int) -> None:
        given[name] = value(rows, width)

    return change


def _nested(given: dict[Any, Any], rows: int, width: int) -> None:
    given["input_ids"] = {"ids": given["input_ids"]}


def _missing(given: dict[Any, Any], rows: int, width: int) -> None:
    del given["input_ids"]


def _numbered(given: dict[Any, Any], rows: int, width: int) -> None:
    given[0] = given.pop("input_ids")


MALFORMED: dict[str, Callable[[dict[Any, Any], int, int], None]] = {
    "nested": _nested,
    "missing": _missing,
    "names that are numbers": _numbered,
    "an input that the network lacks": _set("token_type_ids", lambda rows, width: np.zeros((rows, width), int)),
    "texts": _set("input_ids", lambda rows, width: ["some words"] * rows),
    "fewer rows": _set("size", lambda rows, width: np.zeros((rows + 1, 1), np.float32)),
    "ids that are no whole numbers": _set("input_ids", lambda rows, width: np.full((rows, 3), 0.5)),
    "ids beyond the last": _set("input_ids", lambda rows, width: np.full((rows, width), 99)),
    "nothing": _set("input_ids", lambda rows, width: [None] * rows),
    "no numbers": _set("size", lambda rows, width: np.full((rows, 1), np.nan)),
    "lists that differ within a row": _set("input_ids", lambda rows, width: [[[1, 2], [3]]] * rows),
}


def made(seed: int) -> tuple[Any, dict[str, list[Any]] | None]:
    """Some rows as they are held, and what each of them is, as lists by the name of the input; None where they are malformed."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 9))
    lengths = [np.ones(rows, int), np.zeros(rows, int), np.full(rows, 4), rng.integers(0, 7, rows)][int(rng.integers(4))]
    width = max(int(lengths.max()) + int(rng.integers(0, 3)), 1)
    plain = {"input_ids": [rng.integers(0, 20, length).tolist() for length in lengths]}
    if rng.random() < 0.7:
        plain["attention_mask"] = [_mask(rng, length) for length in lengths]
    padded = rng.random() < 0.5
    given: dict[Any, Any] = {name: _held(rng, lists, width if padded else None) for name, lists in plain.items()}
    if padded and len(plain) == 1:  # nothing tells what was padded
        plain["input_ids"] = [[*row, *[0] * (width - len(row))] for row in plain["input_ids"]]
    if rng.random() < 0.3:
        given["size"] = rng.normal(size=(rows, 1)).astype(str(rng.choice(["float32", "float64"])))
        plain["size"] = [[row] for row in given["size"]]
    wrong = str(rng.choice(list(MALFORMED))) if rng.random() < 0.4 else None
    if wrong is not None:
        MALFORMED[wrong](given, rows, width)
    if len(given) == 1 and all(hasattr(value, "dtype") for value in given.values()) and rng.random() < 0.5:
        return tuple(given.values()), None if wrong else plain
    return UserDict(given) if rng.random() < 0.5 else given, None if wrong else plain


def _mask(rng: np.random.Generator, length: int) -> list[int]:
    if rng.random() < 0.5:
        return [int(rng.random() < 0.8) for _ in range(length)]
    return [int(rng.random() < 0.9)] * length


def _held(rng: np.random.Generator, lists: list[list[int]], width: int | None) -> Any:
    """Lists as they are, as arrays, or padded to a width as one array or tensor."""
    if width is None:
        return lists if rng.random() < 0.5 else [np.array(row, dtype=np.int64) for row in lists]
    array = np.array([[*row, *[0] * (width - len(row))] for row in lists], dtype=str(rng.choice(["int64", "int32", "uint8"])))
    return torch.from_numpy(array) if rng.random() < 0.5 else array
