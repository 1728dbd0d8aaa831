"""Row names: a 64-bit hash of each row's content, by which recorded answers are matched to rows.

The name is the same for an array, a frame, a sparse matrix or a Parquet file that contain the same values, in any order of rows.
It is not a cryptographic hash and gives no protection against an adversary: two different rows among ten million share a name
with probability 3e-6, for the least favourable values 5e-5.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import EXACT, tensor_array
from tutelage.core.errors import BadInput, shown
from tutelage.data.cells import is_missing, large_whole_cells
from tutelage.data.row_arrays import array_of
from tutelage.data.rows import as_rows
from tutelage.data.structures.ragged import Field, Ragged
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.data.tables.arrow_frames import frame_of

Names = NDArray[np.uint64]

BLOCK_CELLS = 1 << 18
"""Cells hashed at a time: few enough to stay in the processor's cache, enough that threads rarely wait for each other."""
THREAD_CELLS = 1 << 21
"""The number of cells that justifies one more thread."""
MOST_THREADS = 4
"""More threads would be limited by memory bandwidth, and would slow down other processes on a large machine."""


def row_names(rows: Any) -> Names:
    """A 64-bit name for the content of each row: (rows,) uint64.

    Equal values give equal names in every container and dtype: int 3, float32 3.0, float64 3.0 and Decimal("3") agree, -0.0 equals
    0.0, every NaN, NaT and None is the same missing value, a masked cell is missing, a date is its midnight, a time with a zone is
    its moment, and a zero that a sparse matrix does not store is a zero. Texts are hashed by their characters. Column names are
    ignored; the order of columns matters. Further axes of a row are ignored: a picture is named like its pixels in a line.

    Args:
        rows: (rows, ...) array, tensor, frame, series, sparse matrix, list of texts, or several inputs, whose names count.

    Raises:
        BadInput: a cell that is not a number, a text or a date.
    """
    if is_structure(rows):
        return _of_structure(StructuredRows.of(rows))
    if hasattr(rows, "tocsr"):
        return _of_sparse(rows.tocsr())
    if type(rows).__module__.startswith("pyarrow"):
        rows = frame_of(rows)
    columns = _columns(rows)
    if columns is not None:
        return _of_columns(columns, len(rows), getattr(rows, "columns", ()))
    if isinstance(rows, list) and all(isinstance(text, str) for text in rows):  # an array would hold each as long as the longest
        return _of_columns([np.array(rows, dtype=object)], len(rows))
    array = tensor_array(rows) if hasattr(rows, "detach") else array_of(rows)
    if array.ndim == 0:
        raise BadInput(f"cannot take {shown(rows)} as rows; expected an array, a frame, a sparse matrix or a list of texts.")
    if array.dtype.kind in "OUSMmT":
        flat = array.reshape(len(array), -1)
        return _of_columns([flat[:, column] for column in range(flat.shape[1])], len(array))
    return _of_numbers(array.reshape(len(array), -1)) if len(array) else np.zeros(0, dtype=np.uint64)


def _of_structure(rows: StructuredRows) -> Names:
    """Names of rows of several inputs: of each input its name and its content, in whatever order the inputs stand."""
    names = np.zeros(len(rows), dtype=np.uint64)
    for name in sorted(rows.fields):
        names = mix_bits(names ^ (_of_field(rows.fields[name]) + np.uint64(_digest(name))))
    return names


def _of_field(field: Field) -> Names:
    """Names of the rows of one input; an array is named like rows of one length."""
    if not isinstance(field, Ragged):
        return row_names(field)
    names = np.empty(len(field), dtype=np.uint64)
    for length in np.unique(field.lengths):
        chosen = np.flatnonzero(field.lengths == length)
        names[chosen] = row_names(field[chosen].values.reshape(len(chosen), -1)) if length else _MISSING
    return names


