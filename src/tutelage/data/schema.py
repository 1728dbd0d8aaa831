"""The columns of a table: their names, types and category levels, and rows arranged to match them.

A schema comes from a model that stores its columns, from a frame (`Schema.of`) or from a file, and is stored with recordings and students.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import is_frame, tensor_array
from tutelage.core.errors import BadInput, ShapeError, require, shown
from tutelage.data import cells as convert
from tutelage.data.row_arrays import array_of
from tutelage.data.tables.arrow_frames import frame_of, without_index
from tutelage.data.tables.column_types import ColumnType, literals_among, literals_in


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: None for a column of a matrix, which has only a position.
        type: "number", "boolean", "category", "text", "date" or "duration"; "any" if it is not known, so that cells stay as they are;
            "unread" for a column that the model stores but never reads.
        levels: the categories in order; None if the column has none, or if they are not known.
        unseen: what happens to a cell that is not among the levels: it is "missing" (LightGBM), is an error ("refuse", XGBoost), or
            stays as it is ("keep", for a model with a rule of its own).
        gap: how the model knows a missing cell where `unseen` is "keep": "nan" or "none".
        literals: cells such as "NA" that are texts in this column, and would be gaps in a file of texts; those among the levels are added.

    Raises:
        BadInput: an unknown type, or a level that is no text, number or truth value.

    Example:
        >>> import tutelage as tl
        >>> tl.Column("colour", "category", ("red", "blue")).levels
        ('red', 'blue')
    """

    name: str | None
    type: ColumnType
    levels: tuple[Any, ...] | None = None
    unseen: Literal["missing", "refuse", "keep"] = "missing"
    gap: Literal["nan", "none"] = "nan"
    literals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in get_args(ColumnType):
            raise BadInput(f"column {self.name!r} has the type {self.type!r}; expected one of {', '.join(get_args(ColumnType))}.")
        if self.levels is not None:
            if not isinstance(self.levels, Iterable) or isinstance(self.levels, str | bytes | Mapping | set | frozenset):
                raise BadInput(f"column {self.name!r} has the levels {shown(self.levels)}; expected a list of values in order.")
            object.__setattr__(self, "levels", tuple(_plain_level(level, self.name) for level in self.levels))
        object.__setattr__(self, "literals", tuple(sorted(literals_among((*self.literals, *(self.levels or ()))))))


