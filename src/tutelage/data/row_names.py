"""A name for each row's content: which kept answer belongs to which row, whatever holds the rows and in what order.

A row's name is a 64-bit hash of its values, the same for an array, a frame, a sparse matrix or a Parquet file that
hold the same numbers. It is no secret and no proof against an adversary: two different rows among ten million share
a name with probability 3e-6, for the most awkward of values 5e-5.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput
from tutelage.data.rows import array_of, as_rows

Names = NDArray[np.uint64]

BLOCK_CELLS = 1 << 18
"""Cells hashed at a time: few enough to stay near the processor, enough that threads seldom wait for each other."""
THREAD_CELLS = 1 << 21
"""Cells that are worth a thread of their own."""
MOST_THREADS = 4
"""More would wait for the memory, and in the way of whoever else runs on a large machine."""


def row_names(rows: Any) -> Names:
    """A 64-bit name for the content of each row: (rows,) uint64.

    Equal values give equal names whatever holds them: int 3, float32 3.0 and float64 3.0 agree, -0.0 is 0.0, every
    NaN and None is the same missing value, and a zero that a sparse matrix leaves out is a zero. Texts count by
    their characters. Column names do not count, the order of columns does.
    """
    if hasattr(rows, "tocsr"):
        return _of_sparse(rows.tocsr())
    columns = _columns(rows)
    if columns is not None:
        return _of_columns(columns, len(rows))
    array = rows.detach().cpu().numpy() if hasattr(rows, "detach") else array_of(rows)
    if array.dtype.kind in "OUSMm":
        flat = array.reshape(len(array), -1)
        return _of_columns([flat[:, column] for column in range(flat.shape[1])], len(array))
    return _of_numbers(array.reshape(len(array), -1))


def _columns(rows: Any) -> list[NDArray[Any]] | None:
    """The columns of a frame, each an array; None for what is no frame."""
    if hasattr(rows, "iloc"):
        if rows.ndim == 1:
            return [rows.to_numpy()]
        if all(getattr(dtype, "kind", "O") in "biuf" and isinstance(dtype, np.dtype) for dtype in rows.dtypes):
            return None  # numbers only: one matrix is quicker
        return [rows.iloc[:, column].to_numpy() for column in range(rows.shape[1])]
    if hasattr(rows, "get_columns"):
        return [column.to_numpy() for column in rows.get_columns()]
    if type(rows).__module__.startswith("polars"):
        return [rows.to_numpy()]
    return None


_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def mixed(bits: Names) -> Names:
    """Spread every bit over the word, in place; 0 stays 0.

    Multiply and shift as in splitmix64 (Vigna 2015).
    """
    with np.errstate(over="ignore"):
        bits *= _FIRST
        bits ^= bits >> np.uint64(32)
        bits *= _SECOND
        bits ^= bits >> np.uint64(29)
    return bits


LOW_BITS = 29
"""How many low bits of a double are zero where single precision holds the number: half of the work is then left out."""
_SHIFT, _MASK = np.uint64(LOW_BITS), np.uint64((1 << LOW_BITS) - 1)


@lru_cache(maxsize=4)
def _keys(columns: int) -> Names:
    """(2, 2, columns) what the high and the low bits of each column are multiplied by, in each of the two sums."""
    keys: Names = mixed(np.arange(1, 4 * columns + 1, dtype=np.uint64)).reshape(columns, 2, 2).transpose(1, 2, 0).copy()
    return keys


def _of_numbers(matrix: NDArray[Any]) -> Names:
    """Names of the rows of a matrix of numbers, large ones in several threads."""
    workers = min(os.cpu_count() or 1, MOST_THREADS, matrix.size // THREAD_CELLS)
    if workers <= 1:
        return _finished(_sums(matrix), matrix.shape[1])
    with ThreadPoolExecutor(workers) as threads:
        return _finished(np.concatenate(list(threads.map(_sums, np.array_split(matrix, workers))), axis=1), matrix.shape[1])


def _sums(matrix: NDArray[Any]) -> Names:
    """(2, rows) what the cells of each row add up to, a block of rows at a time.

    The high and the low bits of each cell times their column's keys, modulo 2^64 (multilinear hashing: Carter, Wegman 1979). Had
    the keys been drawn by chance, two rows would share both sums with a probability of 2^-60 at most, whatever their values:
    high parts differ by less than 2^35, so that 34 low bits of a difference at most are zero.
    """
    columns = matrix.shape[1]
    short = matrix.dtype.itemsize <= (4 if matrix.dtype.kind == "f" else 2)  # no number of these has low bits
    (high, low), step = _keys(columns), max(1, BLOCK_CELLS // max(columns, 1))
    sums = np.empty((2, len(matrix)), dtype=np.uint64)
    # Made once: a thread beside the main one would ask the system for memory anew in every step.
    floats = np.empty((min(step, len(matrix)), columns))
    scratch = None if short else np.empty(floats.shape, dtype=np.uint64)
    for start in range(0, len(matrix), step):
        part = matrix[start : start + step]
        bits = _bits(part, floats[: len(part)])
        into = sums[:, start : start + step]
        into[:] = 0
        if scratch is not None and np.bitwise_or.reduce(bits, axis=None) & _MASK:
            into += _products(np.bitwise_and(bits, _MASK, out=scratch[: len(part)]), low)
        bits >>= _SHIFT
        into += _products(bits, high)
    return sums


def _products(cells: Names, keys: Names) -> Names:
    """(rows, columns), (2, columns) -> (2, rows)."""
    return np.stack([np.einsum("ij,j->i", cells, key) for key in keys])


def _of_columns(columns: list[NDArray[Any]], rows: int) -> Names:
    sums = np.zeros((2, rows), dtype=np.uint64)
    for place, column in enumerate(columns):
        sums += np.stack(list(_cells(_bits(column), _keys(len(columns)), place)))
    return _finished(sums, len(columns))


def _of_sparse(matrix: Any) -> Names:
    matrix.sum_duplicates()
    rows, columns = matrix.shape
    ends, keys, sums, start = matrix.indptr, _keys(columns), np.empty((2, rows), dtype=np.uint64), 0
    while start < rows:
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + BLOCK_CELLS, side="right")) - 1)
        held, bounds = slice(ends[start], ends[stop]), ends[start : stop + 1] - ends[start]
        for total, cells in zip(sums, _cells(_bits(matrix.data[held]), keys, matrix.indices[held]), strict=True):
            running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(cells, dtype=np.uint64)])
            total[start:stop] = running[bounds[1:]] - running[bounds[:-1]]
        start = stop
    return _finished(sums, columns)


def _cells(bits: Names, keys: Names, columns: int | NDArray[np.integer[Any]]) -> Iterator[Names]:
    """(cells,) for each of the two sums: what cells add to those of their rows; `columns` are theirs, one for all or one each."""
    high, low = bits >> _SHIFT, bits & _MASK
    in_use = low.any()
    for of_high, of_low in zip(*keys, strict=True):
        cells = high * of_high[columns]
        if in_use:
            cells += low * of_low[columns]
        yield cells


def _finished(sums: Names, columns: int) -> Names:
    first, second = sums
    return mixed(mixed(first) + second + np.uint64(columns) + np.uint64(1))


def _bits(values: NDArray[Any], floats: NDArray[np.float64] | None = None) -> Names:
    """A word for each value, of numbers in the memory given; numbers that are equal have equal words, and 0 has the word 0."""
    kind = values.dtype.kind
    if kind in "Mm":
        return values.astype("datetime64[ns]" if kind == "M" else "timedelta64[ns]").astype(np.int64).view(np.uint64) | np.uint64(1)
    if kind in "OUST":
        return _bits_of_objects(values)
    if kind not in "biuf":
        raise BadInput(f"rows hold values of type {values.dtype}; expected numbers, texts or dates.")
    floats = np.add(values, 0.0, out=floats, dtype=np.float64, order="C")  # -0.0 becomes 0.0
    if kind == "f" and values.size and np.isnan(values.min()):
        floats[np.isnan(floats)] = np.nan
    bits = floats.view(np.uint64)
    if kind in "iu" and values.dtype.itemsize == 8:
        huge = np.abs(floats) >= 2.0**53  # neighbours that float64 cannot tell apart keep their own words
        if huge.any():
            bits[huge] = values[huge].astype(np.uint64, casting="unsafe") * _SECOND
    return bits


def _bits_of_objects(values: NDArray[Any]) -> Names:
    known: dict[Any, int] = {}
    words = np.empty(values.shape, dtype=np.uint64)
    for index, value in np.ndenumerate(values):
        key = (type(value), value)
        try:
            word = known.get(key)
        except TypeError as error:
            raise BadInput(f"a cell holds a {type(value).__name__}; expected numbers, texts or dates.") from error
        if word is None:
            word = known[key] = _word(value)
        words[index] = word
    return words


def _word(value: Any) -> int:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return int(_bits(np.array([np.nan]))[0])
    if isinstance(value, bool | int | float | np.number | np.bool_):
        number = np.atleast_1d(np.asarray(value))
        return _digest(f"int {value}") if number.dtype.kind == "O" else int(_bits(number)[0])  # an object: beyond 64 bits
    if isinstance(value, bytes):
        return _digest(b"bytes " + value)
    return _digest(f"{'' if isinstance(value, str) else type(value).__name__} {value}")


def _digest(text: str | bytes) -> int:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


class RunningName:
    """One name for many rows in order, told a part at a time; the sizes of the parts do not matter."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, names: Names) -> None:
        """Tell the next rows."""
        self._digest.update(np.ascontiguousarray(names, dtype="<u8").data)

    @cached_property
    def value(self) -> str:
        """SHA-256 (hex) of the names of all rows told."""
        return self._digest.hexdigest()


def data_name(data: Any, *, block: int = 65_536) -> str:
    """SHA-256 (hex) for exactly these rows in exactly this order, read in parts."""
    running = RunningName()
    for _, _, part in as_rows(data).parts(block):
        running.add(row_names(part))
    return running.value
