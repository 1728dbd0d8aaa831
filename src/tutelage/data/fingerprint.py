"""A fingerprint of arrays: the same only for the same values in the same order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fingerprint(*arrays: NDArray[Any]) -> str:
    """SHA-256 (hex) over the dtype, shape and bytes of the arrays, in order.

    Two data sets share a fingerprint only if every value, its dtype and the order of rows agree.
    """
    digest = hashlib.sha256()
    for array in arrays:
        whole = np.ascontiguousarray(array)
        digest.update(f"{whole.dtype.str}{whole.shape}".encode())
        digest.update(whole.data)
    return digest.hexdigest()


class RunningFingerprint:
    """The fingerprint of one array of a known length, whose numbers are added part by part."""

    def __init__(self, dtype: np.dtype[Any], count: int) -> None:
        self._digest = hashlib.sha256(f"{dtype.str}{(count,)}".encode())

    def add(self, part: NDArray[Any]) -> None:
        """Add the next numbers."""
        self._digest.update(np.ascontiguousarray(part).data)

    @property
    def value(self) -> str:
        """As `fingerprint`, once all numbers were added."""
        return self._digest.hexdigest()