def _columns(rows: Any) -> list[NDArray[Any]] | None:
    """The columns of a frame as arrays; None for anything else, and for a pandas frame of numeric columns only."""
    if hasattr(rows, "iloc"):
        if rows.ndim == 1:
            return [_cells_of(rows)]
        if all(getattr(dtype, "kind", "O") in "biuf" and isinstance(dtype, np.dtype) for dtype in rows.dtypes) and not _would_round(rows):
            return None  # numeric columns only: hashing one matrix is faster
        return [_cells_of(rows.iloc[:, column]) for column in range(rows.shape[1])]
    if hasattr(rows, "get_columns"):
        return [_cells_of(column) for column in rows.get_columns()]
    if type(rows).__module__.startswith("polars"):
        return [_cells_of(rows)]
    return None


def _would_round(frame: Any) -> bool:
    """Whether whole numbers of a pandas frame would be rounded in one matrix with its other columns."""
    kinds = set(frame.dtypes)
    if len(kinds) < 2 or np.result_type(*kinds).kind != "f":
        return False
    large = [name for name, kind in enumerate(frame.dtypes) if kind.kind in "iu" and kind.itemsize == 8]
    return any(len(frame) and (np.abs(frame.iloc[:, name].to_numpy().astype(np.float64)) >= EXACT).any() for name in large)


def _cells_of(series: Any) -> NDArray[Any]:
    """The cells of a series of pandas or polars; times that name a zone as times in UTC.

    Raises:
        BadInput: a polars series of lists, structures or arrays.
    """
    if type(series).__module__.startswith("polars"):
        return _cells_of_polars(series)
    whole = large_whole_cells(series)
    if whole is not None:
        return whole
    cells: NDArray[Any] = series.dt.tz_convert(None).to_numpy() if getattr(series.dtype, "tz", None) is not None else series.to_numpy()
    return cells


def _cells_of_polars(series: Any) -> NDArray[Any]:
    if series.dtype.is_nested():
        raise BadInput(f"column {series.name!r} holds values of type {series.dtype}; expected numbers, texts or dates.")
    if str(series.dtype) in ("Int128", "UInt128"):
        return np.array(series.to_list(), dtype=object)
    whole = large_whole_cells(series)
    return np.asarray(series.to_numpy() if whole is None else whole)


_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def mix_bits(bits: Names) -> Names:
    """Spread every bit over the whole word, in place; 0 remains 0.

    Multiplication and shift as in splitmix64 (Vigna 2015).
    """
    with np.errstate(over="ignore"):
        bits *= _FIRST
        bits ^= bits >> np.uint64(32)
        bits *= _SECOND
        bits ^= bits >> np.uint64(29)
    return bits


LOW_BITS = 29
"""Number of low bits of a double that are zero if single precision can represent the number: half of the work is then skipped."""
_SHIFT, _MASK = np.uint64(LOW_BITS), np.uint64((1 << LOW_BITS) - 1)


@lru_cache(maxsize=4)
def _keys(columns: int) -> Names:
    """(2, 2, columns) multipliers of the high and the low bits of each column, for each of the two sums."""
    keys: Names = mix_bits(np.arange(1, 4 * columns + 1, dtype=np.uint64)).reshape(columns, 2, 2).transpose(1, 2, 0).copy()
    return keys


