"""Tables of numbers and words as text, for languages whose source files hold them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LITERAL = 64
"""Longest table that is written number by number: readers see it, and larger ones would be slow to load."""


def narrow(values: ArrayLike) -> NDArray[Any]:
    """A flat array in the smallest type that holds every number exactly: int8, int16, int32, float32 or float64.

    Example:
        >>> narrow([[0.5, 2.0]]).dtype, narrow([0.1]).dtype, narrow([True, False]).dtype
        (dtype('float32'), dtype('float64'), dtype('int8'))
    """
    flat = np.asarray(values).ravel()
    if flat.dtype.kind in "biu":
        for whole in (np.int8, np.int16, np.int32):
            if not flat.size or (flat.min() >= np.iinfo(whole).min and flat.max() <= np.iinfo(whole).max):
                return flat.astype(whole)
    wide = flat.astype(np.float64)
    with np.errstate(over="ignore"):
        single = wide.astype(np.float32)
    return single if np.array_equal(single, wide, equal_nan=True) else wide


def encoded(values: NDArray[Any]) -> str:
    """Numbers as base64 of their bytes, the lowest byte first."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def words(terms: Sequence[str]) -> str:
    """Terms joined by commas. No token has one, so that a term with a comma never occurs in a text: it becomes an empty word."""
    return ",".join("" if "," in term else term for term in terms)
