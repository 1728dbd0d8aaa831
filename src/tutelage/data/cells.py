"""The cells of one column: their type, and their values as another type, converted exactly or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import EXACT
from tutelage.core.errors import BadInput
from tutelage.data.frames import in_utc, series_of
from tutelage.data.tables.column_types import ColumnType, inferred, type_of

_TRUTH_VALUES = {"true": True, "false": False}
_OF_OBJECTS: dict[ColumnType, tuple[type, ...]] = {
    "boolean": (bool, np.bool_),
    "number": (bool, np.bool_, int, float, np.number, Decimal),
    "text": (str, time),
    "date": (date, datetime, np.datetime64),
    "duration": (timedelta, np.timedelta64),
}
"""Python's types of the cells of each type of column. A time of day is a text."""


def type_and_levels(column: Any) -> tuple[ColumnType, tuple[Any, ...] | None]:
    """The type of a column, and for one of categories its levels in order.

    The type is "any" for a column of missing cells only, and for one of several types or of cells that no model takes. Categories of more
    than `MOST_LEVELS` levels are a column of texts or numbers.

    Args:
        column: a series of pandas or polars, or an Arrow column.
    """
    import narwhals.stable.v2 as nw

    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biufMm":
        cells, is_gap = np.asarray(column), np.isnat if dtype.kind in "Mm" else np.isnan
        present = len(cells) > 0 and (dtype.kind in "biu" or not is_gap(cells[0]) or not is_gap(cells).all())
        return cast(ColumnType, type_of_dtype(dtype)) if present else "any", None

    series = series_of(column)
    kind = series.dtype
    if kind in (nw.Categorical, nw.Enum):
        found = series.cat.get_categories() if kind == nw.Enum or not _is_polars(column) else _occurring(series)
        return _category(tuple(found.to_list()))
    if kind == nw.Object or str(getattr(column, "dtype", "")) == "object":
        return type_of_objects(series.to_list()), None
    if series.null_count() == len(series):
        return "any", None
    return type_of_dtype(kind) or "any", None


MOST_LEVELS = 1000
"""Levels of a column of categories that are listed by name; it is of texts or numbers if there are more."""


_OF_NAMES: dict[str, ColumnType] = {
    "Boolean": "boolean",
    "String": "text",
    "Time": "text",
    "Date": "date",
    "Datetime": "date",
    "Duration": "duration",
}


def type_of_dtype(dtype: Any) -> ColumnType | None:
    """The type of a column of this dtype of pandas, polars or narwhals, whatever its cells; None if these decide."""
    if hasattr(dtype, "is_numeric"):  # of polars and narwhals, which name their dtypes alike
        return "number" if dtype.is_numeric() else _OF_NAMES.get(type(dtype).__name__, _OF_NAMES.get(str(dtype)))
    if getattr(dtype, "name", "") in ("str", "string"):
        return "text"
    kinds: dict[str, ColumnType] = {"b": "boolean", "i": "number", "u": "number", "f": "number", "M": "date", "m": "duration"}
    return kinds.get(getattr(dtype, "kind", ""))


def _category(levels: tuple[Any, ...]) -> tuple[ColumnType, tuple[Any, ...] | None]:
    texts = sum(isinstance(level, str) for level in levels)
    if not all(isinstance(level, str) or (isinstance(level, int | float) and np.isfinite(level)) for level in levels):
        return "any", None
    if len(levels) <= MOST_LEVELS:
        return "category", levels
    return ("text" if texts == len(levels) else "any" if texts else "number"), None


def type_of_objects(cells: Sequence[Any]) -> ColumnType:
    """The type of a column of Python objects; "any" if there are none but missing cells, or several types."""
    kinds = {kind for kind in set(map(type, cells)) if not all(is_missing(cell) for cell in cells if type(cell) is kind)}
    if not kinds:
        return "any"
    return next((name for name, known in _OF_OBJECTS.items() if all(issubclass(kind, known) for kind in kinds)), "any")


