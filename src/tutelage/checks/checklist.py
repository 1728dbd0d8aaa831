"""What every teacher must do, as a list that can be run: for each adapter, and for a teacher of your own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tutelage.checks.determinism import ROUNDING, largest_difference
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows


def check_teacher(teacher: Any, inputs: Any, *, tolerance: float = ROUNDING) -> None:
    """Prove that a teacher keeps the Teacher contract on these rows.

    It declares a form and answers in it; answers alike when asked again, and about a copy; answers a row alike whoever
    stands beside it; never writes over the rows or over answers that it gave; keeps its fingerprint.

    Args:
        teacher: any object with `form`, `fingerprint` and `answer`.
        inputs: at least two rows that it can answer, as `as_rows` takes them.
        tolerance: how far two answers about a row may be apart, in probability (in standard deviations for values);
            rounding differs from batch to batch.

    Raises:
        BadInput: names what it does not keep. Its answers are not what it declares: as `AnswerForm.check`.
    """
    name = type(teacher).__name__
    _check_declared(teacher, name)
    rows = as_rows(inputs)
    if rows.count < 2:
        raise BadInput("give at least two rows: whether they disturb each other is part of the list.")
    asked = rows.part(0, rows.count)
    names, fingerprint, copied = row_names(asked), teacher.fingerprint, copy.deepcopy(asked)

    def same(said: Floats, what: str) -> None:
        apart = largest_difference(teacher.form, first, teacher.form.check(said, rows.count))
        if not apart <= tolerance:
            raise BadInput(f"{name} {what} (up to {apart:.3g} apart, allowed {tolerance:g}).")

    given = teacher.form.check(teacher.answer(asked), rows.count)
    first = np.array(given)
    same(teacher.answer(asked), "gives another answer when it is asked again")
    if not np.array_equal(row_names(asked), names):
        raise BadInput(f"{name} changes the rows that it is asked about; let it work on a copy.")
    same(teacher.answer(copied), "answers a copy of the rows differently")
    half = rows.count // 2
    parts = [np.array(teacher.answer(rows.part(*ends))) for ends in ((0, half), (half, rows.count))]
    same(np.concatenate(parts), "answers a row differently in another batch")
    same(given, "writes over answers that it gave before")
    if teacher.fingerprint != fingerprint:
        raise BadInput(f"{name} changes its fingerprint by answering.")


def _check_declared(teacher: Any, name: str) -> None:
    lacking = [part for part in ("form", "fingerprint", "answer") if not hasattr(teacher, part)]
    if lacking or not isinstance(teacher, Teacher):
        raise BadInput(f"{name} is no Teacher: it lacks {', '.join(lacking)}.")
    if not isinstance(teacher.form, AnswerForm):
        raise BadInput(f"the form of {name} is a {type(teacher.form).__name__}; expected an AnswerForm.")
    if not isinstance(teacher.fingerprint, str) or not teacher.fingerprint:
        raise BadInput(f"the fingerprint of {name} is {teacher.fingerprint!r}; expected a text that names it.")
