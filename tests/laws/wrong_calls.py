"""What may be put in place of a right argument of a public function, and the numbers of what is returned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Door:
    """One public function, or one method of a public class.

    Attributes:
        call: called with an argument for each name.
        arguments: name -> (what it is, a key of `WRONG`; a function that makes a right value).
        numbers: the numbers in the result, to be checked; the result itself by default.
    """

    call: Callable[..., Any]
    arguments: Mapping[str, tuple[str, Callable[[], Any]]]
    numbers: Callable[[Any], Any] = field(default=lambda result: result)


class Odd:
    """An object that nothing knows."""


def fails(*arguments: Any, **keywords: Any) -> Any:
    raise KeyError("the function of the caller fails")


def imaginary(right: Any) -> Any:
    return np.asarray(right).astype(complex) + 1j


def imaginary_objects(right: Any) -> Any:
    return np.asarray(right).astype(object) + 1j


def masked(right: Any) -> Any:
    return np.ma.masked_array(right, np.ones(np.shape(right), bool))


# Values that are wrong whatever a setting is for, and those that are wrong for one kind of it.
ANY = [lambda right: Odd(), lambda right: 1 + 1j, lambda right: b"\xff", lambda right: {"a": 1}, lambda right: {1, 2}, lambda right: [[]]]
NOT_NUMBERS = [*ANY, lambda right: "2", lambda right: "", lambda right: [1, 2], lambda right: np.nan, lambda right: np.inf]
NOT_ARRAYS = [
    lambda right: Odd(),
    lambda right: 5,
    lambda right: "text",
    lambda right: b"\xff",
    lambda right: {"a": 1},
    lambda right: [],
    lambda right: [[1.0], [1.0, 2.0]],
    lambda right: np.zeros((0,)),
    lambda right: np.zeros((0, 3)),
    lambda right: np.asarray(right)[:-1],
    lambda right: np.asarray(right)[..., None, None],
    imaginary_objects,
    imaginary,
    lambda right: np.asarray(right).astype("datetime64[s]"),
    lambda right: np.full(np.shape(right), "x"),
    lambda right: np.full(np.shape(right), {"a": 1}, dtype=object),
    lambda right: np.full(np.shape(right), None, dtype=object),
    lambda right: np.full(np.shape(right), np.inf),
    masked,
    lambda right: (i for i in range(3)),
]
WRONG: dict[str, list[Callable[[Any], Any]]] = {
    "count": [*NOT_NUMBERS, lambda right: -1, lambda right: 1.5, lambda right: True, lambda right: -(2**70)],
    "size": [*NOT_NUMBERS, lambda right: -1, lambda right: 1.5, lambda right: True, lambda right: 10**9, lambda right: 2**70],
    "number": [*NOT_NUMBERS, lambda right: -1.5, lambda right: 1e308, lambda right: True, lambda right: -(10**400)],
    "name": [*ANY, lambda right: 5, lambda right: True, lambda right: "misspelt", lambda right: "", lambda right: str(right).upper()],
    "text": [*ANY, lambda right: 5],
    "switch": [*ANY, lambda right: 5, lambda right: "no", lambda right: 0.0, lambda right: np.zeros(2)],
    "rows": NOT_ARRAYS,
    "targets": [*NOT_ARRAYS, lambda right: np.full(np.shape(right), np.nan), lambda right: sparse.csr_matrix(np.atleast_2d(right))],
    "classes": [*ANY, lambda right: 5, lambda right: [], lambda right: [None, np.nan], lambda right: ["a", "a"], lambda right: [[1], [2]]],
    "columns": [*ANY, lambda right: 5, lambda right: ["no such column"], lambda right: [5, None], lambda right: ""],
    "mapping": [*ANY, lambda right: 5, lambda right: "text", lambda right: [1, 2], lambda right: {"no such class": "x"}],
    "path": [
        *ANY,
        lambda right: 5,
        lambda right: "a\0b",
        lambda right: "x" * 5000,
        lambda right: "",
        lambda right: Path("x" * 300) / "y",
        lambda right: "/dev/null/x",
        lambda right: "no such file",
        lambda right: "\udcff",
    ],
    "model": [
        *ANY,
        lambda right: 5,
        lambda right: None,
        lambda right: "model",
        lambda right: [],
        lambda right: np.zeros(3),
        lambda right: fails,
        lambda right: dict,
    ],
    "function": [*ANY, lambda right: 5, lambda right: "text", lambda right: fails],
    "value": [*ANY, lambda right: 5, lambda right: "text", lambda right: []],
}  # fmt: skip


def numbers_in(value: Any) -> list[np.ndarray]:
    """All numbers of a result, as arrays."""
    if value is None or isinstance(value, str | bool):
        return []
    if isinstance(value, Mapping):
        return [found for each in value.values() for found in numbers_in(each)]
    if isinstance(value, list | tuple):
        return [found for each in value for found in numbers_in(each)]
    if is_dataclass(value):
        return [found for each in fields(value) for found in numbers_in(getattr(value, each.name))]
    return [np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=np.float64)]
