"""Ask a teacher about every row, in parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.data.rows import as_rows
from tutelage.softlabels.labels import SoftLabels

QUERY_ROWS = 10_000
"""Rows that a teacher is asked about at a time: bounds the memory that its answers in the making take."""


def query(teacher: Teacher, X: Any) -> Floats:
    """(rows, columns) float64 answers to every row, asked in parts.

    Kept answers are asked for at once: then twins with different answers are told apart by their place.
    """
    rows = as_rows(X)
    size = rows.count if isinstance(teacher, SoftLabels) else QUERY_ROWS
    parts = [teacher.form.check(teacher.answer(part), stop - start) for start, stop, part in rows.parts(size)]
    return np.concatenate(parts).astype(np.float64, copy=False)
