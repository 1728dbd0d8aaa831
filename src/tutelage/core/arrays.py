"""Array checks shared by every package: probabilities, logits, finite values, row counts; softmax and one-hot; what a frame is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from tutelage.core.errors import BadInput, NotProbabilities, ShapeError, one_line

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

EXACT = 2**53
"""Up to this size, float64 represents every whole number."""


def is_frame(rows: Any) -> bool:
    """Whether rows have named columns: a frame of pandas or polars, or an Arrow table."""
    return hasattr(rows, "columns") and hasattr(rows, "shape")


def real_numbers(values: ArrayLike, what: str) -> Floats:
    """Values as an array of real numbers: floats in their own precision, anything else in float64.

    Args:
        values: anything that NumPy converts to an array, or a tensor.
        what: the subject of error messages.

    Raises:
        ShapeError: rows of unequal length, or texts, dates and complex numbers. BadInput: a masked array that hides cells.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and type(values) is np.ndarray:
        return values
    try:
        array = unmasked(values, what)
        if array.dtype.kind not in "biufO" or (array.dtype.kind == "O" and any(isinstance(cell, str | bytes) for cell in array.flat)):
            raise TypeError(f"they are {array.dtype}")
        return array if array.dtype.kind == "f" else array.astype(np.float64)
    except BadInput:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"{what} are not numbers ({one_line(error)}).") from error


def unmasked(values: ArrayLike, what: str) -> NDArray[Any]:
    """Values as an array, unless some of them are hidden by a mask, which NumPy would pass on.

    Raises:
        ShapeError: rows of unequal length. BadInput: a masked array that hides cells.
    """
    hidden = int(np.sum(np.ma.getmaskarray(values))) if isinstance(values, np.ma.MaskedArray) else 0
    if hidden:
        raise BadInput(f"{what}: {hidden:,} of {np.size(values):,} cells are masked; fill them, or leave their rows out.")
    try:
        return np.asarray(tensor_array(values) if hasattr(values, "detach") else values)
    except ValueError as error:
        raise ShapeError(f"{what} do not have the same number of values ({one_line(error)}).") from error


def softmax(logits: ArrayLike) -> Floats:
    """Probabilities from logits, over the last axis. The shape and the float dtype are preserved; half precision is computed in float32.

    A row that contains NaN, or more than one +inf, yields NaN, as in torch.
    """
    z = at_least_single(np.asarray(logits))
    with np.errstate(invalid="ignore"):
        shifted = np.exp(z - z.max(axis=-1, keepdims=True))
        shifted /= shifted.sum(axis=-1, keepdims=True)
    return np.asarray(shifted, dtype=float_dtype(logits))


def at_least_single(values: NDArray[Any]) -> Floats:
    """Numbers as floats to compute with: half precision, in which sums overflow, as float32; what is no float as float64."""
    if values.dtype.kind != "f":
        return values.astype(np.float64)
    return values.astype(np.float32) if values.dtype.itemsize < 4 else values


def float_dtype(values: ArrayLike) -> np.dtype[Any]:
    """The dtype of values, or float64 if they are no floats."""
    dtype = np.asarray(values).dtype
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def sigmoid(logits: ArrayLike) -> Floats:
    """Probabilities of independent labels from their logits, element by element. The shape and the float dtype are preserved."""
    return np.asarray(expit(at_least_single(np.asarray(logits)))).astype(float_dtype(logits), copy=False)


def confidence_of(probabilities: Floats, task: str) -> Floats:
    """The confidence of answers, (rows,): the probability of the decision; of several labels, that of the least certain one.

    Args:
        probabilities: (rows, classes).
        task: of a classifier.
    """
    if task == "multilabel":
        return np.asarray(np.maximum(probabilities, 1 - probabilities).min(axis=1))
    return np.asarray(probabilities.max(axis=1))


def one_hot(labels: ArrayLike, classes: int) -> NDArray[np.float32]:
    """One-hot encoding: (rows,) integers in [0, classes) -> (rows, classes) probabilities in {0, 1}.

    Raises:
        BadInput: labels that are not integers, or are out of range.
    """
    y = np.asarray(labels)
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise BadInput(f"labels are {y.dtype} of shape {y.shape}; expected one integer per row.")
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise BadInput(f"labels run from {y.min()} to {y.max()}; expected 0 to {classes - 1} for {classes} classes.")
    found = np.zeros((len(y), classes), dtype=np.float32)  # the rows of an identity matrix would take classes x classes
    found[np.arange(len(y)), y] = 1
    return found


def as_matrix(values: ArrayLike, what: str, least: int = 1) -> Floats:
    """Return `values` as (rows, columns) floats with at least one column.

    Args:
        values: anything that NumPy converts to an array.
        what: the name used in the error.
        least: the smallest valid number of rows.

    Raises:
        ShapeError: another number of dimensions, fewer rows or no columns, or values that are not numbers.
    """
    array = real_numbers(values, what)
    if array.ndim != 2 or len(array) < least or not array.shape[1]:
        raise ShapeError(f"{what} has shape {array.shape}; expected (rows, columns) with at least one {'of each' if least else 'column'}.")
    return array


