"""The threshold of a cascade: which rows a student's file leaves to the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.errors import BadInput
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.cascades.models import student_of
from tutelage.students.saved.cascades import AbsentTeacher
from tutelage.teachers.adapt import as_teacher

_RATES = {
    ("all", "teacher"): "of all answers, of student and teacher, are those that the teacher gives",
    ("all", "truth"): "of all answers, of student and teacher, are right",
    ("student", "teacher"): "of the student's own answers are those that the teacher gives",
    ("student", "truth"): "of the student's own answers are right",
}


def with_threshold(student: Any, guarantee: Guarantee, teacher: Any = None) -> Cascade:
    """A cascade of a student whose threshold is known.

    Args:
        student: fitted.
        guarantee: what its calibration proved.
        teacher: that of the calibration; None for a cascade without it.
    """
    found = Cascade(student, teacher, target=guarantee.target, delta=guarantee.delta, against=guarantee.against, over=guarantee.over)
    opened = as_teacher(student)
    behind = AbsentTeacher(opened.form.as_kind("probabilities"), guarantee.teacher) if teacher is None else as_teacher(teacher)
    return found.calibrated(student_of(opened, behind), behind, guarantee)


def with_any_threshold(student: Any, teacher: str) -> Cascade:
    """The same with a threshold that is not known yet: its file is as large and as slow as that of any.

    Args:
        student: fitted.
        teacher: fingerprint of the teacher.
    """
    longest = 0.12345678901234567
    return with_threshold(student, Guarantee(longest, longest, longest, "teacher", "student", *(10**7,) * 4, teacher))


def student_to_write(given: Any) -> tuple[Any, Guarantee | None]:
    """The student that a file is written of, and the guarantee of its threshold; None unless it is part of a cascade.

    Raises:
        BadInput: the student of a cascade may answer no row.
    """
    if not isinstance(given, Cascade):
        return given, None
    guarantee = given.guarantee_
    if guarantee.threshold is None:
        raise BadInput(
            f"this cascade leaves every row to its teacher: at a target of {100 * guarantee.target:g} % its student may answer none. Lower "
            "the target or pass more calibration rows; or export the student itself, without a threshold."
        )
    return given.student, guarantee


def deferred_rows(probabilities: Floats, task: str, threshold: float) -> NDArray[np.bool_]:
    """(rows,) whether a row is left to the teacher: its confidence is below the threshold, or no number."""
    return ~(confidence_of(probabilities, task) >= threshold)


def rounded_up(threshold: float, kind: Any) -> float:
    """The least number of a type that is not below the threshold: numbers of that type reach both or neither.

    Example:
        >>> import numpy as np
        >>> rounded_up(0.9, np.float32) >= 0.9, rounded_up(0.9, np.float64)
        (True, 0.9)
    """
    near = np.asarray(threshold, dtype=kind)
    return float(near if float(near) >= threshold else np.nextafter(near, np.asarray(np.inf, dtype=kind)))


def about_threshold(guarantee: Guarantee | None) -> list[str]:
    """What a file says of its threshold, as sentences; nothing if it has none."""
    if guarantee is None or guarantee.threshold is None:
        return []
    rate = _RATES[guarantee.over, guarantee.against]
    count = f"{guarantee.rows:,}"
    like = f"groups like those of the {count} rows, one of each, that" if guarantee.over_groups else f"rows like the {count}"
    return [
        f"It defers rows of a confidence below {guarantee.threshold:.6g} to the teacher: with probability "
        f"{100 * (1 - guarantee.delta):g} %, at least {100 * guarantee.target:g} % {rate}, on {like} "
        f"it was calibrated on. Rows that come from elsewhere are not covered."
    ]
