"""The rows of a comparison as they were given: a student may tell apart what a file takes as the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput
from tutelage.data.cells import beyond_exact, cells_of
from tutelage.data.schema import columns_of, listed
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import ask_rows
from tutelage.exporters.subject.subject import Subject

TOLERANCE = 1e-5
"""Largest allowed difference of a probability; of a value, relative to the larger of itself and the size of ordinary answers."""
OF_ROUNDING, LARGEST_OF_ROUNDING = 4, 100
"""Where a student itself is rounded by more, its file may differ by so many times that, and by so many tolerances at most."""
MOST = 10_000
"""Rows that are asked both ways."""


def check_as_given(subject: Subject, rows: CheckRows) -> None:
    """Refuse rows that the student answers otherwise as they were given than as a file takes them.

    A file takes numbers in double precision, and one kind of gap. Single precision is rounded in the student's own steps, whole numbers
    beyond 2**53 are told apart as categories, and scikit-learn tells None from NaN. Rows that the student refuses as they were given are
    compared as a file takes them.

    Args:
        subject: the student.
        rows: the rows of `subject.given_rows`.

    Raises:
        BadInput: answers differ by more than the tolerance, or the student refuses the rows as a file takes them alone.
    """
    if subject.given_rows is None:
        return
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST), dtype=np.int64))
    some = rows[places]
    try:
        own = ask_rows(subject.student, subject.form, _taken(subject.given_rows, places), some.numbers).values
    except BadInput:
        return
    try:
        theirs = subject.answers(some).values
    except BadInput as error:
        raise _told_apart(subject, "refuses rows of check_on as a file takes them, and not as they were given") from error
    with np.errstate(all="ignore"):
        gaps = np.abs(own - theirs) / np.maximum(sizes_of(subject.form, own), np.abs(own))
    gaps[(np.isnan(own) & np.isnan(theirs)) | (own == theirs)] = 0.0
    worst = float(np.nan_to_num(gaps, nan=np.inf).max())
    if worst > TOLERANCE:
        raise _told_apart(subject, f"answers rows of check_on differently, by {worst:.3g}, as they were given and as a file takes them")


def sizes_of(form: AnswerForm, values: Floats) -> Floats:
    """(outputs,) the size of the answers to ordinary rows, to which differences are related: 1 for probabilities."""
    if form.task != "regression":
        return np.ones(values.shape[1])
    units = units_of(values)
    sizes: Floats = units * np.sqrt(np.mean((np.where(np.isfinite(values), values, 0.0) / units) ** 2, axis=0))
    return np.where(sizes > 0, sizes, 1.0)


def units_of(values: Floats) -> Floats:
    """(outputs,) the largest of the answers, whose squares stay in double precision once they are divided by it; 1 where all are zero."""
    largest: Floats = np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=0, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _taken(given: Any, places: Any) -> Any:
    return given.iloc[places] if hasattr(given, "iloc") else given[places]


def _told_apart(subject: Subject, what: str) -> BadInput:
    """The error about a student that tells apart what a file does not, with what that may be."""
    found = _without_counterpart(subject)
    because = f": {'; '.join(found)}" if found else ""
    return BadInput(f"the {type(subject.student).__name__} {what}{because}. Convert them, in training and in check_on alike.")


_BEYOND = "whole numbers beyond 2**53, of which a file takes the nearest float64, and not texts"


def _without_counterpart(subject: Subject) -> list[str]:
    given = subject.given_rows
    if not is_frame(given):
        kind = given.dtype
        if beyond_exact(given):
            return [f"they are {_BEYOND}"]
        return [f"they are {kind}, and a file computes with float64"] if kind.kind == "f" else [f"they are of the type {kind}"]
    found: dict[str, list[str]] = {}
    for one, name, column in zip(subject.inputs, given.columns, columns_of(given), strict=True):
        what = _lost(cells_of(column, exact=True), one.kind)
        if what is not None:
            found.setdefault(what, []).append(str(name))
    return [f"{_columns(names)} {what}" for what, names in found.items()]


def _lost(cells: NDArray[Any], kind: str) -> str | None:
    """What a file does not tell of the cells of a column."""
    if beyond_exact(cells):
        return _BEYOND
    if cells.dtype.kind == "f" and cells.dtype != np.float64:
        return "numbers in single precision, and a file computes with float64"
    if cells.dtype == object and any(cell is None for cell in cells.tolist()):
        return "None in gaps, and a file does not tell None from NaN"
    return "objects, and a file takes them as numbers" if cells.dtype == object and kind == "number" else None


def _columns(names: list[str]) -> str:
    return f"column {names[0]!r} has" if len(names) == 1 else f"columns {listed(names)} have"
