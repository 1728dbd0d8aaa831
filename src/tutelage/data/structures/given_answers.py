"""Answers by position as others than networks give them, such as a function, a file or an array: with padding or without."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import real_numbers
from tutelage.core.errors import ShapeError
from tutelage.core.position_answers import Answers, PositionAnswers, checked
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import DECODER, StructuredRows


def checked_answers(form: AnswerForm, answers: Any, rows: Any, count: int, what: str = "the teacher's answers") -> Answers:
    """Answers to rows after checking that they have a form, without those to padding and to what the attention mask leaves out.

    Args:
        form: of the answers.
        answers: as `checked` takes them. For rows with an attention mask, arrays of tokens may be padded as far as the rows are.
        rows: the rows that were asked, as the teacher got them.
        count: their number.
        what: the subject of error messages.

    Raises:
        ShapeError, LabelMismatch, NotProbabilities, BadInput: as `checked`; a row with another number of answers than positions.
    """
    counting = rows.counting() if isinstance(rows, StructuredRows) and form.positions == "tokens" else None
    if counting is None or isinstance(answers, PositionAnswers) or not _has_rows(answers, count):
        return checked(form, answers, count, what)
    longest = int(counting.lengths.max(initial=0))
    found = [real_numbers(row, what) for row in answers]
    if any(array.ndim != 2 for array in found):
        return checked(form, answers, count, what)  # which says what is expected
    kept = [without_padding(array, counting, row, (longest, *width_of(rows, row)), what, "answers") for row, array in enumerate(found)]
    return checked(form, PositionAnswers.of_rows(kept), count, what)


def position_counts(rows: Any) -> NDArray[np.int64] | None:
    """(rows,) how many positions the rows have that count; None if the inputs do not say: then all rows are alike."""
    if not isinstance(rows, StructuredRows):
        return None
    counting = rows.counting()
    if counting is not None:
        return np.bincount(np.repeat(np.arange(len(counting)), counting.lengths)[counting.values], minlength=len(counting))
    of_decoder = any(name.startswith(DECODER) for name in rows.fields)  # whose lengths would be in `counting`
    return rows.lengths if rows.lengths.any() and not of_decoder else None


def width_of(rows: StructuredRows, row: int) -> tuple[int, ...]:
    """How many positions a row had with its padding; nothing if it had none."""
    return () if rows.widths is None else (int(rows.widths[row]),)


def without_padding(values: NDArray[Any], counting: Ragged, row: int, widths: tuple[int, ...], what: str, things: str) -> NDArray[Any]:
    """What belongs to the positions of a row that count.

    Args:
        values: (tokens, ...) one for each position that the row has, or counts, or has with its padding.
        counting: which positions of each row count.
        row: the row.
        widths: how many positions the row may have with its padding.
        what: the subject of the error.
        things: what the values are.

    Raises:
        ShapeError: another number.
    """
    counts: NDArray[np.bool_] = counting[[row]].values
    if len(values) == len(counts) or (len(values) in widths and len(values) > len(counts)):
        return np.asarray(values[: len(counts)][counts])
    if len(values) == counts.sum():
        return values
    raise ShapeError(f"row {row} of {what} has {len(values)} {things}, and the row has {len(counts)} positions; expected one for each.")


def _has_rows(answers: Any, count: int) -> bool:
    """Whether the answers are an array, or a list, with as many rows as were asked."""
    if isinstance(answers, list | tuple):
        return len(answers) == count and not np.isscalar(answers[0])
    return getattr(answers, "ndim", 0) > 0 and len(answers) == count