def cells_of(column: Any, *, exact: bool = False) -> NDArray[Any]:
    """(rows,) cells of a column of any frame: numbers and dates in NumPy's dtypes, anything else as objects.

    Args:
        column: a series of pandas or polars, or (rows,) values.
        exact: return whole numbers with gaps as objects where float64 would round them.
    """
    whole = large_whole_cells(column) if exact else None
    if whole is not None:
        return whole
    column = in_utc(column)
    cells = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if cells.dtype.kind == "O" and getattr(column.dtype, "kind", "O") in "iuf":  # pandas' nullable numbers, with a gap
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return cells.astype(object) if cells.dtype.kind in "UST" else cells


def large_whole_cells(column: Any) -> NDArray[Any] | None:
    """(rows,) whole numbers and None, for a column with gaps of which NumPy would make floats and round some; None for any other column.

    Args:
        column: a series of pandas, also of categories, or of polars, also of 128 bits, which NumPy lacks.
    """
    if type(column).__module__.startswith("polars") and hasattr(column, "null_count") and hasattr(column, "dtype"):
        whole, gaps, bounds = column.dtype.is_integer(), column.null_count() > 0 or str(column.dtype) in ("Int128", "UInt128"), column
    elif hasattr(column, "hasnans"):
        bounds = getattr(column.dtype, "categories", column)
        whole, gaps = getattr(bounds.dtype, "kind", "O") in "iu", not isinstance(column.dtype, np.dtype) and column.hasnans
    else:
        return None
    if not (whole and gaps) or not any(not is_missing(bound) and abs(int(bound)) > EXACT for bound in (bounds.min(), bounds.max())):
        return None
    if bounds is column:
        return np.array([None if is_missing(cell) else cell for cell in column], dtype=object)
    return np.asarray(np.array([*bounds.tolist(), None], dtype=object)[column.cat.codes])  # the code of a gap is -1


def beyond_exact(cells: NDArray[Any]) -> bool:
    """Whether there are whole numbers beyond 2**53, some of which double precision takes as one."""
    if cells.dtype.kind in "iu":
        return bool(((cells > EXACT) | (cells < -EXACT)).any())
    return cells.dtype == object and any(isinstance(cell, int | np.integer) and abs(int(cell)) > EXACT for cell in cells.ravel().tolist())


def numbers(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) numbers, NaN where a cell is missing. Truth values are 0 and 1, and texts that are numbers are converted.

    Raises:
        BadInput: a cell that is not a number; the message names column, row and cell.
    """
    if cells.dtype.kind in "iuf":
        return cells.astype(cells.dtype.newbyteorder("="), copy=False)
    if cells.dtype.kind == "O" and set(map(type, cells)) <= {float, int, bool, type(None)}:
        with suppress(OverflowError):  # an integer beyond all floats, which is named below
            return cells.astype(np.float64)
    return np.array(_mapped(cells, number_of, name, "expected numbers"), dtype=np.float64)


def exact_numbers(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) numbers as `numbers`, but as objects where whole numbers among them would be rounded.

    Raises:
        BadInput: as `numbers`.
    """
    found = _mapped(cells, _whole_or_number, name, "expected numbers")
    return _objects(found) if any(isinstance(number, int) for number in found) else np.array(found, dtype=np.float64)


def dates(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) dates, NaT where a cell is missing, from texts as `column_types` reads them.

    Raises:
        BadInput: a cell that is no such text.
    """
    return _times(cells, name, "date")


def durations(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) durations, NaT where a cell is missing, from texts as `column_types` reads them.

    Raises:
        BadInput: a cell that is no such text.
    """
    return _times(cells, name, "duration")


def truth_values(cells: NDArray[Any], name: str) -> NDArray[np.float64]:
    """(rows,) 0 and 1, NaN where a cell is missing; from truth values, 0 and 1, or the texts true and false.

    Raises:
        BadInput: any other cell.
    """
    if cells.dtype.kind == "b":
        return cells.astype(np.float64)
    return np.array(_mapped(cells, _truth_of, name, "expected true and false"), dtype=np.float64)


