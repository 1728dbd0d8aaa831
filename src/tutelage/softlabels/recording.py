"""Ask a teacher once and keep the answers."""

from __future__ import annotations

from typing import Any

from tutelage.core.contracts import Teacher
from tutelage.data.names import row_names
from tutelage.data.rows import as_rows
from tutelage.softlabels.labels import SoftLabels


def record(teacher: Teacher, data: Any) -> SoftLabels:
    """Ask the teacher about every row and check what it said.

    Args:
        teacher: anything `as_teacher` gives.
        data: rows, as `as_rows` takes them and as the teacher knows them.

    Raises:
        NotProbabilities, BadInput: the answers are not what the teacher declares.
        LabelMismatch: another number of answers than rows.
    """
    rows = as_rows(data)
    inputs = rows.part(0, rows.count)
    return SoftLabels(teacher.answer(inputs), teacher.form, row_names(inputs), teacher.fingerprint)