def _of_numbers(matrix: NDArray[Any]) -> Names:
    """Names of the rows of a numeric matrix; large matrices use multiple threads."""
    workers = min(os.cpu_count() or 1, MOST_THREADS, matrix.size // THREAD_CELLS)
    if workers <= 1:
        return _combined(_sums(matrix), matrix.shape[1])
    with ThreadPoolExecutor(workers) as threads:
        return _combined(np.concatenate(list(threads.map(_sums, np.array_split(matrix, workers))), axis=1), matrix.shape[1])


def _sums(matrix: NDArray[Any]) -> Names:
    """(2, rows) the two hash sums of each row, computed in blocks of rows.

    A sum adds the high and the low bits of each cell times their column's keys, modulo 2^64 (multilinear hashing: Carter, Wegman
    1979). If the keys were random, two rows would share both sums with a probability of at most 2^-60, for any values: high
    parts differ by less than 2^35, so that at most 34 low bits of a difference are zero.
    """
    columns = matrix.shape[1]
    short = matrix.dtype.itemsize <= (4 if matrix.dtype.kind == "f" else 2)  # numbers of these types have no low bits
    (high, low), step = _keys(columns), max(1, BLOCK_CELLS // max(columns, 1))
    sums = np.empty((2, len(matrix)), dtype=np.uint64)
    # Allocated once: outside the main thread, every step would otherwise request memory from the system again.
    floats = np.empty((min(step, len(matrix)), columns))
    scratch = None if short else np.empty(floats.shape, dtype=np.uint64)
    for start in range(0, len(matrix), step):
        part = matrix[start : start + step]
        bits = _bits(part, floats[: len(part)])
        block_sums = sums[:, start : start + step]
        block_sums[:] = 0
        if scratch is not None and np.bitwise_or.reduce(bits, axis=None) & _MASK:
            block_sums += _products(np.bitwise_and(bits, _MASK, out=scratch[: len(part)]), low)
        bits >>= _SHIFT
        block_sums += _products(bits, high)
    return sums


def _products(cells: Names, keys: Names) -> Names:
    """Cells times keys, summed over columns: (rows, columns), (2, columns) -> (2, rows)."""
    return np.stack([np.einsum("ij,j->i", cells, key) for key in keys])


def _of_columns(columns: list[NDArray[Any]], rows: int, names: Sequence[Any] = ()) -> Names:
    sums = np.zeros((2, rows), dtype=np.uint64)
    for position, column in enumerate(columns):
        try:
            bits = _bits(column)
        except BadInput as error:
            raise BadInput(f"column {names[position]!r}: {error}" if len(names) else str(error)) from error
        sums += np.stack(list(_cells(bits, _keys(len(columns)), position)))
    return _combined(sums, len(columns))


def _of_sparse(matrix: Any) -> Names:
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # sum_duplicates works in place
        matrix.sum_duplicates()
    rows, columns = matrix.shape
    ends, keys, sums, start = matrix.indptr, _keys(columns), np.empty((2, rows), dtype=np.uint64), 0
    while start < rows:
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + BLOCK_CELLS, side="right")) - 1)
        stored, bounds = slice(ends[start], ends[stop]), ends[start : stop + 1] - ends[start]
        for total, cells in zip(sums, _cells(_bits(matrix.data[stored]), keys, matrix.indices[stored]), strict=True):
            running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(cells, dtype=np.uint64)])
            total[start:stop] = running[bounds[1:]] - running[bounds[:-1]]
        start = stop
    return _combined(sums, columns)


def _cells(bits: Names, keys: Names, columns: int | NDArray[np.integer[Any]]) -> Iterator[Names]:
    """(cells,) for each of the two sums: the contribution of each cell.

    Args:
        bits: (cells,) words.
        keys: (2, 2, columns) from `_keys`.
        columns: the column of the cells: one for all, or (cells,).
    """
    high, low = bits >> _SHIFT, bits & _MASK
    has_low_bits = low.any()
    for high_keys, low_keys in zip(*keys, strict=True):
        cells = high * high_keys[columns]
        if has_low_bits:
            cells += low * low_keys[columns]
        yield cells


def _combined(sums: Names, columns: int) -> Names:
    first, second = sums
    return mix_bits(mix_bits(first) + second + np.uint64(columns) + np.uint64(1))


def _bits(values: NDArray[Any], floats: NDArray[np.float64] | None = None) -> Names:
    """A 64-bit word for each value. Equal numbers have equal words, and 0 has the word 0.

    Args:
        values: an array of numbers, dates, texts or objects.
        floats: memory for the result, used for numbers.
    """
    kind = values.dtype.kind
    if kind in "Mm":
        return _bits_of_times(values)
    if kind in "OUST":
        return _bits_of_objects(values)
    if kind not in "biuf":
        raise BadInput(f"rows hold values of type {values.dtype}; expected numbers, texts or dates.")
    floats = np.add(values, 0.0, out=floats, dtype=np.float64, order="C")  # -0.0 becomes 0.0
    if kind == "f" and values.size and np.isnan(values.min()):
        floats[np.isnan(floats)] = np.nan
    bits = floats.view(np.uint64)
    if kind in "iu" and values.dtype.itemsize == 8:
        huge = np.abs(floats) >= EXACT
        if huge.any():
            bits[huge] = _bits_of_huge(values[huge], floats[huge])
    elif kind == "f" and values.dtype.itemsize > 8:
        for place in map(tuple, np.argwhere(np.isfinite(floats) & (floats != values))):
            bits[place] = _digest(f"number {values[place]!r}")
    return bits


