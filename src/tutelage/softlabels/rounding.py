"""Whether two answers to the same row are equal up to rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats

ROUNDING, HALF_ROUNDING = 1e-3, 1e-2
"""The difference that counts as rounding, of probabilities and logits of magnitude 1, and relative to larger numbers.

The same row at two places of a batch differs by about 1e-6 in single precision, by more on graphics cards.
"""


def differ(first: Floats, second: Floats, form: AnswerForm, *, half: bool = False) -> NDArray[np.bool_]:
    """(rows,) whether two answers to a row differ by more than rounding.

    Args:
        first: (rows, columns) answers.
        second: (rows, columns) answers to the same rows.
        form: their form. Values are compared relative to the largest of their column, since their scale is arbitrary.
        half: whether one of them was stored in half precision.
    """
    largest = np.maximum(np.abs(first), np.abs(second))
    scale = largest.max(axis=0, initial=0.0) if form.kind == "values" else np.maximum(largest, 1.0)
    return np.asarray((np.abs(np.asarray(first, dtype=np.float64) - second) > (HALF_ROUNDING if half else ROUNDING) * scale).any(axis=1))
