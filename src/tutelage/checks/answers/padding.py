"""Check that padding changes no answer: the same row, alone and beside longer ones, must be answered alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tutelage.checks.answers.differences import HARMLESS, graded, largest_difference
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, query_sample
from tutelage.core.contracts import Teacher
from tutelage.core.position_answers import joined
from tutelage.data.structures.structured import MASK, StructuredRows

ROWS = 8
"""Rows that are asked alone."""

REMEDY = (
    f"Leave padding out by the {MASK}: in attention, in pooling (a mean over the positions that count), and in position ids. A network "
    "that finds the last token by its pad token has ids padded with its config.pad_token_id, or else with 0, or as they were in the rows: "
    "set it to the tokenizer's pad token. Or pass rows of one length."
)


IN_FRONT = (
    "Pad rows at their end (tokenizer.padding_side = 'right'), or pass position_ids that begin with the row: positions are counted from "
    "the front, and the name of a row changes with the padding before it."
)


def check_padding(teacher: Teacher, inputs: Any) -> Iterator[Finding]:
    """Query rows alone, where they are not padded, and beside the longest row, where they are padded to its length.

    Nothing is found of rows without an attention mask, which are never padded, and of a teacher whose answers depend on the other rows
    of a batch anyhow.

    Args:
        teacher: the teacher.
        inputs: the rows.
    """
    if not isinstance(inputs, StructuredRows) or MASK not in inputs.fields:
        return
    yield from _check_front(teacher, inputs)
    lengths = inputs.lengths
    shorter = np.flatnonzero((lengths > 0) & (lengths < lengths.max()))
    if not len(shorter):
        return
    by_length = shorter[np.argsort(lengths[shorter], kind="stable")]
    chosen = by_length[np.unique(np.linspace(0, len(by_length) - 1, ROWS).astype(int))]
    alone = [_asked(teacher, inputs, [place]) for place in chosen]
    beside_itself = _asked(teacher, inputs, [chosen[0], chosen[0]])
    padded = _asked(teacher, inputs, [*chosen, int(lengths.argmax())])
    if padded is None or beside_itself is None or any(each is None for each in alone):
        return  # that it fails in other batches is another check's finding
    if largest_difference(teacher.form, alone[0], beside_itself[:1]) > HARMLESS:
        return
    difference = largest_difference(teacher.form, joined(alone), padded[: len(chosen)])
    how = f"queried with {len(chosen)} rows alone, and padded to the length of a longer row"
    yield graded("padding", difference, len(chosen), how, REMEDY)


def _check_front(teacher: Teacher, inputs: StructuredRows) -> Iterator[Finding]:
    """Query rows that are padded in front, as they are and without this padding."""
    counting = inputs.counting()
    if counting is None:
        return
    begins = [int(row.values.argmax()) if row.values.any() else 0 for row in (counting[[place]] for place in range(len(inputs)))]
    chosen = [place for place, begin in enumerate(begins) if begin][:ROWS]
    if not chosen:
        return
    asked = _asked(teacher, inputs, chosen)
    alone = [_asked(teacher, _without_front(inputs[[place]], begins[place]), [0]) for place in chosen]
    if asked is None or any(each is None for each in alone):
        return
    difference = largest_difference(teacher.form, joined(alone), asked)
    how = f"queried with {len(chosen)} rows with and without the padding in front of them"
    yield graded("padding", difference, len(chosen), how, IN_FRONT)


def _without_front(row: StructuredRows, begin: int) -> StructuredRows:
    """One row without the padding before it, in every input of the mask's shape."""
    padded, shape = row.padded(), row.padded()[MASK].shape
    return StructuredRows({name: array[:, begin:] if array.shape[:2] == shape else array for name, array in padded.items()})


def _asked(teacher: Teacher, inputs: StructuredRows, places: list[Any]) -> Any:
    """The answers to some rows; None if the teacher fails."""
    found = query_sample(teacher, Sample(inputs[np.array(places)], len(places), len(inputs)))
    return None if isinstance(found, Finding) else found.answers