def texts(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) texts, None where a cell is missing.

    Raises:
        BadInput: a number or date, of which nobody knows how the texts would spell it.
    """
    return _objects(_mapped(cells, _text_of, name, "expected texts"))


def labels(cells: NDArray[Any], name: str) -> NDArray[Any]:
    """(rows,) whole numbers and texts, for a model that stores its categories as hashes of either.

    Raises:
        BadInput: a missing cell or another number, for both of which such a model has no category.
    """
    return _objects(_mapped(cells, _label_of, name, "expected whole numbers or texts as categories"))


def codes(cells: NDArray[Any], levels: Sequence[Any], name: str, *, refuse_unseen: bool = False) -> NDArray[np.intp]:
    """(rows,) position of each cell among the levels, -1 where it is missing or not among them.

    Numbers are compared by value: 3, 3.0 and NumPy's 3 are one level. Where the levels are numbers and a cell is a text, or the
    reverse, they match if the text is that number and no other level is.

    Args:
        cells: (rows,) of any dtype.
        levels: the levels in the model's order.
        name: the column, for error messages.
        refuse_unseen: raise an error for a level that the model did not learn.

    Raises:
        BadInput: cells of another type than all levels, a text or number that matches two levels, or an unseen level.
    """
    find = _Levels(levels, refuse_unseen=refuse_unseen).code
    return np.array(_mapped(cells, find, name, f"expected the categories {_listed(levels)}"), dtype=np.intp)


def number_of(cell: Any) -> float:
    """A cell as a number, NaN if it is missing.

    Raises:
        ValueError: not a number.
    """
    if is_missing(cell):
        return float("nan")
    number = isinstance(cell, Real | Decimal | np.bool_) and not isinstance(cell, np.timedelta64)
    if number or (isinstance(cell, str) and "_" not in cell):  # float() would read 1_000
        return float(cell)
    raise ValueError


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN (also of Decimal), NaT or pandas' NA: the one answer for rows, students and teachers."""
    if cell is None:
        return True
    if isinstance(cell, float | np.floating | np.datetime64 | np.timedelta64):
        return bool(cell != cell)  # noqa: PLR0124 - NaN is not itself
    if isinstance(cell, Decimal):
        return cell.is_nan()  # a comparison with sNaN would raise an error
    return type(cell).__name__ in ("NAType", "NaTType")


def _is_polars(column: Any) -> bool:
    return type(column).__module__.startswith("polars")


def _occurring(series: Any) -> Any:
    """The categories that occur: those of a Categorical of polars are shared by all columns of the process."""
    return series.drop_nulls().unique(maintain_order=True)


def _whole_or_number(cell: Any) -> float:
    """A number as a float, or as an int if it is whole and a float would round it.

    A text with a point or an exponent is a float where it is how the float is written: 1e+300 is no whole number of 301 digits.
    """
    number = number_of(cell)
    if abs(number) < EXACT or not isinstance(cell, str | int | np.integer | Decimal):  # at the bound, a float may be rounded already
        return number
    digits = not isinstance(cell, str | Decimal) or (isinstance(cell, str) and cell.strip().lstrip("+-").isdigit())
    if not digits and not np.isfinite(number):
        return number
    exact = Fraction(str(cell))
    written = isinstance(cell, str) and not digits and exact == Fraction(repr(number))
    return number if written or exact.denominator > 1 or abs(exact) <= EXACT else int(exact)


def _times(cells: NDArray[Any], name: str, kind: ColumnType) -> NDArray[Any]:
    import pyarrow as pa

    def found(texts: list[str | None]) -> Any:
        column = inferred(pa.chunked_array([pa.array(texts, pa.string())]))
        if type_of(column.type) not in (kind, None):
            raise ValueError
        return column

    expected = f"expected {kind}s"
    texts = _mapped(cells, _text_of, name, expected)
    try:
        column = found(texts)
    except ValueError:
        _mapped(cells, lambda cell: found([_text_of(cell)]), name, expected)  # names the first cell that is no date
        raise BadInput(f"column {name!r} holds texts that are spelt in several ways; {expected}. Convert the column.") from None
    unit = "datetime64[ns]" if kind == "date" else "timedelta64[ns]"
    return np.asarray(column.to_numpy()) if type_of(column.type) == kind else np.full(len(cells), "NaT", dtype=unit)


