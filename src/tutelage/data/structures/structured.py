"""Rows of several arrays, such as the ids and the attention mask of texts, of equal or different lengths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import tensor_array
from tutelage.core.errors import BadInput, ShapeError, shown
from tutelage.data.structures.ragged import Field, Ragged, array_of_numbers

MASK = "attention_mask"
"""The name of the array that says which positions of a row count, 1 or 0, in the habit of Hugging Face."""
DECODER = "decoder_"
"""What the names of a decoder's inputs begin with, in the same habit."""
DECODER_MASK = f"{DECODER}{MASK}"
OF_VECTORS = ("embed", "token", "word", "feature", "hidden", "frame")
"""What names of inputs hold that have a vector for each token."""
OF_SIGNALS = ("input_values", "past_values", "audio", "signal", "speech", "waveform")
"""What names of inputs hold that have a number for each step in time, such as those of sounds in the habit of Hugging Face."""
TRUTH = ("labels", "label")
"""The names of the ground truth beside the inputs, in the same habit."""


@dataclass(frozen=True, eq=False)
class StructuredRows:
    """Rows of several arrays: a mapping is passed to a network as keyword arguments, a tuple as arguments in its order.

    Where the mask of a row ends in zeros, and what they leave out is padding (one number in each input of the mask's shape), these
    positions are left out: the same rows are equal however far they are padded. The mask of inputs whose names begin with decoder_ is
    decoder_attention_mask. Padding in front of a row stays, since most networks count positions from there.

    Attributes:
        fields: the array of each input, by name, with one entry for each row; the inputs of a tuple are named 0, 1, ...
        named: whether the inputs have names, that is, whether they were given as a mapping.
        widths: (rows,) the number of positions that each row had with its padding; None if none had any.
        fill: what a position is filled with where rows of different lengths are padded to one, by name; 0 if not named.

    Raises:
        ShapeError: inputs with different numbers of rows.

    Example:
        >>> import tutelage as tl
        >>> rows = tl.StructuredRows.of({"input_ids": [[5, 7, 0], [4, 0, 0]], "attention_mask": [[1, 1, 0], [1, 0, 0]]})
        >>> len(rows), rows.lengths.tolist(), rows.padded()["input_ids"].tolist()
        (2, [2, 1], [[5, 7], [4, 0]])
    """

    fields: Mapping[str, Field]
    named: bool = True
    widths: NDArray[np.int64] | None = None
    fill: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        counts = {name: len(field) for name, field in self.fields.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name}: {count}" for name, count in counts.items())
            raise ShapeError(f"the inputs have different numbers of rows ({found}); expected one entry of each for every row.")

    @classmethod
    def of(cls, inputs: Any) -> StructuredRows:
        """From a mapping or a tuple of arrays, tensors or lists of rows. A ground truth beside them (`labels`) is left out.

        Raises:
            BadInput: no inputs, texts, nested structures, or an attention mask of other values than 0 and 1.
            ShapeError: inputs with different numbers of rows, or a row with another number of tokens than its mask.
        """
        if isinstance(inputs, StructuredRows):
            return inputs
        named = isinstance(inputs, Mapping)
        items = list(inputs.items()) if isinstance(inputs, Mapping) else list(enumerate(inputs))
        if named and not all(isinstance(name, str) for name, _ in items):
            raise BadInput(f"the inputs have the names {shown([name for name, _ in items])}; expected texts, the arguments of a network.")
        fields = {str(name): _field(value, str(name)) for name, value in items if not (named and name in TRUTH)}
        if not fields:
            raise BadInput("the rows are a structure without inputs; expected at least one array, such as input_ids.")
        return cls(fields, named).trimmed()

    @classmethod
    def of_items(cls, items: Iterable[Any]) -> StructuredRows:
        """From one mapping or tuple of arrays for each row.

        Raises:
            BadInput, ShapeError: as `of`; items that have different inputs.
        """
        rows = list(items)
        if isinstance(rows[0], Mapping):
            names = list(rows[0])
            odd = next((place for place, row in enumerate(rows) if not isinstance(row, Mapping) or set(row) != set(names)), None)
            if odd is not None:
                has = ", ".join(map(str, rows[odd])) if isinstance(rows[odd], Mapping) else f"a {type(rows[odd]).__name__}"
                raise BadInput(f"item {odd} has {has}; expected the inputs of the first: {', '.join(map(str, names))}.")
            return cls.of({name: [row[name] for row in rows] for name in names if name not in TRUTH})
        odd = next((place for place, row in enumerate(rows) if len(row) != len(rows[0])), None)
        if odd is not None:
            raise BadInput(f"item {odd} has {len(rows[odd])} inputs; expected {len(rows[0])}, as the first.")
        return cls.of(tuple([row[place] for row in rows] for place in range(len(rows[0]))))

    @classmethod
    def joined(cls, parts: Sequence[StructuredRows]) -> StructuredRows:
        """The rows of several parts, in their order.

        Raises:
            BadInput: parts with different inputs. ShapeError: inputs that differ in more than their length.
        """
        first = parts[0]
        odd = next((part for part in parts if list(part.fields) != list(first.fields)), None)
        if odd is not None:
            raise BadInput(f"some rows have the inputs {', '.join(odd.fields)}; expected {', '.join(first.fields)}, as the first.")
        fields = {name: _joined([part.fields[name] for part in parts], name) for name in first.fields}
        padded = any(part.widths is not None for part in parts)
        widths = np.concatenate([part._padded_widths() for part in parts]) if padded else None
        fill = {name: number for part in reversed(parts) for name, number in (part.fill or {}).items()}
        return replace(first, fields=fields, widths=widths, fill=fill or None)

    def trimmed(self) -> StructuredRows:
        """The same without the padding at the end of each mask, in every input of the mask's shape.

        Raises:
            BadInput, ShapeError: as `of`, of masks.
        """
        return self._cut(MASK)._cut(DECODER_MASK)

    def _cut(self, name_of_mask: str) -> StructuredRows:
        mask = self.fields.get(name_of_mask)
        if mask is None:
            return self
        values = mask.values if isinstance(mask, Ragged) else mask
        if not np.isin(values, (0, 1)).all():
            raise BadInput(f"{name_of_mask} holds numbers other than 0 and 1; expected 1 for each position that counts, and 0 for padding.")
        self._check_length(name_of_mask, mask)
        widths = _lengths(mask) if values.ndim == (1 if isinstance(mask, Ragged) else 2) else None
        if widths is None or not values.size:
            return self
        lengths, inside = _ends(mask), before_end(mask)
        if inside.all():
            return self
        fill: dict[str, float] = {}
        cut: dict[str, Field] = {}
        for name, field in self.fields.items():
            if mask_of(name) != name_of_mask or not _of_the_same_positions(field, mask):
                continue
            values = field.values if isinstance(field, Ragged) else field
            padding = padding_of(values, inside)
            if padding is None or not _says_of_tokens(name, field) or (isinstance(field, np.ndarray) and self.may_be_of_rows(name, field)):
                return self  # no padding, or numbers of the row, which has as many tokens by chance: nothing says which
            fill[name], cut[name] = padding, Ragged(values[inside], lengths)
        widths = widths if name_of_mask == self._mask_of_answers else self.widths
        return replace(self, fields={**self.fields, **cut}, widths=widths, fill={**(self.fill or {}), **fill})

    def may_be_of_rows(self, name: str, field: NDArray[Any]) -> bool:
        """Whether an array of a mask's positions, on more axes, may be a picture or a series: fractions beside ids, of no token's name."""
        if field.ndim < 3 or field.dtype.kind != "f" or any(word in name.lower() for word in OF_VECTORS):
            return False
        fields = {
            other: each for other, each in self.fields.items() if other not in (MASK, DECODER_MASK) and mask_of(other) == mask_of(name)
        }
        arrays = [each for each in fields.values() if isinstance(each, np.ndarray) and each.ndim == 2]
        return any(each.shape == field.shape[:2] and each.dtype.kind in "iu" for each in arrays)

    def _check_length(self, name_of_mask: str, mask: Field) -> None:
        """Check that there is a mask for each token.

        Raises:
            ShapeError: a row with another number of them.
        """
        of_mask = _lengths(mask)
        for name, field in self.fields.items():
            values = field.values if isinstance(field, Ragged) else field
            several = values.ndim > (1 if isinstance(field, Ragged) else 2)
            if name == name_of_mask or mask_of(name) != name_of_mask or several or not _says_of_tokens(name, field):
                continue
            found = _lengths(field)
            if found is None or of_mask is None or np.array_equal(found, of_mask) or len(found) != len(of_mask):
                continue
            row = int((found != of_mask).argmax())
            raise ShapeError(f"row {row} has {found[row]} {name} and {of_mask[row]} numbers of {name_of_mask}; expected one for each.")

    def _padded_widths(self) -> NDArray[np.int64]:
        """(rows,) the number of positions of each row that are answered, with the padding that it had."""
        counting = self.counting()
        return self.widths if self.widths is not None else self.lengths if counting is None else counting.lengths

    @property
    def _mask_of_answers(self) -> str:
        """The name of the mask of the positions that are answered: those of the decoder, if there is one."""
        return DECODER_MASK if any(name.startswith(DECODER) for name in self.fields) else MASK

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __iter__(self) -> Iterator[StructuredRows]:
        return (self[[row]] for row in range(len(self)))

    def __getitem__(self, rows: Any) -> StructuredRows:
        """Some of the rows, by a slice or an array; one row is a structure of one."""
        if isinstance(rows, int | np.integer):
            rows = [range(len(self))[rows]]
        widths = None if self.widths is None else self.widths[rows]
        return replace(self, fields={name: field[rows] for name, field in self.fields.items()}, widths=widths)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(rows,) the length of the longest input of each row that varies in length; 0 if none does."""
        ragged = [field.lengths for field in self.fields.values() if isinstance(field, Ragged)]
        return np.max(ragged, axis=0) if ragged else np.zeros(len(self), np.int64)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """(rows,) the number of positions of each row, the most that an input of it has that may be of tokens."""
        arrays = {name: field for name, field in self.fields.items() if not isinstance(field, Ragged) and field.ndim == 2}
        whole = [field.shape[1] for name, field in arrays.items() if field.dtype.kind in "iu" or of_tokens(name, field)]
        return np.maximum(self.lengths, max(whole, default=0))

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """(rows,) the group of each row: rows of different lengths may share a batch only where a mask tells them from padding."""
        unmasked = [field.lengths for name, field in self.fields.items() if isinstance(field, Ragged) and name in self.unmasked]
        if not unmasked:
            return np.zeros(len(self), np.intp)
        return np.asarray(np.unique(np.stack(unmasked, axis=1), axis=0, return_inverse=True)[1]).reshape(-1)

    @cached_property
    def unmasked(self) -> tuple[str, ...]:
        """The inputs whose rows may differ in length and have no mask of these lengths, so that nothing would tell them from padding."""
        of_masks = {name: _lengths(self.fields.get(name)) for name in (MASK, DECODER_MASK)}
        ragged = {name: (field.lengths, of_masks[mask_of(name)]) for name, field in self.fields.items() if isinstance(field, Ragged)}
        return tuple(name for name, (lengths, of_mask) in ragged.items() if of_mask is None or not np.array_equal(lengths, of_mask))

    @property
    def may_be_padded(self) -> bool:
        """Whether all rows may share a batch."""
        return not self.groups.any()

    @cached_property
    def even(self) -> bool:
        """Whether all rows are of one length, in every input."""
        return all((field.lengths == field.lengths[:1]).all() for field in self.fields.values() if isinstance(field, Ragged))

    def padded(self) -> dict[str, NDArray[Any]]:
        """The inputs as arrays, each as long as its longest row; of at least one position, if a mask says that it does not count."""
        return {name: self.padded_field(name) for name in self.fields}

    def padded_field(self, name: str, length: int | None = None) -> NDArray[Any]:
        """One input as `padded` gives it, or padded to a length."""
        field = self.fields[name]
        if not isinstance(field, Ragged):
            return field
        longest = int(field.lengths.max(initial=0)) if length is None else length
        return field.padded((self.fill or {}).get(name, 0), max(longest, 1) if mask_of(name) in self.fields else longest)

    def plain(self) -> Any:
        """The inputs as a function takes them: a dict, or a tuple, of padded arrays."""
        arrays = self.padded()
        return arrays if self.named else tuple(arrays.values())

    def counting(self) -> Ragged | None:
        """Which of the positions that are answered count, by their mask; None if all do."""
        name = self._mask_of_answers
        mask = self.fields.get(name)
        if mask is None:
            decoder = self.fields.get(f"{DECODER}input_ids") if name == DECODER_MASK else None
            return Ragged(np.ones(len(decoder.values), bool), decoder.lengths) if isinstance(decoder, Ragged) else None
        if isinstance(mask, Ragged):
            return Ragged(mask.values != 0, mask.lengths)
        if mask.ndim != 2:
            return None
        return Ragged((mask != 0).reshape(-1), np.full(len(mask), mask.shape[1], np.int64))

    def batches(self, size: int) -> list[NDArray[np.intp]]:
        """The rows of each batch when all are answered: by length, so that little is padded; without a mask, of one length each."""
        if self.even:
            return [np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size)]
        order = np.lexsort((self.lengths, self.groups))
        groups = np.split(order, np.flatnonzero(np.diff(self.groups[order])) + 1)
        return [group[start : start + size] for group in groups for start in range(0, len(group), size)]


def mask_of(name: str) -> str:
    """The name of the mask of an input."""
    return DECODER_MASK if name.startswith(DECODER) else MASK


def padding_of(values: NDArray[Any], inside: NDArray[np.bool_]) -> float | None:
    """The one number beyond the end of each row's mask, where numbers for its positions are padding; None if they are not.

    Pictures and series that are as long as the mask by chance have other numbers there.

    Args:
        values: (rows, positions, ...) or (positions, ...).
        inside: (rows, positions) or (positions,), whether a position is before the end of its mask.
    """
    left_out = values[~inside]
    if not left_out.size:
        return 0
    padding = left_out.flat[0]
    if not np.array_equal(left_out, np.broadcast_to(padding, left_out.shape), equal_nan=values.dtype.kind == "f"):
        return None
    return float(padding) if values.dtype.kind == "f" else int(padding)


def before_end(mask: Field) -> NDArray[np.bool_]:
    """(rows, positions) or (positions,), whether each position is before the end of its mask."""
    ends = _ends(mask)
    return np.arange(mask.shape[1]) < ends[:, None] if isinstance(mask, np.ndarray) else mask.places < ends.repeat(mask.lengths)


def _ends(mask: Field) -> NDArray[np.int64]:
    """(rows,) how many positions of each row there are up to the last that counts."""
    if isinstance(mask, np.ndarray):
        ends: NDArray[np.int64] = mask.shape[1] - (mask[:, ::-1] != 0).argmax(axis=1).astype(np.int64)
        ends[~(mask != 0).any(axis=1)] = 0
        return ends
    ends, filled = np.zeros(len(mask), np.int64), mask.lengths > 0
    ends[filled] = np.maximum.reduceat(np.where(mask.values != 0, mask.places + 1, 0), mask.starts[filled])
    return ends


def _of_the_same_positions(field: Field, mask: Field) -> bool:
    """Whether an input has a number, or several, for each position of a mask."""
    if isinstance(mask, Ragged):
        return isinstance(field, Ragged) and np.array_equal(field.lengths, mask.lengths)
    return isinstance(field, np.ndarray) and field.shape[:2] == mask.shape


def _lengths(field: Field | None) -> NDArray[np.int64] | None:
    """(rows,) the number of positions of each row; None for an input without positions."""
    if isinstance(field, Ragged):
        return field.lengths
    return None if field is None or field.ndim != 2 else np.full(len(field), field.shape[1], np.int64)


def _says_of_tokens(name: str, field: Field) -> bool:
    """Whether an input of a mask's positions says something of each token; numbers of rows that differ in length as the mask does, do."""
    if isinstance(field, np.ndarray):
        return of_tokens(name, field)
    return field.values.ndim > 1 or field.values.dtype.kind in "biu" or of_tokens(name, field.values)