def _bits_of_huge(values: NDArray[Any], floats: NDArray[np.float64]) -> Names:
    """Words of integers of 64 bits: those of their float64 if that is equal, else hashes."""
    equal = np.array([int(near) == int(value) for near, value in zip(floats.tolist(), values.tolist(), strict=True)])
    signs = np.where(values < 0, _FIRST, _SECOND)
    words = mix_bits(values.astype(np.uint64, casting="unsafe") + signs)
    words[equal] = floats.view(np.uint64)[equal]
    return words


def _word_of_number(value: Any) -> int:
    """The word of a number that float64 may not represent: the bits of the float64 if it is equal, else a hash."""
    try:
        near = float(value)
    except OverflowError:
        near = np.inf
    if near == value or near != value != value:  # noqa: PLR0124 - NaN
        return int(np.array([near + 0.0]).view(np.uint64)[0])
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(_bits(np.array([value], dtype=np.int64 if value < 2**63 else np.uint64))[0])
    return _digest(f"number {Fraction(value)}")


def _bits_of_times(values: NDArray[Any]) -> Names:
    """Moments and durations by their nanoseconds; beyond what 64 bits of them hold, by their days or seconds."""
    kind = values.dtype.kind
    words = values.astype(f"{'datetime64' if kind == 'M' else 'timedelta64'}[ns]")
    missing = np.isnat(values)
    exact = words == values
    bits = mix_bits(words.astype(np.int64).view(np.uint64) + np.uint64(ord(kind)))
    bits[missing] = _MISSING
    for place in np.argwhere(~exact & ~missing):
        bits[tuple(place)] = _digest(f"{kind} {values[tuple(place)].astype('datetime64[us]' if kind == 'M' else 'timedelta64[us]')}")
    return bits


_MISSING = np.array([np.nan]).view(np.uint64)[0]


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
    if is_missing(value):
        return int(_MISSING)
    if isinstance(value, datetime | date | timedelta | np.datetime64 | np.timedelta64):
        return _word_of_time(value)
    if isinstance(value, bool | int | float | np.number | np.bool_):
        number = np.atleast_1d(np.asarray(value))
        return _word_of_number(value) if number.dtype.kind == "O" else int(_bits(number)[0])  # dtype object: more than 64 bits
    if isinstance(value, Decimal | Fraction):
        return _word_of_number(value)
    if isinstance(value, bytes):
        return _digest(b"bytes " + value)
    if isinstance(value, time):
        value = value.isoformat()
    return _digest(f"{'' if isinstance(value, str) else type(value).__name__} {value}")


def _word_of_time(value: Any) -> int:
    """The word of a moment or a duration in a cell of objects, as it would be in a column of them."""
    if getattr(value, "tzinfo", None) is not None:
        value = value.tz_convert(None) if hasattr(value, "tz_convert") else value.astimezone(UTC).replace(tzinfo=None)
    if hasattr(value, "to_numpy"):  # pandas, which holds nanoseconds
        value = value.to_numpy()
    elif isinstance(value, timedelta):
        value = np.timedelta64(value)
    return int(_bits_of_times(np.atleast_1d(np.asarray(value if isinstance(value, np.generic) else np.datetime64(value))))[0])


def _digest(text: str | bytes) -> int:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


class RunningName:
    """One name for many rows in order, updated part by part; the sizes of the parts do not matter."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, names: Names) -> None:
        """Add the names of the next rows."""
        self._digest.update(np.ascontiguousarray(names, dtype="<u8").data)

    @property
    def value(self) -> str:
        """SHA-256 (hex) over the names of all rows added so far."""
        return self._digest.hexdigest()


def data_name(data: Any, *, block: int = 65_536) -> str:
    """SHA-256 (hex) that identifies exactly these rows in exactly this order.

    Args:
        data: rows, as `as_rows` takes them.
        block: rows read at a time.
    """
    running = RunningName()
    for _, _, part in as_rows(data).parts(block):
        running.add(row_names(part))
    return running.value
