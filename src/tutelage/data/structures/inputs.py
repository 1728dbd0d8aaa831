"""How the inputs of rows of several look, as a model learnt them, and other rows arranged to match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.structures.ragged import Field, Ragged
from tutelage.data.structures.scale import Scale
from tutelage.data.structures.structured import StructuredRows, before_end, is_structure, mask_of, of_tokens, padding_of

TOKEN = 32
"""Numbers that a token counts as: a network makes a vector of it."""
SHORT = 2
"""Positions of a made row where their number varies."""
Shape = tuple[int | None, ...]
"""Of a row of one input; None for a length that varies from row to row."""


@dataclass(frozen=True)
class RowInputs:
    """The inputs of rows of several.

    Attributes:
        shapes: of a row of each input, by name, in order.
        whole: the names of the inputs that are whole numbers, such as ids.
        named: whether a network takes them by name; otherwise in their order.
        truth_values: the names of the inputs that are truth values.
        scales: that of each input whose rows have more axes, such as pictures, by name.

    Example:
        >>> rows = StructuredRows.of({"ids": [[5, 7], [4]], "attention_mask": [[1, 1], [1]], "size": [[1.5, 2.0, 3.0], [0.5, 1.0, 2.0]]})
        >>> RowInputs.of(rows).sizes
        {'ids': None, 'attention_mask': None, 'size': 3}
    """

    shapes: Mapping[str, Shape]
    whole: tuple[str, ...]
    named: bool = True
    truth_values: tuple[str, ...] = ()
    scales: tuple[tuple[str, Scale], ...] = ()

    @classmethod
    def of(cls, rows: StructuredRows) -> RowInputs:
        """Those of some rows."""
        kinds = {name: _values(field).dtype.kind for name, field in rows.fields.items()}
        whole, truth_values = (tuple(name for name in kinds if kinds[name] in of) for of in ("iu", "b"))
        shapes = {name: _shape(name, rows) for name in rows.fields}
        scales = tuple((name, Scale.of(_values(rows.fields[name]))) for name, shape in shapes.items() if len(shape) > 1)
        return cls(shapes, whole, rows.named, truth_values, scales)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs, in order."""
        return tuple(self.shapes)

    @property
    def sizes(self) -> dict[str, Any]:
        """For each input what builds a network: the numbers in a row, None if they vary; of more axes, or none, the shape."""
        return {name: shape[0] if len(shape) == 1 else shape for name, shape in self.shapes.items()}

    @property
    def sound(self) -> bool:
        """Whether all attributes are of their types, in a value that was read from a file."""
        lengths = [length for shape in self.shapes.values() for length in shape]
        return (
            type(self.named) is bool
            and bool(self.shapes)
            and all(type(name) is str for name in (*self.shapes, *self.whole, *self.truth_values))
            and all(length is None or (type(length) is int and length >= 0) for length in lengths)
            and all(name in self.shapes and type(scale) is Scale and scale.sound for name, scale in self.scales)
        )

    def arranged(self, rows: Any, what: str = "the rows") -> StructuredRows:
        """Rows with these inputs, in this order, of the kinds of numbers that were learnt: tables hold ids as floats, and prices as ids.

        Args:
            rows: several inputs, of any container that `StructuredRows.of` takes.
            what: they are, in the plural, for messages.

        Raises:
            BadInput: rows of one input, or with other inputs, fractions where whole numbers are expected, numbers other than 0 and 1 where
                truth values are, or whole numbers in pictures that held fractions.
            ShapeError: an input of another shape.
        """
        expected = f"expected the inputs {', '.join(self.names)}"
        if not is_structure(rows):
            raise BadInput(f"{what} are of type {type(rows).__name__}; {expected}, as a dict of arrays by name.")
        found = StructuredRows.of(rows)
        if set(found.fields) != set(self.names):
            raise BadInput(f"{what} have the inputs {', '.join(found.fields)}; {expected}, and no others.")
        fields = {name: self._typed(name, found.fields[name], what) for name in self.names}
        if tuple(found.fields) != self.names or found.named != self.named or any(found.fields[name] is not fields[name] for name in fields):
            found = replace(found, fields=fields, named=self.named).trimmed()  # ids that were floats say now what is padding
        for name, shape in self.shapes.items():
            seen = _shape(name, found)
            if len(seen) != len(shape) or seen[1:] != shape[1:] or (seen != shape and None not in (seen[0], shape[0])):
                raise ShapeError(f"each row of the input {name!r} of {what} has shape {_shown(seen)}; expected {_shown(shape)}.")
            if seen[:1] == (None,) and shape[0] is not None:
                _check_lengths(name, found.fields[name], shape[0], what)
        return found

    def alike(self, rows: Any, name: str) -> StructuredRows:
        """A set of rows, arranged, whose pictures and other arrays of more axes are of the same scale; one row is too little to tell.

        Args:
            rows: the whole set, as for `arranged`.
            name: what they are, for messages.

        Raises:
            BadInput: numbers of another scale. Others as `arranged`.
        """
        found = self.arranged(rows, f"the rows of {name}")
        for one, scale in self.scales:
            difference = scale.difference(_values(found.fields[one]))
            if difference:
                raise BadInput(f"the input {one!r} of {name} holds {difference[0]}; expected {difference[1]}, scaled alike.")
        return found

    def _typed(self, name: str, field: Field, what: str) -> Field:
        """An input of the kind of numbers that was learnt: whole numbers, truth values or others.

        Raises:
            BadInput: numbers that are not of this kind.
        """
        values, scale = _values(field), dict(self.scales).get(name)
        holds, expected = f"the input {name!r} of {what} holds", "whole numbers" if scale is None else f"{scale}, scaled alike"
        if name in self.truth_values:
            if values.dtype.kind != "b" and not np.isin(values, (0, 1)).all():
                raise BadInput(f"{holds} {values.dtype}, with numbers other than 0 and 1; expected truth values.")
            return _as_type(field, np.bool_)
        if name not in self.whole:
            if scale is not None and values.size and scale.refuses(values.dtype):
                raise BadInput(f"{holds} whole numbers ({values.dtype}); expected {expected}.")
            return _as_type(field, np.float64) if values.dtype.kind in "biu" else field
        if values.dtype.kind != "f":
            return _as_type(field, np.int64) if values.dtype.kind == "b" else field
        whole = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2.0**53)
        if not whole.all():
            raise BadInput(f"{holds} {values.dtype}, such as {float(values[~whole][0])!r}; expected {expected}.")
        return _as_type(field, np.int64)

    def ones(self, rows: int) -> StructuredRows:
        """Made rows, of ones, from which the layers of a network read their sizes."""
        types = {**dict.fromkeys(self.whole, np.int64), **dict.fromkeys(self.truth_values, np.bool_)}
        fields: dict[str, Field] = {
            name: np.ones((rows, *(SHORT if length is None else length for length in shape)), types.get(name, np.float32))
            for name, shape in self.shapes.items()
        }
        return StructuredRows(fields, self.named)


