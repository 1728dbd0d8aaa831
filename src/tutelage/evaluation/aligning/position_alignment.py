"""Answers to positions: that student and teacher answer the same ones, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.truth.position_truth import IGNORED


@dataclass(frozen=True, eq=False)
class Counted:
    """The positions that count, one row after the other.

    Attributes:
        student: (positions, classes), or `TopAnswers`.
        teacher: the same of the teacher; None without one.
        codes: (positions,) the true class of each; None if it is unknown.
        row_of: (positions,) the place of each position's row among `rows`.
        rows: the rows that have a position that counts.
        ignored: the number of positions that do not count, and of rows that have none that does.
    """

    student: Any
    teacher: Any
    codes: NDArray[np.int64] | None
    row_of: NDArray[np.intp]
    rows: NDArray[np.intp]
    ignored: tuple[int, int]


def same_positions(student: PositionAnswers, teacher: PositionAnswers) -> None:
    """Check that student and teacher answer the same positions.

    Raises:
        ShapeError: a row with other tokens, or a picture of another size.
    """
    if student.shapes.shape == teacher.shapes.shape and not np.array_equal(student.shapes, teacher.shapes):
        row = int(np.flatnonzero((student.shapes != teacher.shapes).any(axis=1))[0])
        found, expected = (" by ".join(map(str, one.shapes[row])) for one in (student, teacher))
        what = "tokens" if student.shapes.shape[1] == 1 else "pixels"
        raise ShapeError(
            f"row {row}: the student answers {found} {what} and the teacher {expected}; expected the same {what}. "
            + (
                "Two tokenizers cut a text into other tokens, which cannot be compared one by one."
                if what == "tokens"
                else "Scale the answers of one of them to the size of the other."
            )
        )


def counted(student: PositionAnswers, teacher: PositionAnswers | None, codes: NDArray[np.int64] | None) -> Counted:
    """The positions that count: all that the rows have, without those whose ground truth is to be ignored.

    Raises:
        BadInput: no position counts.
    """
    of_row = student.row_of
    values, of_teacher = student.values, None if teacher is None else teacher.values
    kept = None if codes is None else codes != IGNORED
    if kept is not None and not kept.all():
        values, of_teacher, of_row = values[kept], None if of_teacher is None else of_teacher[kept], of_row[kept]
        codes = None if codes is None else codes[kept]
    if not len(of_row):
        why = "the rows have none" if kept is None or not len(kept) else f"y is {IGNORED} or None at every one"
        raise BadInput(f"no position counts: {why}; expected at least one token or pixel with an answer to measure.")
    rows, row_of = np.unique(of_row, return_inverse=True)
    return Counted(values, of_teacher, codes, row_of, rows, (int(student.counts.sum()) - len(of_row), len(student) - len(rows)))
