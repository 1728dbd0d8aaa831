"""Rows of lists, masked arrays and series as one array, without rounding a number."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import EXACT, tensor_array, unmasked
from tutelage.core.errors import BadInput, ShapeError, TutelageError
from tutelage.data.cells import is_missing, large_whole_cells


def array_of(data: Any, what: str = "the rows") -> NDArray[Any]:
    """Convert rows to an array.

    Args:
        data: a tensor, or anything else that NumPy converts to an array.
        what: the name used in an error.

    Raises:
        ShapeError: rows of unequal length. BadInput: complex numbers, or a sparse tensor.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data)
    if hasattr(data, "detach"):  # NumPy converts no tensor that has a gradient
        return tensor_array(data)
    whole = large_whole_cells(data)
    if whole is not None:
        return whole
    try:
        array = np.asarray(data)
        if array.dtype.kind == "c" or (array.dtype.kind == "O" and any(isinstance(cell, complex) for cell in array.flat)):
            raise BadInput(f"Complex data not supported: {what} hold complex numbers; pass their .real, or both parts as columns.")
        if array.dtype.kind in "US" and not hasattr(data, "dtype") and not all(isinstance(cell, str | bytes) for cell in _cells_of(data)):
            return np.asarray(data, dtype=object)  # numbers beside texts stay numbers
        return array
    except TutelageError:
        raise
    except ValueError as error:  # rows of unequal length
        raise ShapeError(f"{what} do not have the same number of values ({error}).") from error


def target_array(y: Any) -> NDArray[Any]:
    """Targets as an array, as `array_of`, and a sparse matrix of labels as a dense one; a masked cell would be a target that is not known.

    Raises:
        ShapeError: rows of unequal length. BadInput: a masked array that hides cells.
    """
    y = y.toarray() if hasattr(y, "toarray") else y
    return array_of(unmasked(y, "the rows of y") if isinstance(y, np.ma.MaskedArray) else y, "the rows of y")


def missing_truth(truth: NDArray[Any], classes: Collection[Any]) -> NDArray[np.bool_]:
    """(rows,) whether the ground truth of a row is missing, or is an empty text where no class has that name.

    Args:
        truth: (rows,) or (rows, columns); of several labels or values, none may be missing.
        classes: that are known.

    Example:
        >>> missing_truth(np.array(["yes", "", None], dtype=object), ["no", "yes"]).tolist()
        [False, True, True]
    """
    if truth.dtype.kind in "biu":
        return np.zeros(len(truth), dtype=bool)
    if truth.dtype.kind == "f":
        return np.asarray(np.isnan(truth.reshape(len(truth), -1)).any(axis=1))
    empty = "" not in classes
    gaps = [is_missing(cell) or (empty and isinstance(cell, str) and not cell) for cell in truth.reshape(-1).tolist()]
    return np.asarray(np.array(gaps, dtype=bool).reshape(len(truth), -1).any(axis=1))


def without_masks(X: Any, y: Any = None) -> tuple[Any, Any]:
    """Rows and targets for scikit-learn's validation, which would pass on what a mask hides: hidden cells of the rows are NaN.

    Raises:
        BadInput: targets that a mask hides.
    """
    return array_of(X) if isinstance(X, np.ma.MaskedArray) else X, target_array(y) if isinstance(y, np.ma.MaskedArray) else y


def _unmasked(array: Any) -> NDArray[Any]:
    """A masked array with NaN for the hidden cells, whose values NumPy would pass on; as objects if floats would round the others."""
    if not array.mask.any():
        return np.asarray(array.data)
    exact = array.dtype.kind == "f" or (array.dtype.kind in "iu" and not _is_large(array.compressed()))
    return np.asarray(array.astype(np.float64 if exact else object).filled(np.nan))


def _is_large(whole: NDArray[Any]) -> bool:
    return whole.size > 0 and max(-int(whole.min()), int(whole.max())) > EXACT


def _cells_of(data: Any) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list | tuple | np.ndarray):
            yield from _cells_of(item)
        else:
            yield item
