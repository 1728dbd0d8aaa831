"""What every teacher must do, as a list that can be run: for each adapter, and for a teacher of your own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.data.names import row_names
from tutelage.data.rows import as_rows


def check_teacher(teacher: Any, inputs: Any, *, tolerance: float = 1e-5) -> None:
    """Prove that a teacher keeps the Teacher contract on these rows.

    It declares a form and answers in it; answers alike when asked again; answers a row alike whoever stands beside it;
    leaves the rows as they were; keeps its fingerprint.

    Args:
        teacher: any object with `form`, `fingerprint` and `answer`.
        inputs: at least two rows that it can answer.
        tolerance: how far answers of the same row in another batch may be apart, from rounding.

    Raises:
        BadInput: names what it does not keep. Its answers are not what it declares: as `AnswerForm.check`.
    """
    if not isinstance(teacher, Teacher):
        lacking = [name for name in ("form", "fingerprint", "answer") if not hasattr(teacher, name)]
        raise BadInput(f"{type(teacher).__name__} is no Teacher: it lacks {', '.join(lacking)}.")
    if not isinstance(teacher.form, AnswerForm):
        raise BadInput(f"the form of {type(teacher).__name__} is a {type(teacher.form).__name__}; expected an AnswerForm.")
    rows = as_rows(inputs)
    if rows.count < 2:
        raise BadInput("give at least two rows: whether they disturb each other is part of the list.")
    names, fingerprint, whole = row_names(inputs), teacher.fingerprint, copy.deepcopy(inputs)
    first = np.array(teacher.form.check(teacher.answer(inputs), rows.count))
    _same(first, teacher.answer(inputs), 0.0, "gives another answer when it is asked again")
    half = rows.count // 2
    parts = [teacher.answer(rows.part(0, half)), teacher.answer(rows.part(half, rows.count))]
    _same(first, np.concatenate(parts), tolerance, "answers a row differently in another batch")
    if not np.array_equal(row_names(inputs), names):
        raise BadInput(f"{type(teacher).__name__} changes the rows that it is asked about.")
    if teacher.fingerprint != fingerprint:
        raise BadInput(f"{type(teacher).__name__} changes its fingerprint by answering.")
    _same(first, teacher.answer(whole), 0.0, "answers a copy of the rows differently")


def _same(first: Any, second: Any, tolerance: float, what: str) -> None:
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.where(first == second, 0.0, np.asarray(first, dtype=np.float64) - second)).max()
    if not apart <= tolerance:
        raise BadInput(f"the teacher {what} (up to {apart:.3g} apart, allowed {tolerance:g}).")
