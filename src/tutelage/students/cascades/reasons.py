"""What is said of calibration rows that cannot be used, or show too little."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tutelage.core.arguments import one_of_type
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch
from tutelage.data.row_names import row_names
from tutelage.data.rows import Rows
from tutelage.evaluation.deployed.risk_control import Chosen, Over, least_rows, lower_bound
from tutelage.softlabels.labels import SoftLabels

REPEATED = 0.01
"""The share of calibration rows that may repeat others without a warning."""


def check_labels(labels: Any, teacher: Teacher) -> None:
    """Check that recorded answers are those of a teacher.

    Raises:
        BadInput: no soft labels. LabelMismatch: those of another teacher.
    """
    one_of_type("labels", labels, SoftLabels, "soft labels, as record or open_labels returns them")
    if labels.fingerprint != teacher.fingerprint:
        raise LabelMismatch(
            f"labels hold the answers of the teacher {labels.fingerprint}; the cascade's teacher is {teacher.fingerprint}. Pass labels "
            "that this teacher recorded, or leave labels out."
        )


def warn_of_repeats(rows: Rows) -> None:
    """Warn of calibration rows that repeat others.

    Warns:
        UserWarning: more than `REPEATED` of them do.
    """
    said = repeats_of(rows.count - len(np.unique(row_names(rows.part(0, rows.count)))), rows.count)
    if said:
        warnings.warn(said, stacklevel=3)


def repeats_of(repeats: int, rows: int) -> str:
    """What is said of calibration rows that repeat others, or "" of so few that it does not matter.

    Args:
        repeats: number of rows that repeat another.
        rows: number of calibration rows.
    """
    if repeats <= REPEATED * rows:
        return ""
    return (
        f"{repeats:,} of {rows:,} calibration rows repeat others. The guarantee counts each as a draw of its own; leave copies out, unless "
        "rows to come repeat as often."
    )


def of_student_alone(found: Chosen, target: float, delta: float, against: str, over: Over, wrong: int) -> str:
    """Why the student may answer nothing, and what to do; `wrong` is the number of all its wrong answers on the calibration rows."""
    needed = least_rows(target, delta, over)
    said = "The student answers nothing, and every row is left to the teacher."
    if found.rows < needed:
        return f"{_too_few(found.rows, target, delta, needed, over)} {said} Pass more calibration rows, or lower target."
    right = "agrees with the teacher" if against == "teacher" else "is right"
    if not wrong:
        return (
            f"the student {right} on all {found.rows:,} calibration rows, but too few of them are above the confidence where the tests "
            f"begin, which a tenth of the rows, drawn by their number, says: no rate of {target:g} is shown with probability {1 - delta:g}"
            f". {said} Pass more calibration rows, or lower target."
        )
    return (
        f"at no confidence is it shown that the student {right} often enough for a rate of {target:g} with probability {1 - delta:g}, on "
        f"{found.rows:,} calibration rows. {said} Train a better student, pass more calibration rows, or lower target."
    )


def of_teacher_alone(target: float, delta: float, wrong: int, rows: int) -> str:
    """Why not even the teacher alone reaches the target against the truth, and what to do."""
    needed = least_rows(target, delta, "all")
    if rows < needed:
        return f"{_too_few(rows, target, delta, needed, 'all')} Pass more calibration rows, or lower target."
    return (
        f"the teacher itself is right on {rows - wrong:,} of {rows:,} calibration rows, {1 - wrong / rows:.4g}: at least "
        f"{lower_bound(rows - wrong, rows, delta):.4g} with probability {1 - delta:g}, and the target is {target:g}. Lower target, use a "
        "better teacher, or ask for agreement with it (against='teacher')."
    )


def _too_few(rows: int, target: float, delta: float, needed: int, over: Over) -> str:
    takes = f"{needed:,} rows" if over == "all" else f"at least {needed:,} rows, a tenth of which only says where the tests begin,"
    return (
        f"{rows:,} calibration rows cannot show a rate of {target:g} with probability {1 - delta:g}: that takes {takes} without a wrong "
        "answer."
    )