def of_tokens(name: str, field: NDArray[Any]) -> bool:
    """Whether an array of a mask's shape says something of each token, rather than of a row that has as many tokens by chance."""
    if field.ndim > 2:
        return True
    if field.dtype.kind == "f":
        return any(word in name.lower() for word in OF_SIGNALS)
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return any(word == "id" or word.endswith("ids") or word.startswith(("mask", "token", "pos", "word")) for word in words)


def is_structure(data: Any) -> bool:
    """Whether rows are a mapping of arrays, or a tuple of arrays or tensors with one entry of each for every row."""
    if isinstance(data, StructuredRows | Mapping):
        return not hasattr(data, "tocsr")  # SciPy's dictionaries of keys are sparse matrices
    return isinstance(data, tuple) and len(data) > 0 and all(getattr(value, "ndim", 0) >= 1 and hasattr(value, "dtype") for value in data)


def refuse_mappings(data: Any) -> None:
    """Refuse a list with a mapping for each row.

    Raises:
        BadInput: it is one, and how such rows are passed.
    """
    if isinstance(data, list | tuple) and data and isinstance(data[0], Mapping):
        names = ", ".join(f"{name!r}: [row[{name!r}] for row in rows]" for name in list(data[0])[:2])
        more = ", ..." if len(data[0]) > 2 else ""
        raise BadInput(
            f"the rows are a {type(data).__name__} of mappings; expected one mapping of lists, {{{names}{more}}}, or a Dataset whose items "
            "are such mappings."
        )