def check_probabilities(values: ArrayLike, what: str = "probabilities", *, tolerance: float = 1e-3) -> Floats:
    """Return `values` as (rows, classes) floats after checking that every row is a probability distribution.

    Args:
        values: (rows, classes).
        what: the name used in the error.
        tolerance: the largest accepted difference between a row's sum and one (half-precision logs need 1e-3).

    Raises:
        ShapeError: `values` is not a matrix.
        NotProbabilities: NaN, inf, a negative entry or a row that does not sum to one.
    """
    p = as_matrix(values, what)
    with np.errstate(invalid="ignore"):  # inf - inf
        deviation = np.abs(_row_sums(p) - 1)
    if not (p.min() >= 0 and deviation.max() <= tolerance):  # in this form, NaN fails the comparison too
        bad = ~np.isfinite(p).all(axis=1)
        if not bad.any():
            bad = (p < 0).any(axis=1) | (deviation > tolerance)
        row = int(np.flatnonzero(bad)[0])
        raise NotProbabilities(
            f"{what}: {int(bad.sum())} of {len(p)} rows are not probabilities (row {row} is {_short(p[row])}). "
            "Each row must be non-negative and sum to one; if these are logits, pass them through softmax once."
        )
    return p


def _row_sums(p: Floats) -> Floats:
    """Sum of each row, (rows,).

    Up to 128 columns are summed in their own precision with einsum: np.sum restarts for each row, which is three times as slow.
    """
    if p.shape[1] > 128 or p.dtype == np.float16:
        return np.asarray(p.sum(axis=1, dtype=np.float64))
    return np.asarray(np.einsum("ij->i", p))


def check_finite(values: ArrayLike, what: str) -> Floats:
    """Return `values` as floats after checking that none is NaN or infinite.

    Raises:
        BadInput: a value that is not finite; the message names the first such row. ShapeError: no values, or no numbers.
    """
    array = real_numbers(values, what)
    if not array.ndim or not array.size:
        raise ShapeError(f"{what} have shape {array.shape}; expected (rows, ...) with at least one number.")
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if bad.any():
        raise BadInput(f"{what}: {int(bad.sum())} of {len(array)} rows hold NaN or inf (first: row {int(np.flatnonzero(bad)[0])}).")
    return array


def check_logits(matrix: Floats, what: str) -> Floats:
    """Return (rows, classes) logits after checking that each row has a softmax; -inf marks an impossible class.

    Raises:
        BadInput: NaN or +inf, or -inf in every column of a row.
    """
    if matrix.size and np.isfinite(matrix.min()) and np.isfinite(matrix.max()):  # far quicker, and nearly always enough
        return matrix
    bad = ~np.isfinite(matrix.max(axis=1))
    if bad.any():
        raise BadInput(
            f"{what}: {int(bad.sum())} of {len(matrix)} rows of logits hold NaN or inf (first: row {int(np.flatnonzero(bad)[0])})."
        )
    return matrix


def same_length(first: ArrayLike, second: ArrayLike, names: str) -> None:
    """Check that two arrays have the same number of rows.

    Args:
        first: (rows, ...).
        second: (rows, ...).
        names: what the two are, for the message, such as "inputs and labels".

    Raises:
        ShapeError: the numbers of rows differ.
    """
    a, b = len(np.asarray(first)), len(np.asarray(second))
    if a != b:
        raise ShapeError(f"{names} have {a} and {b} rows; they must be the same rows in the same order.")


def _short(row: Floats) -> str:
    values = ", ".join(f"{value:.3g}" for value in row[:4])
    return f"[{values}{', ...' if len(row) > 4 else ''}]"


def tensor_array(tensor: Any) -> NDArray[Any]:
    """A tensor as an array; floating-point numbers that NumPy lacks, such as bfloat16, in single precision.

    Raises:
        BadInput: a sparse tensor, or one of a type that NumPy lacks.
    """
    check_dense(tensor)
    values = tensor.detach().cpu()
    try:
        return np.asarray(values.numpy())
    except TypeError as error:
        if not values.is_floating_point():
            raise BadInput(f"the tensor is of type {values.dtype}, which NumPy lacks; convert it to numbers.") from error
        return np.asarray(values.float().numpy())


def check_dense(tensor: Any) -> None:
    """Refuse a sparse tensor.

    Raises:
        BadInput: it is sparse.
    """
    if str(tensor.layout) != "torch.strided":
        raise BadInput(f"got a tensor of layout {tensor.layout}; expected a dense tensor: pass tensor.to_dense().")


LIGHTEST = 1e-300
"""Rows that together weigh less, or more than its inverse, are refused: their means would be wrong numbers."""


def check_weights(sample_weight: ArrayLike | None, rows: int) -> Floats | None:
    """Return weights as (rows,) float64 after proving that rows can be weighed with them.

    Raises:
        ShapeError: another number of weights than rows. BadInput: negative or not finite, or all zero.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(real_numbers(sample_weight, "the weights in sample_weight"), dtype=np.float64)
    if weights.shape != (rows,):
        raise ShapeError(f"sample_weight has shape {weights.shape}; expected one weight for each of {rows} rows.")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise BadInput("sample_weight holds negative numbers, NaN or inf, or every weight is zero; expected weights of zero and more.")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not LIGHTEST < total < 1 / LIGHTEST:
        raise BadInput(f"sample_weight adds up to {total:.3g}, where numbers lose their digits; expected a sum nearer to one a row.")
    return weights


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, which cannot be changed through the array that is returned."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