def _truth_of(cell: Any) -> float:
    number = float(_TRUTH_VALUES[cell.strip().lower()]) if _is_truth_text(cell) else number_of(cell)
    if number not in (0.0, 1.0) and not np.isnan(number):
        raise ValueError
    return number


def _is_truth_text(cell: Any) -> bool:
    return isinstance(cell, str) and cell.strip().lower() in _TRUTH_VALUES


def _text_of(cell: Any) -> str | None:
    if is_missing(cell):
        return None
    if isinstance(cell, str):
        return str(cell)
    raise ValueError


def _label_of(cell: Any) -> int | str:
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, int | np.integer | np.bool_):
        return int(cell)
    raise ValueError


class _Levels:
    """Looks up the code of a cell among levels, by value."""

    def __init__(self, levels: Sequence[Any], *, refuse_unseen: bool) -> None:
        self._of_text = {level: code for code, level in enumerate(levels) if isinstance(level, str)}
        self._of_other = {level: code for code, level in enumerate(levels) if not isinstance(level, str)}
        self._of_spelling: dict[Any, list[int]] = {}  # numbers and truth values that texts among the levels spell
        for level, code in self._of_text.items():
            self._of_spelling.setdefault(_spelt(level), []).append(code)
        self._of_spelling.pop(None, None)
        self._refuse_unseen = refuse_unseen

    def code(self, cell: Any) -> int:
        if is_missing(cell):
            return -1
        if not isinstance(cell, str):
            number_of(cell)  # a date is no level
        own = self._of_text if isinstance(cell, str) else self._of_other
        if cell in own:
            return own[cell]
        found, comparable = self._spelt_alike(cell)
        if len(found) > 1 or not (own or comparable) or (self._refuse_unseen and not found):
            raise ValueError
        return found[0] if found else -1

    def _spelt_alike(self, cell: Any) -> tuple[list[int], bool]:
        """Codes of the levels of the other type that equal a cell, and whether that type can be compared with it at all."""
        if not isinstance(cell, str):
            return self._of_spelling.get(cell, []), bool(self._of_spelling)
        value = _spelt(cell)
        return ([self._of_other[value]] if value in self._of_other else []), value is not None and bool(self._of_other)


def _spelt(text: str) -> Any:
    """The number or truth value that a text spells; None if it spells neither."""
    if _is_truth_text(text):
        return _TRUTH_VALUES[text.strip().lower()]
    try:
        number = _whole_or_number(text)
    except ValueError:
        return None
    return None if is_missing(number) else number


def _mapped(cells: NDArray[Any], convert: Callable[[Any], Any], name: str, expected: str) -> list[Any]:
    """Convert each distinct cell once.

    Raises:
        BadInput: a cell that `convert` refuses with a ValueError.
    """
    values = list(cells) if cells.dtype.kind in "Mm" else cells.tolist()  # tolist would make whole numbers of dates
    try:
        known = dict.fromkeys(values)
    except TypeError as error:  # lists and dictionaries have no hash
        raise BadInput(f"column {name!r} holds cells of type {_unhashable(values)}; {expected}.") from error
    for cell in known:
        try:
            known[cell] = convert(cell)
        except (ValueError, OverflowError, TypeError) as error:
            seen = "a missing cell" if is_missing(cell) else repr(cell.item() if isinstance(cell, np.generic) else cell)
            raise BadInput(
                f"column {name!r} holds {seen} in row {values.index(cell)}; {expected}. Convert the column, or leave the row out."
            ) from error
    return [known[cell] for cell in values]


def _unhashable(values: list[Any]) -> str:
    return next((type(value).__name__ for value in values if type(value).__hash__ is None), "unknown")


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _listed(levels: Sequence[Any]) -> str:
    return ", ".join(map(repr, levels[:6])) + (", ..." if len(levels) > 6 else "")