def _field(value: Any, name: str) -> Field:
    if isinstance(value, Ragged):
        return value
    if str(getattr(value, "dtype", "")) == "object" or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        value = list(value)  # such as a column of a Dataset, or an array that holds one for each row
    if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
        raise BadInput(f"the input {name!r} is itself a mapping; expected an array with one entry for each row.")
    if isinstance(value, list) and len({_length(row) for row in value}) > 1:
        return Ragged.of(value, name)
    if isinstance(value, list) and value and hasattr(value[0], "detach"):
        value = [tensor_array(row) for row in value]
    array = array_of_numbers(value, name)
    if array.ndim == 0:
        raise BadInput(f"the input {name!r} is a single {type(value).__name__}; expected an array with one entry for each row.")
    return array


def _joined(parts: Sequence[Field], name: str) -> Field:
    """The arrays of the rows of several parts."""
    whole = [part for part in parts if not isinstance(part, Ragged)]
    if len(whole) == len(parts) and len({part.shape[1:] for part in whole}) == 1:
        return np.concatenate(whole)
    if any(part.ndim < 2 for part in whole) or len({_beyond(part) for part in parts}) > 1:
        raise ShapeError(f"the rows of {name!r} differ in more than their length; expected one shape beyond it.")
    each = [
        part if isinstance(part, Ragged) else Ragged(part.reshape(-1, *part.shape[2:]), np.full(len(part), part.shape[1], np.int64))
        for part in parts
    ]
    return Ragged.joined(each)


def _beyond(part: Field) -> tuple[int, ...]:
    """The shape of a row beyond its length."""
    return part.values.shape[1:] if isinstance(part, Ragged) else part.shape[2:]


def _length(row: Any) -> int:
    return len(row) if hasattr(row, "__len__") and getattr(row, "ndim", 1) != 0 else -1
