"""Rows of mixed columns as one matrix of numbers and codes, and back in the form they came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.data.rows import array_of

Cells = NDArray[np.float64]
Missing = float("nan")


@dataclass(frozen=True)
class Column:
    """One column as numbers, and the way back.

    Attributes:
        cells: (rows,) values, or the codes 0, 1, ... of categories; NaN where missing.
        levels: how many categories; 0 for a column of numbers.
        restored: makes a column of the original kind from numbers of the same meaning.
    """

    cells: Cells
    levels: int
    restored: Callable[[Cells], Any]


@dataclass(frozen=True)
class CodedRows:
    """Rows as a matrix: numbers as they are, categories as codes, NaN where a cell is missing.

    Attributes:
        cells: (rows, columns).
        levels: (columns,) how many categories a column has; 0 for numbers.
        restored: (any, columns) cells -> rows of the original kind, with its columns, order and dtypes. Whole
            numbers are rounded and kept within the range that was seen.
    """

    cells: Cells
    levels: NDArray[np.intp]
    restored: Callable[[Cells], Any]

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """(columns,) which columns hold categories."""
        return np.asarray(self.levels > 0)

    @property
    def mean(self) -> Cells:
        """(columns,) of what is not missing; 0 where everything is."""
        return _mean(self.cells)

    @property
    def deviation(self) -> Cells:
        """(columns,) standard deviation of what is not missing; 0 where everything is."""
        return np.sqrt(_mean((self.cells - self.mean) ** 2))


def coded(X: Any, categorical: Sequence[int | str] = ()) -> CodedRows:
    """Code an array or a pandas frame.

    Columns that hold no numbers (texts, truth values, dates, pandas categories) are categories anyway. Integers
    beyond 2^53 lose their last digits.

    Args:
        X: (rows, columns).
        categorical: further columns of numbers that are codes of categories: positions, or names in a frame.

    Raises:
        BadInput: a sparse matrix or another kind of table, an infinite number, a column that is not there.
        ShapeError: no rows, or no (rows, columns).
    """
    if hasattr(X, "tocsr"):
        raise BadInput("rows cannot be made from a sparse matrix, as they would be dense; pass UnlabelledPool(rows), or X.toarray().")
    if type(X).__module__.startswith(("polars", "pyarrow")):
        raise BadInput(f"rows are made from arrays and pandas frames; this is a {type(X).__name__} of another kind: pass X.to_pandas().")
    table: Any = X if hasattr(X, "iloc") else array_of(X)
    if table.ndim != 2 or 0 in table.shape:
        raise ShapeError(f"rows have shape {table.shape}; expected (rows, columns) with at least one of each.")
    names = list(table.columns) if hasattr(table, "iloc") else list(range(table.shape[1]))
    told = _positions(categorical, names)
    return _of_frame(table, told) if hasattr(table, "iloc") else _of_array(table, told)


def _positions(categorical: Sequence[int | str], names: list[Any]) -> set[int]:
    unknown = [name for name in categorical if name not in names and not _is_position(name, len(names))]
    if unknown:
        raise BadInput(f"categorical names the columns {unknown}; expected some of {names[:8]}, or positions below {len(names)}.")
    return {names.index(name) if name in names else int(name) for name in categorical}


def _is_position(name: Any, columns: int) -> bool:
    return bool(isinstance(name, int | np.integer) and 0 <= name < columns)


def _of_frame(frame: Any, told: set[int]) -> CodedRows:
    pandas = require("pandas")
    columns = []
    for place in range(frame.shape[1]):
        series = frame.iloc[:, place]
        number = pandas.api.types.is_numeric_dtype(series.dtype) and not pandas.api.types.is_bool_dtype(series.dtype)
        if place in told or not number:
            columns.append(_categories(pandas.factorize(series)[0], partial(_taken, series)))
        else:
            columns.append(_series_of_numbers(series, frame.columns[place]))

    def restored(cells: Cells) -> Any:
        made = pandas.concat([column.restored(cells[:, place]) for place, column in enumerate(columns)], axis=1)
        made.columns = frame.columns
        return made

    return _joined(columns, restored)


def _taken(series: Any, rows: NDArray[np.intp]) -> Any:
    return series.iloc[rows].reset_index(drop=True)


def _series_of_numbers(series: Any, name: Any) -> Column:
    pandas = require("pandas")
    whole = pandas.api.types.is_integer_dtype(series.dtype)
    cells = series.to_numpy(dtype=np.float64, na_value=Missing)
    fitted = _fitter(cells, whole=whole, name=name)
    return Column(cells, 0, lambda numbers: pandas.Series(fitted(numbers)).astype(series.dtype))


def _of_array(array: NDArray[Any], told: set[int]) -> CodedRows:
    columns = []
    for place in range(array.shape[1]):
        values = array[:, place]
        if place in told or not _all_numbers(values):
            columns.append(_categories(_codes(values), values.__getitem__))
        else:
            columns.append(_array_of_numbers(values, place))

    def restored(cells: Cells) -> Any:
        made = np.empty(cells.shape, dtype=array.dtype)
        for place, column in enumerate(columns):
            made[:, place] = column.restored(cells[:, place])
        return made

    return _joined(columns, restored)


def _array_of_numbers(values: NDArray[Any], name: Any) -> Column:
    cells = values.astype(np.float64)  # None becomes NaN
    if values.dtype.kind != "O":
        fitted = _fitter(cells, whole=values.dtype.kind in "iu", name=name)
        return Column(cells, 0, lambda numbers: fitted(numbers).astype(values.dtype))
    whole = all(isinstance(value, int | np.integer) for value in values if not _missing(value))
    fitted = _fitter(cells, whole=whole, name=name)
    return Column(cells, 0, lambda numbers: [int(v) if whole and v == v else v for v in fitted(numbers).tolist()])  # noqa: PLR0124


def _joined(columns: list[Column], restored: Callable[[Cells], Any]) -> CodedRows:
    cells = np.column_stack([column.cells for column in columns])
    return CodedRows(cells, np.array([column.levels for column in columns], dtype=np.intp), restored)


def _categories(codes: NDArray[Any], rows_of: Callable[[NDArray[np.intp]], Any]) -> Column:
    """A column of categories; each is restored from the first row that holds it, so every dtype comes back as it was."""
    found, first = np.unique(codes, return_index=True)
    of_missing = int(first[0]) if found[0] < 0 else 0
    first = first[found >= 0]
    cells = np.where(codes < 0, Missing, codes)

    def restored(numbers: Cells) -> Any:
        gone = np.isnan(numbers)
        rows = np.full(len(numbers), of_missing, dtype=np.intp)
        rows[~gone] = first[numbers[~gone].astype(np.intp)]
        return rows_of(rows)

    return Column(cells, max(len(first), 1), restored)


def _codes(values: NDArray[Any]) -> NDArray[np.intp]:
    """(rows,) 0, 1, ... for equal values, -1 for missing ones."""
    if values.dtype.kind != "O":
        levels, codes = np.unique(values, return_inverse=True)
        gone = np.isnan(levels) if values.dtype.kind == "f" else np.zeros(len(levels), dtype=bool)
        return np.where(gone[codes], -1, codes)
    known: dict[Any, int] = {}
    try:
        return np.array([-1 if _missing(value) else known.setdefault(value, len(known)) for value in values], dtype=np.intp)
    except TypeError as error:
        raise BadInput(f"a cell holds what is neither number nor category ({error}); expected numbers, texts or dates.") from error


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def _all_numbers(values: NDArray[Any]) -> bool:
    if values.dtype.kind != "O":
        return values.dtype.kind in "iuf"
    known = [value for value in values if not _missing(value)]
    return bool(known) and all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in known)


def _fitter(cells: Cells, *, whole: bool, name: Any) -> Callable[[Cells], Cells]:
    """What makes new numbers fit their column: nothing, or rounding within the range seen for whole numbers."""
    if np.isinf(cells).any():
        raise BadInput(f"column {name!r} holds an infinite number, around which no row can be made; replace it or drop its row.")
    known = cells[~np.isnan(cells)]
    if not whole or not len(known):
        return lambda numbers: numbers
    low, high = float(known.min()), float(known.max())
    return lambda numbers: np.clip(np.rint(numbers), low, high)


def _mean(cells: Cells) -> Cells:
    known = ~np.isnan(cells)
    return np.asarray(np.where(known, cells, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
