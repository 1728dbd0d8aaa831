"""Class names: plain values, each once; a vocabulary of many is hashed once and compared by its hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tutelage.core.errors import LabelMismatch, shown

MANY = 1000
"""More names than this are compared by hash."""


def plain(label: Any) -> Any:
    """A class label as a plain Python value that JSON can hold.

    Raises:
        LabelMismatch: a label that is no text, number or truth value.
    """
    value = label.item() if isinstance(label, np.generic) else label
    if not isinstance(value, str | int | float) or (isinstance(value, float) and math.isnan(value)):
        raise LabelMismatch(f"a class is labelled {shown(label)} ({type(label).__name__}); expected a text, a number or a truth value.")
    return value


def key_of(label: Any) -> tuple[bool, Any]:
    """What distinguishes class names: the number 1 and the text "1" are two."""
    return isinstance(label, str), label


def list_classes(classes: tuple[Any, ...]) -> str:
    """Class names as text for a message; at most the first six."""
    names = ", ".join(repr(label) for label in classes[:6])
    return f"[{names}{', ...' if len(classes) > 6 else ''}]"


def of_one_type(classes: Sequence[Any]) -> list[Any]:
    """Class names as values of one type, as a file can hold them: names of several types become JSON texts.

    Example:
        >>> of_one_type([1, 2]), of_one_type([1, "unsure"])
        ([1, 2], ['1', '"unsure"'])
    """
    types = {type(label) for label in classes}
    whole = types == {int} and all(-(2**63) <= label < 2**63 for label in classes)
    return list(classes) if whole or types in ({str}, {bool}, {float}) else [json.dumps(label) for label in classes]


class ClassNames(tuple[Any, ...]):
    """The name of each class, in order, as a tuple of plain values.

    A language model's classes are a vocabulary of 150 000 tokens: what is computed of all names is computed once.

    Raises:
        LabelMismatch: a name that is no text, number or truth value.

    Example:
        >>> ClassNames(["no", "yes"]) == ("no", "yes"), ClassNames(["no", "yes"]).places[key_of("yes")]
        (True, 1)
    """

    def __new__(cls, names: Iterable[Any] = ()) -> ClassNames:
        """Plain values; names that are class names already are taken as they are."""
        return names if isinstance(names, ClassNames) else super().__new__(cls, map(plain, names))

    @cached_property
    def places(self) -> dict[tuple[bool, Any], int]:
        """The column of each name, by `key_of`."""
        return {key_of(name): place for place, name in enumerate(self)}

    @cached_property
    def sha256(self) -> str:
        """A hash of the names in their order."""
        return hashlib.sha256(json.dumps(list(self), ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, ClassNames) and len(self) == len(other) > MANY and self.sha256 == other.sha256:
            return True
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what is computed of the names."""
        return ClassNames, (tuple(self),)
