"""Rows of another source, such as a test or a pool, as the given ones are: with their columns or inputs, in their order and scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.rows import as_rows
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.scale import Scale
from tutelage.data.structures.structured import StructuredRows
from tutelage.workflow.distillation.given.problem import RowSet


def in_columns(given: RowSet, other: RowSet | None, name: str, *, teacher_too: bool) -> RowSet | None:
    """Rows of another source with the columns of the given rows, in their order.

    Args:
        given: the rows that students learn from.
        other: test rows, or a pool; None is returned as it is.
        name: what they are, for messages.
        teacher_too: whether the teacher takes the same columns; otherwise those that it takes are left as they are.

    Raises:
        BadInput: a column is missing, or rows or times of another kind. ShapeError: rows of another shape.
    """
    if other is None:
        return None
    if given.times is not None and other.times is not None:
        _check_comparable(given.times, other.times, name)
    kinds = [_kind(one.rows) for one in (given, other)]
    if kinds[0] != kinds[1]:
        raise BadInput(f"the rows are {kinds[0]}, and {name} is {kinds[1]}; pass both in the same form.")
    if isinstance(given.rows, StructuredRows):
        return _with_inputs(given.rows, other, name, teacher_too=teacher_too)
    if kinds[0] == "a frame":
        columns = list(given.rows.columns)
        missing = [column for column in columns if column not in other.rows.columns]
        if missing:
            raise BadInput(f"{name} has no column {missing[0]!r}, which the rows have; pass it with their columns.")
        if list(other.rows.columns) == columns:
            return other
        rows = other.rows[columns]
        return replace(other, rows=rows, asked=as_rows(rows) if teacher_too else other.asked)
    shapes = [() if isinstance(one.rows, list) else np.shape(one.rows)[1:] for one in (other, given)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"each row of {name} has shape {shapes[0]}; expected {shapes[1]}, as in the rows.")
    _check_scale(given.rows, other.rows, name)
    return other


def _with_inputs(rows: StructuredRows, other: RowSet, name: str, *, teacher_too: bool) -> RowSet:
    """Rows of another source with the same inputs, in the same order."""
    found = RowInputs.of(rows).alike(other.rows, name)
    return other if found is other.rows else replace(other, rows=found, asked=as_rows(found) if teacher_too else other.asked)


def _check_scale(rows: Any, others: Any, name: str) -> None:
    """Refuse pictures and other arrays of more axes whose numbers are of another scale.

    Raises:
        BadInput: they are.
    """
    if isinstance(rows, np.ndarray) and isinstance(others, np.ndarray) and rows.ndim > 2:
        difference = Scale.of(rows).difference(others)
        if difference:
            raise BadInput(f"{name} holds {difference[0]}, and the rows hold {difference[1]}; pass both in the same scale.")


def _check_comparable(times: NDArray[Any], others: NDArray[Any], name: str) -> None:
    """Refuse times of other kinds, such as numbers and dates.

    Raises:
        BadInput: they have no order.
    """
    try:
        _ = times[:1] < others[:1]
    except TypeError as error:
        kinds = [type(one[0]).__name__ for one in (times, others)]
        raise BadInput(f"the times of the rows are of type {kinds[0]}, and those of {name} of type {kinds[1]}; pass both alike.") from error


def _kind(rows: Any) -> str:
    if isinstance(rows, StructuredRows):
        return f"several inputs{'' if rows.named else ' without names'}"
    return "a list of texts" if isinstance(rows, list) else "a frame" if is_frame(rows) else "an array"
