"""What a column of a table holds: its type, inferred from texts where a file has no types, or declared.

The types are "number", "boolean", "category", "text", "date" (also a time on a date) and "duration"; "any" is a column of any or
unknown type, and "unread" one that a model stores but never reads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tutelage.core.errors import BadInput, one_line

ColumnType = Literal["number", "boolean", "category", "text", "date", "duration", "any", "unread"]
TYPES: tuple[ColumnType, ...] = get_args(ColumnType)[:6]
"""The types that can be declared for a column of a file."""

MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""Cells of a text file that mean a missing value: those of pandas' `read_csv`."""


@dataclass(frozen=True)
class Known:
    """What is known of a column before its cells are read.

    Attributes:
        type: of its cells; None if they say it themselves, "any" for cells that stay as they stand.
        literals: those of `MISSING` that are texts in this column, and no gaps.
        declared: whether the user says so; otherwise it was learnt from a model or from other rows.
    """

    type: ColumnType | None = None
    literals: frozenset[str] = frozenset()
    declared: bool = False

    @classmethod
    def by_user(cls, kind: ColumnType) -> Known:
        """Of a declared type. Cells that are declared as texts are as they stand: none of them spells a gap."""
        return cls(kind, frozenset(MISSING if kind == "text" else ()), declared=True)


AS_THEY_STAND = Known("any", frozenset(MISSING))
"""Of a column whose cells are not to be read as anything, such as the texts that are the rows of a model."""


def literals_among(values: Iterable[Any]) -> frozenset[str]:
    """Those of some values that would spell a gap, such as the class None."""
    return frozenset(MISSING).intersection(value for value in values if isinstance(value, str))


def literals_in(column: Any) -> frozenset[str]:
    """Texts of a column that would spell a gap.

    Args:
        column: (rows,) Arrow column or series of pandas or polars, of texts or of categories.
    """
    import narwhals.stable.v2 as nw
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray | pa.Array):
        if pa.types.is_time(column.type):
            return frozenset()
        texts = column.cast(pa.string())
        return literals_among(pc.unique(texts.filter(pc.is_in(texts, value_set=pa.array(MISSING)))).to_pylist())
    series = nw.from_native(column, series_only=True)
    if series.dtype == nw.Time:
        return frozenset()
    if series.dtype in (nw.Categorical, nw.Enum):
        return literals_among(series.drop_nulls().unique().to_list())
    if series.dtype != nw.String:  # Python objects
        return literals_among(set(series.to_list()))
    return literals_among(series.filter(series.is_in(MISSING)).unique().to_list())


_WHOLE = r"^-?(0|[1-9][0-9]*)$"
_INFINITE = r"[iI]nf(inity)?|INF(INITY)?"
NUMBER = rf"^[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|{_INFINITE})$"
_CODE = r"^([+-]?0[0-9xX].*|\+[0-9]{7,}|[0-9]+[eE][0-9]+)$"
"""Texts that are not numbers although they could be read as such: a padded number, a telephone number, a code such as 12e5."""
_BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
DATE = rf"^{_DAY}$"
MOMENT = rf"^{_DAY}[T ]{_TIME}$"
ZONED = rf"^{_DAY}[T ]{_TIME} ?(Z|UTC|[+-][0-9]{{2}}:?[0-9]{{2}})$"
DURATION = r"^(?P<days>-?[0-9]+) days?(?:,? [+]?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2}(?:[.][0-9]{1,9})?))?$"


