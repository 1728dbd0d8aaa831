"""The choice of a setting by its validation errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.errors import BadInput


def best_setting(validation_errors: ArrayLike) -> int:
    """The index of the setting with the lowest mean validation error over seeds; the first one on ties.

    Args:
        validation_errors: (seeds, settings).

    Raises:
        BadInput: the errors are not a matrix with at least one seed and one setting.
    """
    errors = np.asarray(validation_errors, dtype=np.float64)
    if errors.ndim != 2 or 0 in errors.shape:
        raise BadInput(f"validation errors have shape {errors.shape}; expected (seeds, settings), with at least one of each.")
    return int(errors.mean(axis=0).argmin())