@dataclass(frozen=True)
class Schema:
    """The columns of a table, such as those that a model learnt, or that answers were recorded on.

    `arrange` and `encode` give a model rows of exactly this kind; `align` gives rows the names and types of a table, as it is.

    Attributes:
        columns: in their order.
        underscores: whether the model replaced spaces in names by underscores (LightGBM does).

    Example:
        >>> import pandas as pd
        >>> from tutelage import Column, Schema
        >>> schema = Schema((Column("size", "number"), Column("colour", "category", ("red", "blue"))))
        >>> rows = pd.DataFrame({"colour": ["blue", "violet"], "id": [7, 8], "size": ["1.5", "2"]})
        >>> schema.encode(rows)
        array([[1.5, 1. ],
               [2. , nan]])
        >>> schema.arrange(rows).dtypes["colour"].categories.to_list()
        ['red', 'blue']
        >>> [column.type for column in Schema.of(rows).columns]
        ['text', 'number', 'text']
        >>> Schema.from_json(schema.to_json()) == schema
        True
    """

    columns: tuple[Column, ...]
    underscores: bool = False

    def __post_init__(self) -> None:
        columns = tuple(self.columns) if isinstance(self.columns, Iterable) else None
        if columns is None or not all(isinstance(column, Column) for column in columns):
            raise BadInput(f"the columns of a schema are {shown(self.columns)}; expected a list of Column.")
        object.__setattr__(self, "columns", columns)

    @classmethod
    def of(cls, frame: Any) -> Schema:
        """The schema of a frame: the names, types and category levels of its columns, in their order.

        The columns have no names, only positions, if pandas numbered them, or if two of them have one name. A column is of type "any" if
        all its cells are missing, or if they are of several types.

        Args:
            frame: of pandas or polars, or an Arrow table, whose row index is no column.
        """
        if type(frame).__module__.startswith("pyarrow"):
            frame = without_index(frame)
            names, cells = frame.column_names, frame.columns
        else:
            names, cells = list(frame.columns), columns_of(frame)
        unnamed = names == list(range(len(names))) or len(set(map(str, names))) < len(names)
        found = [(column, *convert.type_and_levels(column)) for column in cells]
        literals = [literals_in(column) if kind == "text" and not unnamed else () for column, kind, _ in found]
        return cls(
            tuple(
                Column(None if unnamed else str(name), kind, levels, "keep", literals=tuple(literal))
                for name, (_, kind, levels), literal in zip(names, found, literals, strict=True)
            )
        )

    @property
    def names(self) -> tuple[str, ...] | None:
        """Column names; None for the columns of a matrix."""
        names = tuple(column.name for column in self.columns if column.name is not None)
        return names if len(names) == len(self.columns) else None

    def select(self, rows: Any) -> Any:
        """These columns in their order, in the container that they came in.

        Named columns are matched by name, and columns that the schema does not have are dropped. A matrix is used in the order that
        it has, and so is a frame for a schema without names, unless its names are the numbers 0, 1, ... of columns.

        Args:
            rows: (rows, columns) array, tensor, list of rows, sparse matrix, or pandas, polars or Arrow table.

        Returns:
            A frame (Arrow becomes pandas) or a matrix.

        Raises:
            BadInput: columns are missing or named twice, or another number of columns. ShapeError: not (rows, columns).
        """
        rows = table_of(rows)
        if is_frame(rows):
            return select_columns(rows, self._places([str(name) for name in rows.columns]))
        if getattr(rows, "ndim", None) != 2:
            raise ShapeError(
                f"the rows have shape {tuple(np.shape(rows))}; expected (rows, {len(self.columns)}). For a single row pass "
                "row.reshape(1, -1)."
            )
        self._check_width(int(rows.shape[1]))
        return rows

    def align(self, rows: Any) -> Any:
        """Rows with these columns in their order and of their types; the cells of a column that has its type stay as they are.

        Cells of another type are converted where that is exact. Dates and durations are read from texts as the files of `record` spell
        them.

        Args:
            rows: a frame of pandas or polars, or an Arrow table. Anything else, which has no column names, is returned as it is.

        Raises:
            BadInput: columns are missing or named twice, or another number of columns; a cell that cannot be converted.

        Example:
            >>> import pandas as pd
            >>> from tutelage import Schema
            >>> recorded = pd.DataFrame({"size": [3, 1], "zip": ["007", "12"]})
            >>> Schema.of(recorded).align(pd.DataFrame({"zip": ["007"], "id": [5], "size": ["3"]}))
               size  zip
            0   3.0  007
        """
        rows = table_of(rows)
        if not is_frame(rows):
            return rows
        selected = self.select(rows)
        pairs = list(zip(self.columns, selected.dtypes, strict=True))
        converts = [_converts(column, dtype, selected, place) for place, (column, dtype) in enumerate(pairs)]
        if not any(column.type != "any" and other for column, other in zip(self.columns, converts, strict=True)):
            return selected
        others = (
            column if other else replace(column, type="any", levels=None) for column, other in zip(self.columns, converts, strict=True)
        )
        return replace(self, columns=tuple(others))._arranged(selected, exact=True)

    def arrange(self, rows: Any) -> Any:
        """Rows as a pandas frame with the names, types and category levels of the model.

        Numbers and truth values are converted where that is exact, also from texts; categories are matched by value, so
        that 3, 3.0 and "3" are one level where the levels leave no doubt.

        Args:
            rows: as for `select`.

        Raises:
            BadInput: as `select`; a cell that cannot be converted; an unseen level, if these are refused.
        """
        return self._arranged(self.select(rows))

    def _arranged(self, selected: Any, *, exact: bool = False) -> Any:
        pandas = require("pandas")
        arranged = [
            _arranged(column, native, place, pandas, exact=exact)
            for place, (column, native) in enumerate(zip(self.columns, columns_of(selected), strict=True))
        ]
        frame = pandas.DataFrame(dict(enumerate(arranged)))
        frame.index = getattr(selected, "index", frame.index)
        frame.columns = list(range(len(self.columns))) if self.names is None else list(self.names)
        return frame

    def encode(self, rows: Any) -> NDArray[np.float64]:
        """Rows as (rows, columns) float64: numbers, truth values as 0 and 1, categories as codes 0, 1, ..., NaN where missing.

        Args:
            rows: as for `select`.

        Raises:
            BadInput: as `arrange`, or a column of texts.
        """
        selected = self.select(rows)
        numeric = all(column.type == "number" for column in self.columns)
        if numeric and isinstance(selected, np.ndarray) and selected.dtype.kind in "biuf":
            return selected.astype(np.float64)
        columns = map(convert.cells_of, columns_of(selected))
        encoded = [_encoded(column, cells, place) for place, (column, cells) in enumerate(zip(self.columns, columns, strict=True))]
        return np.column_stack(encoded).astype(np.float64, copy=False)

    def to_json(self) -> dict[str, Any]:
        """The schema as plain values that JSON can represent."""
        written: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        for column in written["columns"]:
            if not column["literals"]:
                del column["literals"]  # as it was written before there were any, so that a recording goes on
        return written

    @classmethod
    def from_json(cls, plain: Any) -> Schema:
        """The schema that `to_json` wrote.

        Raises:
            BadInput: other content.
        """
        try:
            columns = ({**one, "levels": None if one["levels"] is None else tuple(one["levels"])} for one in plain["columns"])
            return cls(tuple(Column(**one) for one in columns), plain["underscores"])
        except (KeyError, TypeError) as error:
            raise BadInput(f"this is not a stored schema ({error!r}); expected what Schema.to_json returns.") from error

    def untyped(self) -> Schema:
        """The same columns with cells of any type, for a model that converts its rows itself; their literals remain."""
        return replace(self, columns=tuple(replace(column, type="any", levels=None) for column in self.columns))

    def _places(self, given: list[str]) -> list[int]:
        """Position of each of these columns among the given names."""
        if self.names is None:
            self._check_width(len(given))
            return places_by_number(given)
        positions: dict[str, list[int]] = {}
        for place, name in enumerate(given):
            positions.setdefault(self.comparable(name), []).append(place)
        lacking = [name for name in self.names if self.comparable(name) not in positions]
        if lacking:
            raise BadInput(f"the rows lack the columns {listed(lacking)}, which are expected; they have {listed(given)}. Add them.")
        found = [positions[self.comparable(name)] for name in self.names]
        twice = [listed([given[place] for place in places]) for places in found if len(places) > 1]
        if twice:
            raise BadInput(f"the rows have more than one column for one that is expected: {'; '.join(twice[:3])}. Rename or drop one.")
        return [places[0] for places in found]

    def comparable(self, name: str) -> str:
        """A column name as it is compared with other names."""
        return name.replace(" ", "_") if self.underscores else name

    def _check_width(self, width: int) -> None:
        if width != len(self.columns):
            names = "" if self.names is None else f": {listed(self.names)}"
            raise BadInput(f"the rows have {width} columns; expected {len(self.columns)}{names}. Pass these columns.")


