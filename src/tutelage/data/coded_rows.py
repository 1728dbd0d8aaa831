"""Encode rows of mixed columns as one matrix of numbers and codes, and restore rows of the original kind from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, require, shown
from tutelage.data.cells import is_missing
from tutelage.data.row_arrays import array_of

Cells = NDArray[np.float64]
Missing = float("nan")


@dataclass(frozen=True)
class Column:
    """One column as numbers, and the inverse transformation.

    Attributes:
        cells: (rows,) values, or category codes 0, 1, ...; NaN where missing.
        levels: the number of categories; 0 for a numeric column.
        restore: turns (any,) cells into a column of the original kind.
    """

    cells: Cells
    levels: int
    restore: Callable[[Cells], Any]


@dataclass(frozen=True)
class CodedRows:
    """Rows as a matrix: numbers unchanged, categories as codes, NaN where a cell is missing.

    Attributes:
        cells: (rows, columns).
        levels: (columns,) number of categories of each column; 0 for numeric columns.
        restore: (any, columns) cells -> rows of the original kind, with the same columns, order and dtypes. Integer columns
            are rounded and clipped to the range of the original rows.
    """

    cells: Cells
    levels: NDArray[np.intp]
    restore: Callable[[Cells], Any]

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """(columns,) mask of the categorical columns."""
        return np.asarray(self.levels > 0)

    @property
    def mean(self) -> Cells:
        """(columns,) mean of the cells that are not missing; 0 where all are."""
        return _mean(self.cells)

    @property
    def deviation(self) -> Cells:
        """(columns,) standard deviation of the cells that are not missing; 0 where all are."""
        return np.sqrt(_mean((self.cells - self.mean) ** 2))


def encode_rows(X: Any, categorical: Sequence[int | str] = ()) -> CodedRows:
    """Encode an array or a pandas frame. Pictures and other rows of more axes are encoded as their numbers in a line.

    Columns of texts, booleans, dates or pandas categories are always categorical. Integers beyond 2^53 lose their last digits.

    Args:
        X: (rows, columns), or an array (rows, ...).
        categorical: numeric columns to treat as categorical as well: positions, or names in a frame.

    Raises:
        BadInput: a sparse matrix, a table that is not a pandas frame, an infinite number, or an unknown column.
        ShapeError: no rows, or rows that are single numbers.
    """
    if hasattr(X, "tocsr"):
        raise BadInput(
            "got a sparse matrix; expected an array or a pandas frame, because generated rows are dense: "
            "pass UnlabelledPool(rows), or X.toarray()."
        )
    if type(X).__module__.startswith(("polars", "pyarrow")):
        raise BadInput(
            f"got a {type(X).__module__.partition('.')[0]} {type(X).__name__}; expected an array or a pandas frame: pass X.to_pandas()."
        )
    table: Any = X if hasattr(X, "iloc") else array_of(X)
    if table.ndim < 2 or 0 in table.shape:
        raise ShapeError(f"rows have shape {table.shape}; expected (rows, columns) with at least one of each.")
    if table.ndim > 2:
        flat = encode_rows(table.reshape(len(table), -1), categorical)
        return replace(flat, restore=lambda cells: flat.restore(cells).reshape(len(cells), *table.shape[1:]))
    names = list(table.columns) if hasattr(table, "iloc") else list(range(table.shape[1]))
    declared = _positions(categorical, names)
    return _of_frame(table, declared) if hasattr(table, "iloc") else _of_array(table, declared)


def _positions(categorical: Any, names: list[Any]) -> set[int]:
    # An iterator would be empty when the next rows are coded.
    readable_again = isinstance(categorical, Iterable) and not isinstance(categorical, str | bytes | Mapping | Iterator)
    if not readable_again or getattr(categorical, "ndim", 1) == 0:
        raise BadInput(f"categorical is {shown(categorical)}; expected a list of columns, such as (0, 3).")
    unknown = [name for name in categorical if name not in names and not _is_position(name, len(names))]
    if unknown:
        raise BadInput(f"categorical lists unknown columns {unknown}; expected some of {names[:8]}, or positions below {len(names)}.")
    return {names.index(name) if name in names else int(name) for name in categorical}


def _is_position(name: Any, columns: int) -> bool:
    return bool(isinstance(name, int | np.integer) and 0 <= name < columns)


def _of_frame(frame: Any, declared: set[int]) -> CodedRows:
    pandas = require("pandas")
    columns = []
    for position in range(frame.shape[1]):
        series = frame.iloc[:, position]
        number = pandas.api.types.is_numeric_dtype(series.dtype) and not pandas.api.types.is_bool_dtype(series.dtype)
        if position in declared or not number:
            columns.append(_categories(pandas.factorize(series)[0], partial(_take, series)))
        else:
            columns.append(_series_of_numbers(series, frame.columns[position]))

    def restore(cells: Cells) -> Any:
        rows = pandas.concat([column.restore(cells[:, position]) for position, column in enumerate(columns)], axis=1)
        rows.columns = frame.columns
        return rows

    return _joined(columns, restore)


def _take(series: Any, rows: NDArray[np.intp]) -> Any:
    return series.iloc[rows].reset_index(drop=True)


def _series_of_numbers(series: Any, name: Any) -> Column:
    pandas = require("pandas")
    whole = pandas.api.types.is_integer_dtype(series.dtype)
    cells = series.to_numpy(dtype=np.float64, na_value=Missing)
    constrain = _constraint(cells, whole=whole, name=name)
    return Column(cells, 0, lambda numbers: pandas.Series(constrain(numbers)).astype(series.dtype))


def _of_array(array: NDArray[Any], declared: set[int]) -> CodedRows:
    columns = []
    for position in range(array.shape[1]):
        values = array[:, position]
        if position in declared or not _all_numbers(values):
            columns.append(_categories(_codes(values), values.__getitem__))
        else:
            columns.append(_array_of_numbers(values, position))

    def restore(cells: Cells) -> Any:
        rows = np.empty(cells.shape, dtype=array.dtype)
        for position, column in enumerate(columns):
            rows[:, position] = column.restore(cells[:, position])
        return rows

    return _joined(columns, restore)


def _array_of_numbers(values: NDArray[Any], name: Any) -> Column:
    if values.dtype.kind != "O":
        cells = values.astype(np.float64)
        constrain = _constraint(cells, whole=values.dtype.kind in "iu", name=name)
        return Column(cells, 0, lambda numbers: constrain(numbers).astype(values.dtype))
    cells = np.array([Missing if is_missing(value) else value for value in values], dtype=np.float64)
    whole = all(isinstance(value, int | np.integer) for value in values if not is_missing(value))
    constrain = _constraint(cells, whole=whole, name=name)
    return Column(cells, 0, lambda numbers: [int(v) if whole and v == v else v for v in constrain(numbers).tolist()])  # noqa: PLR0124


def _joined(columns: list[Column], restore: Callable[[Cells], Any]) -> CodedRows:
    cells = np.column_stack([column.cells for column in columns])
    return CodedRows(cells, np.array([column.levels for column in columns], dtype=np.intp), restore)


def _categories(codes: NDArray[Any], rows_of: Callable[[NDArray[np.intp]], Any]) -> Column:
    """A categorical column.

    Each category is restored from the first row that contains it, so that every dtype is preserved.
    """
    distinct, first = np.unique(codes, return_index=True)
    missing_row = int(first[0]) if distinct[0] < 0 else 0
    first = first[distinct >= 0]
    cells = np.where(codes < 0, Missing, codes)

    def restore(numbers: Cells) -> Any:
        missing = np.isnan(numbers)
        rows = np.full(len(numbers), missing_row, dtype=np.intp)
        rows[~missing] = first[numbers[~missing].astype(np.intp)]
        return rows_of(rows)

    return Column(cells, max(len(first), 1), restore)


def _codes(values: NDArray[Any]) -> NDArray[np.intp]:
    """(rows,) codes 0, 1, ... of the distinct values, -1 for missing ones."""
    if values.dtype.kind != "O":
        levels, codes = np.unique(values, return_inverse=True)
        missing = np.isnan(levels) if values.dtype.kind == "f" else np.zeros(len(levels), dtype=bool)
        return np.where(missing[codes], -1, codes)
    known: dict[Any, int] = {}
    try:
        return np.array([-1 if is_missing(value) else known.setdefault(value, len(known)) for value in values], dtype=np.intp)
    except TypeError as error:
        raise BadInput(f"a cell holds neither a number nor a category ({error}); expected numbers, texts or dates.") from error


def _all_numbers(values: NDArray[Any]) -> bool:
    if values.dtype.kind != "O":
        return values.dtype.kind in "iuf"
    known = [value for value in values if not is_missing(value)]
    return bool(known) and all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in known)


def _constraint(cells: Cells, *, whole: bool, name: Any) -> Callable[[Cells], Cells]:
    """The function that makes new numbers valid for their column.

    Integer columns are rounded and clipped to the range of the original rows; other columns are left unchanged.
    """
    if np.isinf(cells).any():
        raise BadInput(f"column {name!r} holds an infinite number, from which no rows can be generated; replace it or drop its row.")
    known = cells[~np.isnan(cells)]
    if not whole or not len(known):
        return lambda numbers: numbers
    low, high = float(known.min()), float(known.max())
    return lambda numbers: np.clip(np.rint(numbers), low, high)


def _mean(cells: Cells) -> Cells:
    known = ~np.isnan(cells)
    return np.asarray(np.where(known, cells, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
