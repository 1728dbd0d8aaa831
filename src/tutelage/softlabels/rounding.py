"""Whether two answers to the same row are equal up to rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.position_answers import Answers, PositionAnswers

ROUNDING, HALF_ROUNDING = 1e-3, 1e-2
"""The difference that counts as rounding, of probabilities and logits of magnitude 1, and relative to larger numbers.

The same row at two places of a batch differs by about 1e-6 in single precision, by more on graphics cards.
"""


def differ(first: Answers, second: Answers, form: AnswerForm, *, half: bool = False) -> NDArray[np.bool_]:
    """(rows,) whether two answers to a row differ by more than rounding, at any of its positions.

    Args:
        first: (rows, columns) answers, or `PositionAnswers`.
        second: answers to the same rows.
        form: their form. Values are compared relative to the largest of their column, since their scale is arbitrary.
        half: whether one of them was stored in half precision.
    """
    if isinstance(first, PositionAnswers) and isinstance(second, PositionAnswers):
        return _positions_differ(first, second, form, half)
    first, second = np.asarray(first), np.asarray(second)
    largest = np.maximum(np.abs(first), np.abs(second))
    scale = largest.max(axis=0, initial=0.0) if form.kind == "values" else np.maximum(largest, 1.0)
    return np.asarray((np.abs(np.asarray(first, dtype=np.float64) - second) > (HALF_ROUNDING if half else ROUNDING) * scale).any(axis=1))


def _positions_differ(first: PositionAnswers, second: PositionAnswers, form: AnswerForm, half: bool) -> NDArray[np.bool_]:
    different = (first.shapes != second.shapes).any(axis=1)
    same = np.flatnonzero(~different)
    one, other = first[same], second[same]
    found = differ(one.dense(), other.dense(), form, half=half)
    different[same[np.unique(one.row_of[found])]] = True
    return np.asarray(different)
