"""Whether two answers to the same row are equal up to rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.position_answers import Answers, PositionAnswers

ROUNDING, HALF_ROUNDING = 1e-3, 1e-2
"""The difference that counts as rounding, of probabilities and logits of magnitude 1, and relative to larger numbers.

The same row at two places of a batch differs by about 1e-6 in single precision, by more on graphics cards.
"""


def differ(first: Answers, second: Answers, form: AnswerForm, *, half: bool = False) -> NDArray[np.bool_]:
    """(rows,) whether two answers to a row differ by more than rounding, at any of its positions.

    Args:
        first: (rows, columns) answers, `TopAnswers` or `PositionAnswers`.
        second: answers to the same rows.
        form: their form. Values are compared relative to the largest of their column, since their scale is arbitrary.
        half: whether one of them was stored in half precision.
    """
    if isinstance(first, PositionAnswers) and isinstance(second, PositionAnswers):
        return _positions_differ(first, second, form, half)
    if isinstance(first, TopAnswers) and isinstance(second, TopAnswers):
        return _top_differ(first, second, HALF_ROUNDING if half else ROUNDING)
    first, second = np.asarray(first), np.asarray(second)
    scale = _sizes(first, second).max(axis=0, initial=0.0) if form.kind == "values" else np.maximum(_sizes(first, second), 1.0)
    return np.asarray((_apart(first, second) > (HALF_ROUNDING if half else ROUNDING) * scale).any(axis=1))


def _sizes(first: Floats, second: Floats) -> Floats:
    """The larger of two numbers without their signs; 1 where one of them is infinite."""
    largest = np.maximum(np.abs(first), np.abs(second))
    return np.where(np.isfinite(largest), largest, 1.0)


def _apart(first: Floats, second: Floats) -> Floats:
    """The difference in double precision, without its sign; 0 between equal infinities."""
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, np.abs(np.asarray(first, dtype=np.float64) - second))


def _positions_differ(first: PositionAnswers, second: PositionAnswers, form: AnswerForm, half: bool) -> NDArray[np.bool_]:
    different = (first.shapes != second.shapes).any(axis=1)
    same = np.flatnonzero(~different)
    one, other = first[same], second[same]
    found = differ(one.values, other.values, form, half=half)
    different[same[np.unique(one.row_of[found])]] = True
    return np.asarray(different)


ROWS_AT_A_TIME = 1000
"""Rows whose classes are compared at a time, each with each."""


def _top_differ(first: TopAnswers, second: TopAnswers, tolerance: float) -> NDArray[np.bool_]:
    """Whether a class or the rest has another log-probability. Of classes that only one of the answers names, the other says at most
    what its last class has: rounding may exchange such a class with another.
    """
    if first.top_k != second.top_k:
        return np.ones(len(first), dtype=bool)
    parts = [slice(start, start + ROWS_AT_A_TIME) for start in range(0, len(first), ROWS_AT_A_TIME)]
    found = [_unlike(first[part], second[part], tolerance) | _unlike(second[part], first[part], tolerance) for part in parts]
    return np.concatenate([*found, np.zeros(0, dtype=bool)])


def _unlike(one: TopAnswers, other: TopAnswers, tolerance: float) -> NDArray[np.bool_]:
    same = one.ids[:, :, None] == other.ids[:, None, :]
    logs, others = one.log_probs.astype(np.float64), other.log_probs.astype(np.float64)
    there = np.take_along_axis(others, same.argmax(axis=2), axis=1)
    expected = np.where(same.any(axis=2), there, np.minimum(logs, others[:, -1:]))
    pairs = [(logs, expected), (one.rest[:, None].astype(np.float64), other.rest[:, None].astype(np.float64))]
    different = [(_apart(mine, theirs) > tolerance * np.maximum(_sizes(mine, theirs), 1.0)).any(axis=1) for mine, theirs in pairs]
    return np.asarray(different[0] | different[1])
