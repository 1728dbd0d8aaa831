"""The rows on which the threshold of a cascade is calibrated: which of them count, and what is said of them before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput
from tutelage.data.schema import Column
from tutelage.evaluation.deployed.risk_control import least_rows
from tutelage.students.cascades.reasons import repeats_of
from tutelage.workflow.distillation.given.problem import Problem

CALIBRATION_SHARE = 0.2
"""Of the rows that are not tested on, where there is to be a cascade."""
DELTA = 0.05
"""The probability that the rate which a cascade guarantees does not hold, over draws of the calibration rows."""
DEFERRED = "deferred"
"""What files name the answer that says whether a row is left to the teacher."""


def check_cascade(problem: Problem, exports: Sequence[str]) -> None:
    """Refuse, before any work, what a cascade cannot be made of.

    Args:
        problem: teacher and rows.
        exports: endings of the files to be written.

    Raises:
        BadInput: classes have weights, or a column has the name of the answer that files add.
    """
    if problem.class_weight is not None:
        raise BadInput(
            "cascade is given together with class_weight: the students would decide by weighted probabilities, and the teacher, which "
            "answers the other rows, by its own. Leave one of them out."
        )
    columns = () if problem.schema is None or problem.is_text else problem.schema.columns
    reserved = {
        ".onnx": any(map(_has_texts, columns)) and any(one.name == DEFERRED for one in columns),
        ".sql": any((one.name or "").lower() == DEFERRED for one in columns),
    }
    for end in exports:
        if reserved.get(end):
            raise BadInput(
                f"cascade is given, and a column is named {DEFERRED!r}, as is the answer that a {end} file adds; rename the column, drop "
                "it, or export to another format."
            )


def _has_texts(column: Column) -> bool:
    """Whether a file of ONNX has an input for each column because of this one."""
    return column.type == "text" or (column.type == "category" and any(isinstance(level, str) for level in column.levels or ("",)))


def independent(problem: Problem, places: NDArray[np.intp], *, seed: int) -> NDArray[np.intp]:
    """The rows that the threshold is calibrated on: all, or one of each group, whose rows say too much of each other."""
    if problem.given.groups is None:
        return places
    drawn = np.random.default_rng(seed).permutation(places)
    return np.sort(drawn[np.unique(problem.given.groups[drawn].astype(str), return_index=True)[1]])


def check_calibration(problem: Problem, count: int, target: float) -> None:
    """Refuse calibration rows that are too few to prove a rate, whatever the student answers.

    Args:
        problem: teacher and rows.
        count: number of rows to calibrate on.
        target: the rate.

    Raises:
        BadInput: they are.
    """
    least = least_rows(target, DELTA, "all")
    if count >= least:
        return
    grouped = problem.given.groups is not None
    units, which, more = ("groups", ", one row of each group", "rows of more groups") if grouped else ("rows", "", "more rows")
    raise BadInput(
        f"there are {count:,} {units} to calibrate a cascade on; {100 * target:g} % can be guaranteed from {least:,} on. They are "
        f"{CALIBRATION_SHARE:.0%} of those that are not tested on{which}. Pass {more}, or a lower rate."
    )


def calibration_notes(problem: Problem, held_back: int, places: NDArray[np.intp]) -> Iterator[str]:
    """What the reader of a guarantee should know of the rows that it was proven on.

    Args:
        problem: teacher and rows.
        held_back: number of rows held back for it.
        places: of those that it is proven on.
    """
    given, count = problem.given, len(places)
    if not count:
        return
    if given.groups is not None:
        yield (
            f"The cascade is calibrated on {count:,} of {held_back:,} rows held back for it, one of each group, as rows of a group "
            "are not independent: what it guarantees is a rate over groups, in which each counts once."
        )
    names = problem.names["given"][places]
    repeats = repeats_of(count - len(np.unique(names)), count)
    if repeats and not problem.equal_by_chance:  # of which there is a note
        yield repeats
    if given.weights is not None:
        yield "The rates of the cascade count rows alike, whatever their weights."
    if given.times is not None:
        yield "The cascade is calibrated on the latest rows before those that are tested on: it guarantees the rate of rows like them."
    seen = int(np.isin(names, problem.names["seen"]).sum()) if problem.seen is not None else 0
    if seen:
        yield f"The teacher was trained on {seen:,} of the {count:,} calibration rows: the two may agree less often on new ones."
    held = set(given.rows.columns) if is_frame(given.rows) else set(() if problem.source is None else [problem.source["text"]])
    lacking = [name for name in problem.asked_columns if name not in held]
    if lacking:
        yield (
            f"The teacher reads {', '.join(map(repr, lacking))}, which the student does not: `tutelage serve` gives both the student's "
            "columns, so that this teacher cannot answer there the rows that the student leaves to it."
        )
