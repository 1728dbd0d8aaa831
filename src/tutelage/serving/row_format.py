"""Rows as JSON: how a row of a file looks, and requests parsed into rows, strictly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema
from typing_extensions import TypedDict

from tutelage.core.errors import BadInput, did_you_mean, shown
from tutelage.data.days import days_of_text
from tutelage.data.schema import listed
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.serving.array_rows import ArrayInput, structured

Kind = Literal["number", "boolean", "date", "duration", "text"]
Layout = Literal["named", "listed", "text", "array", "inputs"]
"""A row is an object of named columns, a list of columns without names, one text, nested lists of numbers, or an object of these."""
ServedRows = CheckRows | StructuredRows
"""Rows of columns, texts or one array; or rows of several arrays."""
EXPECTED: dict[Kind, str] = {
    "number": "a number",
    "boolean": "true or false",
    "date": 'a date as a text, such as "2026-03-01" or "2026-03-01T12:30:00Z"',
    "duration": 'a duration as a text, such as "1 days 02:00:00"',
    "text": "a text",
}
SHOWN_LEVELS = 20
"""Categories that the description of a column names."""
_STRICT = ConfigDict(strict=True, extra="forbid")
_NUMBER = Annotated[float, Field(allow_inf_nan=False)]
_SPELT: dict[str, list[dict[str, str]]] = {
    "date": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}],
    "duration": [{"type": "string", "pattern": r"^-?[0-9]{1,6} days?(,? [+]?[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?)?$"}],
}
"""JSON schemas of cells that are texts of a certain spelling."""
_TYPES: dict[Kind, Any] = {"number": _NUMBER, "boolean": bool, "date": str, "duration": str, "text": str}


@dataclass(frozen=True)
class RowFormat:
    """How a row looks.

    Attributes:
        inputs: the columns of the file; empty for rows of another shape.
        shape: of the numbers of a row without columns.
        dtype: of the numbers that the file takes.
        levels: the categories that the student knows, by the position of their column; others are answered as unseen ones.
        arrays: the inputs of a row of several arrays, or of arrays of any length; empty for other rows.

    Example:
        >>> from tutelage.exporters.subject.inputs import Input
        >>> columns = (Input("age"), Input("purpose", "text", "category"))
        >>> requests = Requests(RowFormat(columns, (), "float64"), max_rows=10)
        >>> requests.rows(b'{"rows": [{"age": 40, "purpose": "car"}, {"age": null, "purpose": null}]}').numbers
        array([[40.],
               [nan]])
        >>> requests.row(b'{"age": "40", "purpose": "car"}')
        Traceback (most recent call last):
        ...
        tutelage.core.errors.BadInput: column 'age' holds a text; expected a number, or null where it is missing.
    """

    inputs: tuple[Input, ...]
    shape: tuple[int, ...]
    dtype: str
    levels: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    arrays: tuple[ArrayInput, ...] = ()

    @property
    def layout(self) -> Layout:
        """What a row is in JSON."""
        if self.arrays:
            return "inputs"
        if not self.inputs:
            return "array"
        if any(one.name is None for one in self.inputs):
            return "text" if [one.kind for one in self.inputs] == ["text"] else "listed"
        return "named"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each column, or its position; the names of several inputs."""
        if self.arrays:
            return tuple(one.name for one in self.arrays)
        return tuple(str(place) if one.name is None else one.name for place, one in enumerate(self.inputs))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What a cell of each column is in JSON."""
        return tuple(map(_kind_of, self.inputs))

    def type_of_row(self) -> Any:
        """The type of a row, for pydantic."""
        if self.layout == "inputs":
            return _typed_dict("Row", {one.name: one.type_of_array() for one in self.arrays})
        if self.layout == "array":
            cells: Any = _NUMBER
            for length in reversed(self.shape):
                cells = _list_of(cells, length, length)
            return cells
        if self.layout == "text":
            return str
        types = [_type_of_cell(kind, self.levels.get(place, ())) for place, kind in enumerate(self.kinds)]
        if self.layout == "named":
            return _typed_dict("Row", dict(zip(self.names, types, strict=True)))
        if set(self.kinds) == {"number"}:
            return _list_of(_NUMBER | None, len(types), len(types))
        return tuple[tuple(types)]  # type: ignore[misc]

    def described(self) -> str:
        """What a row is, in words for a message."""
        width = len(self.inputs)
        return {
            "named": f"an object with the columns {listed(self.names)}",
            "listed": f"a list of {width} {'column' if width == 1 else 'columns'}",
            "text": "a text in quotes",
            "array": f"nested lists of finite numbers of the shape {' x '.join(map(str, self.shape))}",
            "inputs": f"an object with {', '.join(one.described() for one in self.arrays)}",
        }[self.layout]


class Requests:
    """Parses the bodies of requests.

    Args:
        rows_as: how a row looks.
        max_rows: of a request.
    """

    def __init__(self, rows_as: RowFormat, *, max_rows: int) -> None:
        self.format = rows_as
        self.max_rows = max_rows
        row: Any = rows_as.type_of_row()
        rows = _typed_dict("Rows", {"rows": _list_of(row, 1, max_rows)})
        self.one: TypeAdapter[Any] = TypeAdapter(row, config=None if rows_as.layout in ("named", "inputs") else ConfigDict(strict=True))
        self.many: TypeAdapter[Any] = TypeAdapter(rows)
        self._arrange = _arranger(rows_as)

    def row(self, body: bytes) -> ServedRows:
        """The row that a body holds.

        Raises:
            BadInput: no JSON, or another row; the message names the column and what was expected.
        """
        try:
            return self._arrange([self.one.validate_json(body)])
        except ValidationError as error:
            raise BadInput(_sentence(error, self.format, self.max_rows, one=True)) from None
        except _BadCell as error:
            raise BadInput(error.sentence(self.format, one=True)) from None

    def rows(self, body: bytes) -> ServedRows:
        """The rows that a body holds, under the key "rows".

        Raises:
            BadInput: no JSON, or other rows; the message names the row, the column and what was expected.
        """
        try:
            return self._arrange(self.many.validate_json(body)["rows"])
        except ValidationError as error:
            raise BadInput(_sentence(error, self.format, self.max_rows, one=False)) from None
        except _BadCell as error:
            raise BadInput(error.sentence(self.format, one=False)) from None


def _kind_of(column: Input) -> Kind:
    if column.kind == "text":
        return "text"
    return column.type if column.type in ("boolean", "date", "duration") else "number"


def _type_of_cell(kind: Kind, levels: Sequence[str]) -> Any:
    said = f"{EXPECTED[kind]}; null where it is missing"
    if levels:
        more = f" and {len(levels) - SHOWN_LEVELS:,} more" if len(levels) > SHOWN_LEVELS else ""
        known = ", ".join(json.dumps(level, ensure_ascii=False) for level in levels[:SHOWN_LEVELS])
        said += f". The student knows {known}{more}; others are taken as unseen"
    kept: Any = _TYPES[kind] | None
    cell: Any = Annotated[kept, Field(description=said)]
    return Annotated[cell, WithJsonSchema({"anyOf": [*_SPELT[kind], {"type": "null"}], "description": said})] if kind in _SPELT else cell


def _typed_dict(name: str, types: dict[str, Any]) -> Any:
    of_names: Any = TypedDict  # whose names are known when it runs
    found = of_names(name, types)
    found.__pydantic_config__ = _STRICT
    return found


def _list_of(each: Any, least: int, most: int) -> Any:
    return Annotated[list[each], Field(min_length=least, max_length=most)]


class _BadCell(ValueError):
    """A cell of the right type that stands for nothing the file takes."""

    def __init__(self, row: int, column: int | None, seen: str, expected: str) -> None:
        self.row, self.column, self.seen, self.expected = row, column, seen, expected

    def sentence(self, rows_as: RowFormat, *, one: bool) -> str:
        """The whole message."""
        column = "" if self.column is None else f"column {rows_as.names[self.column]!r}"
        return f"{_where(column, None if one else self.row)} holds {self.seen}; expected {self.expected}."


def _arranger(rows_as: RowFormat) -> Callable[[list[Any]], ServedRows]:
    """What makes arrays of parsed rows: the numbers of each row, then its texts; or several inputs."""
    if rows_as.arrays:
        return lambda rows: structured(rows, rows_as.arrays)
    fit = _fits(rows_as.dtype)
    if rows_as.layout == "array":
        return lambda rows: _of_arrays(rows, fit)
    if rows_as.layout == "text":
        return lambda rows: CheckRows(np.empty((len(rows), 0)), _objects([(text,) for text in rows], 1))
    keys: Sequence[Any] = rows_as.names if rows_as.layout == "named" else range(len(rows_as.inputs))
    numbers = [place for place, kind in enumerate(rows_as.kinds) if kind != "text"]
    texts = [place for place, kind in enumerate(rows_as.kinds) if kind == "text"]
    times = [(place, keys[place], kind) for place, kind in enumerate(rows_as.kinds) if kind in ("date", "duration")]
    number_cells, text_cells = _getter([keys[place] for place in numbers]), _getter([keys[place] for place in texts])

    def arrange(rows: list[Any]) -> CheckRows:
        if times:
            rows = [_with_days(row, place, times) for place, row in enumerate(rows)]
        found = np.array([number_cells(row) for row in rows], dtype=np.float64).reshape(len(rows), len(numbers))
        wrong = fit(found)
        if wrong is not None:
            row, place = np.argwhere(wrong)[0].tolist()
            raise _BadCell(row, numbers[place], *_unfit(found[row, place], rows_as.dtype))
        return CheckRows(found, _objects([text_cells(row) for row in rows], len(texts)))

    return arrange


def _of_arrays(rows: list[Any], fit: Callable[[NDArray[Any]], NDArray[np.bool_] | None]) -> CheckRows:
    numbers = np.array(rows, dtype=np.float64)
    wrong = fit(numbers)
    if wrong is not None:
        place = tuple(np.argwhere(wrong)[0])
        raise _BadCell(int(place[0]), None, *_unfit(numbers[place], "float32"))
    return CheckRows.of_numbers(numbers)


def _with_days(row: Any, number: int, times: Sequence[tuple[int, Any, Any]]) -> Any:
    """A row whose dates and durations are days."""
    row = dict(row) if isinstance(row, dict) else list(row)
    for place, key, kind in times:
        if row[key] is not None:
            try:
                row[key] = days_of_text(row[key], kind)
            except (ValueError, OverflowError):
                raise _BadCell(number, place, f"the text {shown(row[key])}", f"{EXPECTED[kind]}, or null where it is missing") from None
    return row


def _getter(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    if len(keys) > 1:
        return itemgetter(*keys)
    return (lambda row: (row[keys[0]],)) if keys else (lambda row: ())


def _objects(cells: list[tuple[Any, ...]], width: int) -> NDArray[Any]:
    found = np.empty((len(cells), width), dtype=object)
    if width:
        found[:] = cells
    return found


def _fits(dtype: str) -> Callable[[NDArray[Any]], NDArray[np.bool_] | None]:
    """What finds numbers that a type cannot hold; None if it holds all."""
    largest = float(np.finfo(np.float32).max)

    def too_large(numbers: NDArray[Any]) -> NDArray[np.bool_] | None:
        wrong = np.abs(numbers) > largest
        return wrong if wrong.any() else None

    def not_whole(numbers: NDArray[Any]) -> NDArray[np.bool_] | None:
        wrong = ~((np.floor(numbers) == numbers) & (np.abs(numbers) < 2.0**63))
        return wrong if wrong.any() else None

    return {"float32": too_large, "int64": not_whole}.get(dtype, lambda numbers: None)


def _unfit(cell: float, dtype: str) -> tuple[str, str]:
    seen = "a missing number" if np.isnan(cell) else f"{cell:g}"
    return seen, "whole numbers" if dtype == "int64" else "numbers that single precision holds (up to 3.4e38)"


_JSON_TYPES = {str: "a text", bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _sentence(error: ValidationError, rows_as: RowFormat, max_rows: int, *, one: bool) -> str:
    """The first mistake of a body in one sentence. It quotes no cell."""
    first = error.errors(include_url=False)[0]
    place, seen = list(first["loc"]), _JSON_TYPES.get(type(first["input"]), "null")
    body = rows_as.described() if one else f'{{"rows": [...]}}, where each row is {rows_as.described()}'
    if first["type"] == "json_invalid":
        return f"the body is no JSON ({first['ctx']['error']}); expected {body}."
    if not one:
        if place[:1] != ["rows"]:
            extra = f" with the key {shown(place[0])}" if first["type"] == "extra_forbidden" else ""
            return f"the body is {seen if not place else 'an object'}{extra}; expected {body}."
        if len(place) == 1:
            return _wrong_rows(first, seen, max_rows, rows_as)
    row, cell = (None, place) if one else (int(place[1]), place[2:])
    return _wrong_row(first, row, cell, seen, rows_as)


def _wrong_rows(first: Any, seen: str, max_rows: int, rows_as: RowFormat) -> str:
    expected = f"a list of 1 to {max_rows:,} rows, where each is {rows_as.described()}"
    if first["type"] == "missing":
        return f'the body lacks "rows"; expected {expected}.'
    found = f"holds {len(first['input']):,} rows" if isinstance(first["input"], list) else f"is {seen}"
    return f'"rows" {found}; expected {expected}.'


def _wrong_row(first: Any, row: int | None, cell: list[Any], seen: str, rows_as: RowFormat) -> str:
    kind = first["type"]
    of, null = ("input", "") if rows_as.arrays else ("column", ", with null where a cell is missing")
    if rows_as.layout in ("named", "inputs") and cell and kind == "missing":
        return f"{_where('', row)} lacks the {of} {cell[0]!r}; expected {rows_as.described()}{null}."
    if rows_as.layout in ("named", "inputs") and cell and kind == "extra_forbidden":
        hint = did_you_mean(str(cell[0]), rows_as.names)
        return f"{_where('', row)} has the {of} {shown(cell[0])}, which the student does not read; leave it out.{hint}"
    if rows_as.layout in ("named", "listed") and cell and kind not in ("missing", "too_short", "too_long"):
        at = rows_as.names.index(cell[0]) if rows_as.layout == "named" else int(cell[0])
        expected = f"{EXPECTED[rows_as.kinds[at]]}, or null where it is missing"
        found = "a number that is not finite" if kind == "finite_number" else seen
        return f"{_where(f'column {rows_as.names[at]!r}', row)} holds {found}; expected {expected}."
    found = f"a list of {len(first['input']):,}" if isinstance(first["input"], list) else seen
    verb, where = "is", ""
    if cell and rows_as.layout == "inputs":
        found = "a number that is not finite" if kind == "finite_number" else found
        where = "".join(f"[{number}]" for number in cell[1:])
        expected = next(one.described() for one in rows_as.arrays if one.name == cell[0])
        return f"{_where(f'input {cell[0]!r}', row)} holds {found}{f' at {where}' if where else ''}; expected {expected}."
    if cell and rows_as.layout == "array":
        found = "a number that is not finite" if kind == "finite_number" else found
        verb, where = "holds", f" at {''.join(f'[{number}]' for number in cell)}"
    return f"{_where('', row)} {verb} {found}{where}; expected {rows_as.described()}."


def _where(column: str, row: int | None) -> str:
    if not column:
        return "the row" if row is None else f"row {row}"
    return column if row is None else f"{column} of row {row}"
