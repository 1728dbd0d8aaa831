"""What a column holds in all rows of a table, where a part of them would not show it: so the rows that a model sees depend on no part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tutelage.core.arrays import EXACT

READ_ROWS = 1 << 16
"""Rows of some columns that are read at a time to find what they hold."""


@dataclass(frozen=True)
class Settled:
    """What is known of all cells of a column.

    Attributes:
        gaps: whether any are missing.
        large: whether any are whole numbers that floating-point numbers do not hold.
        fractions: whether any are times of day with fractions of a second.
        categories: Arrow array (categories,) of all, in the order in which the rows have them; None if the column has none.
    """

    gaps: bool = False
    large: bool = False
    fractions: bool = False
    categories: Any = None

    @classmethod
    def of(cls, column: Any) -> Settled:
        """What some cells hold.

        Args:
            column: (rows,) Arrow column.
        """
        import pyarrow as pa

        kind = plain_type(column.type)
        categories = None
        if pa.types.is_dictionary(kind):
            for chunk in column.chunks:
                categories = _united(categories, chunk.dictionary)
        wide = kind.bit_width >= 64 if pa.types.is_integer(kind) else pa.types.is_decimal(kind)
        large = wide and _is_large(column)
        return cls(column.null_count > 0, large, pa.types.is_time(kind) and _has_fractions(column), categories)

    def __or__(self, other: Settled) -> Settled:
        return Settled(
            self.gaps or other.gaps,
            self.large or other.large,
            self.fractions or other.fractions,
            _united(self.categories, other.categories),
        )


def settle(tables: Iterable[Any]) -> dict[str, Settled]:
    """What the columns of a table hold, from all of its rows.

    Args:
        tables: Arrow tables, whose rows follow each other.
    """
    found: dict[str, Settled] = {}
    for table in tables:
        for name, column in zip(table.column_names, table.columns, strict=True):
            found[name] = found.get(name, Settled()) | Settled.of(column)
    return found


def unsettled(schema: Any) -> list[str]:
    """The columns of an Arrow schema whose type does not tell what a model sees of them."""
    return [field.name for field in schema if _depends_on_cells(plain_type(field.type))]


def common_type(kinds: Iterable[Any]) -> Any:
    """The Arrow type in which the cells of several can be held; a date beside moments is its midnight.

    Raises:
        ArrowInvalid, ArrowTypeError: there is none.
    """
    import pyarrow as pa

    given = list(dict.fromkeys(kinds))
    moments = any(map(pa.types.is_timestamp, given))
    found = [pa.timestamp("us") if moments and pa.types.is_date(kind) else kind for kind in given]
    return pa.unify_schemas([pa.schema([("", kind)]) for kind in found or [pa.null()]], promote_options="permissive").types[0]


def plain_type(kind: Any) -> Any:
    """An Arrow type, or that in which an extension type is stored."""
    import pyarrow as pa

    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _depends_on_cells(kind: Any) -> bool:
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_decimal(kind):
        return bool(kind.scale <= 0)
    return any(test(kind) for test in (kinds.is_integer, kinds.is_boolean, kinds.is_dictionary, kinds.is_time))


def _united(first: Any, second: Any) -> Any:
    """The categories of both, those of the first before those of the second alone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if first is None or second is None or first.equals(second):
        return second if first is None else first
    kind = pa.unify_schemas([pa.schema([("", one.type)]) for one in (first, second)], promote_options="permissive").types[0]
    first, second = first.cast(kind), second.cast(kind)
    return pa.concat_arrays([first, second.filter(pc.invert(pc.is_in(second, value_set=first)))])


def _is_large(column: Any) -> bool:
    import pyarrow.compute as pc

    return beyond_floats(pc.min(column).as_py(), pc.max(column).as_py())


def beyond_floats(*bounds: Any) -> bool:
    """Whether floating-point numbers do not hold every whole number between these; None is no bound."""
    return any(bound is not None and abs(bound) > EXACT for bound in bounds)


def _has_fractions(column: Any) -> bool:
    import pyarrow as pa

    try:
        column.cast(pa.time32("s"))
    except pa.ArrowInvalid:
        return True
    return False
