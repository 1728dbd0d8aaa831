"""A hash of an object's content that is the same in every process that loads the object."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from joblib.hashing import NumpyHasher


class _Hasher(NumpyHasher):  # type: ignore[misc]
    """Hashes a structured array field by field: the padding between fields is uninitialised (as in the nodes of trees)."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, np.ndarray) and obj.dtype.names is not None:
            obj = {name: np.ascontiguousarray(obj[name]) for name in obj.dtype.names}
        super().save(obj)


class _Pickler(pickle.Pickler):
    """Pickles the state of a LightGBM Booster in place of the Booster, whose text is then written once and never parsed."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__name__ == "Booster" and hasattr(obj, "model_to_string"):
            return dict, (obj.__getstate__(),)
        return NotImplemented


def content_hash(value: Any) -> str:
    """Hash (hex) of an object that can be pickled.

    Raises:
        pickle.PicklingError, AttributeError, TypeError: the object cannot be pickled.
    """
    # The hash is that of an unpickled copy. Object identities are part of a pickle, and equal objects that were built
    # differently share different ones.
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return str(_Hasher(hash_name="md5").hash(pickle.loads(buffer.getvalue())))  # noqa: S301 - the bytes written above