def file_type(column: Column) -> ColumnType | None:
    """The type to declare for a column in a file, so that its cells are those of the schema; None to declare none.

    Categories of texts are texts: a file of texts does not tell them apart.
    """
    if column.type in ("any", "unread"):
        return None
    return "text" if column.type == "category" and _values_of(column) == "text" else column.type


def table_of(rows: Any) -> Any:
    """Tensors and lists of rows as arrays, Arrow tables as frames; anything else unchanged."""
    if hasattr(rows, "detach"):
        return tensor_array(rows)
    if type(rows).__module__.startswith("pyarrow"):
        return frame_of(rows)
    if isinstance(rows, list | tuple) and len(rows) and not isinstance(rows[0], str):
        return array_of(rows)
    return rows


def select_columns(frame: Any, places: Sequence[int]) -> Any:
    """The columns of a pandas or polars frame at these positions."""
    if list(places) == list(range(frame.shape[1])):
        return frame
    return frame.iloc[:, list(places)] if hasattr(frame, "iloc") else frame[:, list(places)]


def places_by_number(names: Sequence[str]) -> list[int]:
    """Positions that sort columns named 0, 1, ... by number; with any other names, the columns as they are."""
    numbered = {str(place): place for place in range(len(names))}
    if set(names) != set(numbered):
        return list(range(len(names)))
    return sorted(range(len(names)), key=lambda place: numbered[names[place]])