def type_of(arrow_type: Any) -> ColumnType | None:
    """The type of an Arrow column; None for one that holds only missing values, or values that no model takes, such as lists."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(arrow_type):
        return "category"
    for name, tests in {
        "boolean": (kinds.is_boolean,),
        "number": (kinds.is_integer, kinds.is_floating, kinds.is_decimal),
        "text": (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_time),
        "date": (kinds.is_date, kinds.is_timestamp),
        "duration": (kinds.is_duration,),
    }.items():
        if any(test(arrow_type) for test in tests):
            return name  # type: ignore[return-value]
    return None


def recorded_type(kind: Any) -> ColumnType:
    """The type in which other files must hold a column of this Arrow type (see `TableSource.recorded_types`)."""
    import pyarrow as pa

    of_texts = pa.types.is_dictionary(kind) and type_of(kind.value_type) == "text"
    return "text" if of_texts else type_of(kind) or ("number" if pa.types.is_null(kind) else "any")


def typed(texts: Any, known: Known, where: str, *, points: Any = None) -> Any:
    """Texts of a file as what they stand for, which no other column has a part in.

    Args:
        texts: (rows,) Arrow column of texts as they stand in the file.
        known: of the column.
        where: the column and its file, for the error.
        points: the same texts with a point for each decimal comma; None if there is none. A column of numbers is made of them.

    Raises:
        BadInput: as `as_type`.
    """
    if points is not None and known.type in (None, "number", "category"):
        found = typed(points, known, where)
        if type_of(getattr(found.type, "value_type", found.type)) == "number":
            return found
    if known.type in (None, "category"):
        found = inferred(texts, known.literals)
        return found if known.type is None else found.dictionary_encode()
    return as_type(_with_gaps(texts, known.literals), known.type, where)


def decimal_points(texts: Any) -> Any:
    """Texts with a point for the comma of each number such as 1,5; None if there is none."""
    import pyarrow.compute as pc

    comma = r"^([+-]?[0-9]+),([0-9]+([eE][+-]?[0-9]+)?)$"
    found = pc.any(pc.match_substring_regex(texts, comma)).as_py()
    return pc.replace_substring_regex(texts, comma, r"\1.\2") if found else None


def inferred(texts: Any, literals: frozenset[str] = frozenset()) -> Any:
    """Texts as the values that they stand for: an Arrow column of booleans, numbers, dates or durations, or else of texts.

    Cells in `MISSING` are missing values. Numbers that lose digits as numbers stay texts: padded with zeros, longer than 64 bits
    hold, written like a telephone number (+49...) or a code (12e5).

    Args:
        texts: (rows,) Arrow column of texts.
        literals: those of `MISSING` that are texts all the same.
    """
    import pyarrow as pa

    column = _with_gaps(texts, literals)
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    for read in (_booleans, _whole_numbers, _numbers, _dates, _durations):
        found = read(column)
        if found is not None:
            return found
    return column


def dates_inferred(texts: Any) -> Any:
    """Texts as dates if all of them are, otherwise as they are; for files such as JSON that tell texts from numbers themselves."""
    found = _dates(texts) if texts.null_count < len(texts) else None
    return texts if found is None else found


def as_type(column: Any, expected: ColumnType, where: str) -> Any:
    """A column as the type that it is known to have, converted exactly.

    Args:
        column: (rows,) Arrow column. Among texts and categories, only nulls are missing; in texts that are read as another type,
            those of `MISSING` too.
        expected: the type; "any" leaves it as it is.
        where: the column and its file, for the error.

    Raises:
        BadInput: a cell that cannot be converted; the message holds it and its row.
    """
    import pyarrow as pa

    present = type_of(column.type)
    if pa.types.is_null(column.type) or expected == "any":
        return column
    if expected == "text":
        return _texts(column, where)
    if expected == "category":
        values = inferred(column, frozenset(MISSING)) if present == "text" else column
        return values if present == "category" else values.dictionary_encode()
    if present == "category":
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], type=column.type.value_type)
        present = type_of(column.type)
    if present == expected:
        return column
    if present == "text":
        return _read_as(_with_gaps(column), expected, where)
    found = _converted(column, expected) if {present, expected} <= {"number", "boolean"} else None
    if found is None:
        raise BadInput(f"{where} holds {_plural(present)}, and {_plural(expected)} are expected. {_DECLARE}")
    return found


def _texts(column: Any, where: str) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], type=column.type.value_type)
    if pa.types.is_time(column.type):
        return time_texts(column)
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInput(f"{where} cannot be read as texts ({one_line(error)}). {_DECLARE}") from error


def time_texts(column: Any) -> Any:
    """Times of day as texts: 12:30:00, with fractions of a second only where the column has them."""
    import pyarrow as pa

    try:
        return column.cast(pa.time32("s")).cast(pa.string())
    except pa.ArrowInvalid:
        return column.cast(pa.string())


def _read_as(column: Any, expected: ColumnType, where: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    readers: dict[str, tuple[Callable[[Any], Any], ...]] = {
        "number": (_whole_numbers, lambda texts: _numbers(texts, codes=True)),
        "boolean": (_booleans, _zeros_and_ones),
        "date": (_dates,),
        "duration": (_durations,),
    }
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])

    def found_in(texts: Any) -> Any:
        readings = (read(texts) for read in readers[expected])
        return next((found for found in readings if found is not None and found.type != column.type), None)

    def fails(count: int, *others: str) -> bool:
        return found_in(pa.chunked_array([[*distinct[:count], *others]], type=column.type)) is None

    if (found := found_in(column)) is not None:
        return found
    distinct = pc.unique(column.drop_null()).to_pylist()
    # Of the fewest first cells that fail together, the last is wrong, or does not go with one before it, which is found the same way.
    last = distinct[bisect_left(range(1, len(distinct)), True, key=fails)]
    if fails(0, last):
        raise BadInput(f"{where} holds {_in_row(column, last)}, and {_plural(expected)} are expected. {_DECLARE}")
    other = distinct[bisect_left(range(1, len(distinct)), True, key=lambda count: fails(count, last))]
    raise BadInput(
        f"{where} holds {_in_row(column, other)} and {_in_row(column, last)}, which are {_plural(expected)} but do not go together. "
        f"{_ALIKE[expected]} {_DECLARE}"
    )


def _in_row(column: Any, cell: str) -> str:
    import pyarrow.compute as pc

    return f"{cell!r} in row {pc.index(column, cell).as_py()}"


_ALIKE = {
    "date": "Write all with a zone or all without, and years outside 1678 to 2261 without nanoseconds.",
    "boolean": "Write all as true and false, or all as 1 and 0.",
}
_DECLARE = "Correct the file, or declare another type, as in dtype={'column': 'text'}."


def _plural(name: str | None) -> str:
    return {"category": "categories", None: "other values"}.get(name, f"{name}s")


def _converted(column: Any, expected: ColumnType) -> Any:
    """Booleans as 0 and 1, or the reverse; None if there are other numbers."""
    import pyarrow as pa

    if expected == "number":
        return column.cast(pa.int8())
    return _zeros_and_ones(column.cast(pa.float64()).cast(pa.string()))


def _zeros_and_ones(texts: Any) -> Any:
    import pyarrow as pa

    return texts.cast(pa.float64()).cast(pa.bool_()) if _all_match(texts, r"^[01]([.]0*)?$") else None


def _with_gaps(texts: Any, literals: frozenset[str] = frozenset()) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    gaps = pa.array([cell for cell in MISSING if cell not in literals], texts.type)
    return pc.if_else(pc.is_in(texts, value_set=gaps), pa.scalar(None, texts.type), texts)


SAMPLE = 1000
"""Cells by which a type is ruled out before all cells are looked at."""


def _all_match(column: Any, pattern: str) -> bool:
    """Whether a regular expression matches all cells that are not missing, in whatever order they are."""
    import pyarrow.compute as pc

    cells = column.drop_null()
    parts = (cells.slice(0, SAMPLE), cells.slice(SAMPLE))
    return all(bool(pc.all(pc.match_substring_regex(part, pattern), min_count=0).as_py()) for part in parts)


def _holds_code(column: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(column, _CODE)).as_py())


def _cast(column: Any, *kinds: Any) -> Any:
    """The column in the first of these types that holds all cells exactly; None if there is none."""
    import pyarrow as pa

    for kind in kinds:
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    return None


def _booleans(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.bool_()) if _all_match(column, _BOOLEAN) else None


def _whole_numbers(column: Any) -> Any:
    """Whole numbers of up to 64 bits. Longer ones stay texts: as floating-point numbers, some would become equal."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    if not _all_match(trimmed, _WHOLE):
        return None
    found = _cast(trimmed, pa.int64(), pa.uint64())
    return column if found is None else found


