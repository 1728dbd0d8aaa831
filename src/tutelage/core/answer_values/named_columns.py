"""Columns that are named after the classes: matched to them by name, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tutelage.core.answer_values.class_names import key_of, list_classes
from tutelage.core.arrays import is_frame, unmasked
from tutelage.core.errors import LabelMismatch


def column_names(frame: Any) -> list[Any]:
    """The names of the columns of a frame of pandas or polars, or of an Arrow table."""
    return list(frame.schema.names if type(frame).__module__.startswith("pyarrow") else frame.columns)


def is_numbered(frame: Any) -> bool:
    """Whether pandas itself numbered the columns of a frame, which was made without names.

    Numbers that it was given, or that a selection left, are names, though pandas may hold them as a range: 1, 2, 3, or 1, 0.
    """
    columns: Any = getattr(frame, "columns", None)
    return type(columns).__name__ == "RangeIndex" and (columns.start, columns.step) == (0, 1)


def _is_cut_out(frame: Any) -> bool:
    """Whether the columns of a frame are neighbours of one that pandas numbered, such as 4, 5: they have no names either."""
    columns: Any = getattr(frame, "columns", None)
    return type(columns).__name__ == "RangeIndex" and columns.step == 1


def are_numbers(names: Sequence[Any]) -> bool:
    """Whether columns are named by their places alone, as pandas (0, 1), its CSV files ("0", "1") and polars (column_0) do.

    Example:
        >>> are_numbers([0, 1]), are_numbers(["column_0", "column_1"]), are_numbers(["1", "0"])
        (True, True, False)
    """
    return [str(name).removeprefix("column_") for name in names] == [str(place) for place in range(len(names))]


def order_by_name(given: Sequence[Any], expected: Sequence[Any], *, what: str, remedy: str) -> list[int] | None:
    """The place of each expected name among the given ones, which are compared as texts.

    Args:
        given: names of columns.
        expected: names, such as those of the classes.
        what: the subject of the error.
        remedy: what to do about it.

    Returns:
        None if no name is among those expected: the columns are in the order of the classes, or have names that say otherwise.

    Raises:
        LabelMismatch: some names are those expected, and others are not, are missing or come twice.

    Example:
        >>> order_by_name(["wind", "rain"], ["rain", "wind"], what="the columns", remedy="")
        [1, 0]
    """
    alike = str if len(set(map(str, expected))) == len(expected) else key_of  # the classes 1 and "1" differ in their type alone
    names, wanted = set(map(alike, given)), set(map(alike, expected))
    if not names & wanted or (are_numbers(given) and names != wanted):
        return None  # columns that have no names are numbered
    return _order(given, expected, alike, what, remedy)


def order_in_frame(frame: Any, classes: Sequence[Any], what: str) -> list[int] | None:
    """The place of each class among the columns of a frame of numbers; None if its columns have no names.

    Raises:
        LabelMismatch: the columns have other names.
    """
    names, remedy = column_names(frame), "Rename them, or pass an array."
    if is_numbered(frame):
        return None
    order = order_by_name(names, classes, what=what, remedy=remedy)
    unnamed = are_numbers(names) or _is_cut_out(frame)
    return columns_in_order(names, classes, what=what, remedy=remedy) if order is None and not unnamed else order


def columns_like(y: Any, first: Any, what: str) -> Any:
    """Values with their columns in the order of others of the same outputs, where both are frames with names; else as they are.

    Raises:
        LabelMismatch: a frame with some of the names, and others.
    """
    if not (is_frame(y) and is_frame(first)) or (_is_cut_out(y) and is_numbered(first)):
        return y
    order = order_by_name(column_names(y), column_names(first), what=what, remedy="Rename them, or pass arrays.")
    return y if order is None else unmasked(y, what)[:, order]


def columns_in_order(given: Sequence[Any], expected: Sequence[Any], *, what: str, remedy: str) -> list[int]:
    """The place of each expected class among the given ones; the number 1 and the text "1" are two.

    Raises:
        LabelMismatch: names that are missing or not expected.
    """
    return _order(given, expected, key_of, what, remedy)


def _order(given: Sequence[Any], expected: Sequence[Any], key: Callable[[Any], Any], what: str, remedy: str) -> list[int]:
    places = {key(name): place for place, name in enumerate(given)}
    wanted = set(map(key, expected))
    missing = tuple(name for name in expected if key(name) not in places)
    extra = tuple(name for place, name in enumerate(given) if key(name) not in wanted or places[key(name)] != place)
    if missing or extra:
        raise LabelMismatch(
            f"{what} are {list_classes(tuple(given))}; expected {list_classes(tuple(expected))}: "
            f"missing {list_classes(missing)}, extra {list_classes(extra)}. {remedy}"
        )
    return [places[key(name)] for name in expected]