def listed(names: Sequence[Any]) -> str:
    """Names as text for a message; at most the first six."""
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")


def columns_of(rows: Any) -> list[Any]:
    """The columns of a frame or matrix."""
    if hasattr(rows, "iloc"):
        return [column for _, column in rows.items()]
    if is_frame(rows):
        return list(rows.get_columns())
    dense = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
    return list(dense.T)


def _encoded(column: Column, cells: NDArray[Any], place: int = 0) -> NDArray[Any]:
    """One column as numbers."""
    name = str(place) if column.name is None else column.name
    if column.type == "number":
        return convert.numbers(cells, name)
    if column.type == "boolean":
        return convert.truth_values(cells, name)
    if column.type == "unread":
        return np.full(len(cells), np.nan)
    if column.type == "category" and column.levels is not None:
        codes = convert.codes(cells, column.levels, name, refuse_unseen=column.unseen == "refuse")
        return np.where(codes < 0, np.nan, codes)
    raise BadInput(f"column {name!r} is of type {column.type!r}, which has no numbers. Encode it first.")


def _converts(column: Column, dtype: Any, frame: Any, place: int) -> bool:
    """Whether the cells of a frame's column have to be converted to those of a column of a schema."""
    expected, known = _values_of(column), convert.type_of_dtype(dtype)
    if expected == "any" or (known is not None and expected == _values_of(Column(None, known))):
        return False
    native = frame.iloc[:, place] if hasattr(frame, "iloc") else frame.get_columns()[place]
    return expected != _values_of(Column(None, *convert.type_and_levels(native)))


def _values_of(column: Column) -> str:
    """What the cells of a column are: categories are numbers or texts, and a truth value is a number."""
    if column.type != "category":
        return {"boolean": "number", "unread": "any"}.get(column.type, column.type)
    kinds = {"text" if isinstance(level, str) else "number" for level in column.levels or ()}
    return kinds.pop() if len(kinds) == 1 else "any"


def _arranged(column: Column, native: Any, place: int, pandas: Any, *, exact: bool) -> Any:
    """One column in its type and levels, as an array, or a Series without an index."""
    if column.type == "any" and hasattr(native, "array"):
        return native.array  # with its own dtype
    name, cells = str(place) if column.name is None else column.name, convert.cells_of(native, exact=True)
    if column.levels is not None and column.unseen != "keep":
        unread = column.type == "unread"
        codes = np.full(len(cells), -1) if unread else convert.codes(cells, column.levels, name, refuse_unseen=column.unseen == "refuse")
        return pandas.Categorical.from_codes(codes, list(column.levels))
    if column.levels is not None:
        cells = _levels_or_cells(convert.codes(cells, column.levels, name), column, cells)
    elif column.type != "any":
        converters = {"category": convert.labels, "text": convert.texts, "date": convert.dates, "duration": convert.durations}
        if exact:
            converters["number"] = convert.exact_numbers
        cells = converters[column.type](cells, name) if column.type in converters else _encoded(column, cells)
    return pandas.Series(cells, dtype=object) if cells.dtype == object else cells  # pandas would make texts of objects


def _levels_or_cells(codes: NDArray[np.intp], column: Column, cells: NDArray[Any]) -> NDArray[Any]:
    """The level of each cell. A cell without a level stays as it is, and a missing one becomes the gap that the model knows."""
    levels = np.array(column.levels, dtype=object)
    found, mixed = codes >= 0, cells.astype(object)
    mixed[found] = levels[codes[found]]
    mixed[[convert.is_missing(cell) for cell in mixed]] = None if column.gap == "none" else np.nan
    number = all(isinstance(cell, int | float) for cell in [*levels, *dict.fromkeys(mixed)])
    return np.array(mixed.tolist()) if number else mixed


def _plain_level(level: Any, name: str | None) -> Any:
    value = level.item() if isinstance(level, np.generic) else level
    if not isinstance(value, str | int | float) or convert.is_missing(value):
        raise BadInput(f"column {name!r} has the category {level!r}; expected a text, a number or a truth value.")
    return str(value) if isinstance(value, str) else value