def _numbers(column: Any, *, codes: bool = False) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    if not _all_match(trimmed, NUMBER) or (not codes and _holds_code(trimmed)):
        return None
    found = _cast(trimmed, pa.float64())
    found = _cast(pc.replace_substring_regex(trimmed, r"^\+", ""), pa.float64()) if found is None else found
    beyond = None if found is None else trimmed.filter(pc.is_inf(found))  # also 1.5e400, which is no infinite number
    return found if beyond is not None and _all_match(beyond, rf"^[+-]?({_INFINITE})$") else None


def _dates(column: Any) -> Any:
    """Dates as date32; times on dates as timestamps, in UTC if they name a zone. A date beside moments without a zone is its midnight."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _all_match(column, DATE):
        found = _cast(column, pa.date32())
    elif _all_match(column, rf"^{_DAY}([T ]{_TIME})?$"):
        found = _cast(column, pa.timestamp("us"), pa.timestamp("ns"))
    elif _all_match(column, ZONED):
        kinds = pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")
        found = _cast(column, *kinds)
        found = _cast(pc.replace_substring_regex(column, r" ?UTC$", "Z"), *kinds) if found is None else found
    else:
        return None
    return found if found is not None and _in_calendar(found) else None


def _in_calendar(found: Any) -> bool:
    """Whether dates or moments are of the years 1 to 9999: Python has no others, and Arrow reads 0000-01-01."""
    import pyarrow.compute as pc

    years = pc.min_max(pc.year(found))
    return bool(years["min"].as_py() >= 1 and years["max"].as_py() <= 9999)


def _durations(column: Any) -> Any:
    """Durations as pandas and Python write them: "1 days 02:00:00", "1 day, 2:00:00"."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _all_match(column, DURATION):
        return None
    parts = pc.extract_regex(column, DURATION)
    seconds: Any = 0
    for name, unit in (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        texts = pc.struct_field(parts, name)
        value = pc.replace_substring_regex(texts, r"^$", "0").cast(pa.float64())
        seconds = pc.add(seconds, pc.multiply(value, float(unit)))
    ticks = _cast(pc.round(pc.multiply(seconds, 1e6)), pa.int64())
    return None if ticks is None else ticks.cast(pa.duration("us"))