def numbers_of(rows: StructuredRows) -> int:
    """About how many numbers a network computes with for each row; a token counts as `TOKEN`."""
    every = 0.0
    for name, field in rows.fields.items():
        shape = _shape(name, rows)
        positions = float(field.lengths.mean()) if isinstance(field, Ragged) else float(shape[0] or field.shape[1]) if shape else 1.0
        tokens = len(shape) == 1 and _values(field).dtype.kind in "iu" and of_tokens(name, _values(field)) and name != mask_of(name)
        every += positions * prod(length or 1 for length in shape[1:]) * (TOKEN if tokens else 1)
    return max(1, round(every))


def _values(field: Field) -> NDArray[Any]:
    return field.values if isinstance(field, Ragged) else field


def _as_type(field: Field, dtype: type[Any]) -> Field:
    if _values(field).dtype == dtype:
        return field
    return replace(field, values=field.values.astype(dtype)) if isinstance(field, Ragged) else field.astype(dtype)


def _shape(name: str, rows: StructuredRows) -> Shape:
    """The shape of a row of one input: its length varies where rows differ in theirs, or a mask of its shape says which positions count."""
    field = rows.fields[name]
    if isinstance(field, Ragged):
        return (None, *field.values.shape[1:])
    mask = rows.fields.get(mask_of(name))
    like_mask = isinstance(mask, np.ndarray) and mask.ndim == 2 and field.shape[:2] == mask.shape
    unlike = isinstance(mask, np.ndarray) and like_mask and field.ndim > 2 and padding_of(field, before_end(mask)) is None
    if unlike or (like_mask and rows.may_be_of_rows(name, field)):
        return tuple(int(length) for length in field.shape[1:])
    varies = like_mask and (name == mask_of(name) or of_tokens(name, field) or _is_only_token(name, rows))
    return (None, *field.shape[2:]) if varies else tuple(int(length) for length in field.shape[1:])


def _is_only_token(name: str, rows: StructuredRows) -> bool:
    """Whether an input is the only one of whole numbers in the mask's shape, where no name says that another is of tokens."""
    of_mask = mask_of(name)
    mask = rows.fields[of_mask]
    whole = [
        other
        for other, field in rows.fields.items()
        if other != of_mask and isinstance(field, np.ndarray) and isinstance(mask, np.ndarray)
        if mask_of(other) == of_mask and field.dtype.kind in "biu" and field.shape[:2] == mask.shape[:2]
    ]
    return whole == [name]


def _check_lengths(name: str, field: Field, expected: int, what: str) -> None:
    """Check that all rows of an input have the length that was learnt.

    Raises:
        ShapeError: names the first that has another.
    """
    if not isinstance(field, Ragged):
        if field.shape[1] != expected:
            raise ShapeError(f"each row of the input {name!r} of {what} has {field.shape[1]} numbers; expected {expected}.")
        return
    if (field.lengths != expected).any():
        row = int((field.lengths != expected).argmax())
        raise ShapeError(f"row {row} of the input {name!r} of {what} has {field.lengths[row]} numbers; expected {expected}.")


def _shown(shape: Shape) -> str:
    lengths = ["any" if length is None else str(length) for length in shape]
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"
