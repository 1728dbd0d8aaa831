"""One name for everything that an object holds, the same in every process that loads it."""

from __future__ import annotations

import io
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


class _Plain(pickle.Pickler):
    """Takes LightGBM's Boosters for what they would be pickled as, so that their text is written once and never read."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__name__ == "Booster" and hasattr(obj, "model_to_string"):
            return dict, (obj.__getstate__(),)
        return NotImplemented


def content_hash(held: Any) -> str:
    """Hash (hex) of an object that can be pickled.

    Raises:
        pickle.PicklingError, AttributeError, TypeError: it cannot be.
    """
    # Through a pickle and back: equal objects that were built differently share no identities to tell them apart.
    written = io.BytesIO()
    _Plain(written, protocol=pickle.HIGHEST_PROTOCOL).dump(held)
    return str(_Hasher(hash_name="md5").hash(pickle.loads(written.getvalue())))  # noqa: S301 - our own bytes
