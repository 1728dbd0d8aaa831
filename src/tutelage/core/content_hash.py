"""One name for everything that an object holds, the same in every process that loads it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from joblib.hashing import NumpyHasher


class _Hasher(NumpyHasher):  # type: ignore[misc]
    """Hashes the fields of a structured array one by one, for between them lie bytes that nobody sets (nodes of trees)."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, np.ndarray) and obj.dtype.names is not None:
            obj = {name: np.ascontiguousarray(obj[name]) for name in obj.dtype.names}
        super().save(obj)


def content_hash(held: Any) -> str:
    """Hash (hex) of an object that can be pickled.

    Raises:
        pickle.PicklingError, AttributeError, TypeError: it cannot be.
    """
    # Through a pickle and back: equal objects that were built differently share no identities to tell them apart.
    return str(_Hasher(hash_name="md5").hash(pickle.loads(pickle.dumps(held))))  # noqa: S301 - our own bytes
