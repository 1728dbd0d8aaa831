"""The rows of a distillation with the teacher's answers, which is asked each row once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import require
from tutelage.data.rows import as_rows
from tutelage.data.transfer import Munge
from tutelage.softlabels.querying import check_size, query
from tutelage.softlabels.recording import record
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.given.draws import Places
from tutelage.workflow.distillation.given.part import Part, part_of, units_of
from tutelage.workflow.distillation.given.problem import Problem, RowSet
from tutelage.workflow.distillation.given.split import Split, weighed_like
from tutelage.workflow.feature_guards import check_features

MADE_ROWS = 20_000
"""The most rows that are made where there is no pool."""
POOL, MADE = "rows of the pool", "made rows"


@dataclass(frozen=True, eq=False)
class MoreRows:
    """Rows without ground truth, for the arm that learns from them.

    Attributes:
        part: the rows, with the teacher's answers.
        are: what they are, `POOL` or `MADE`.
        made_from: (rows, 2) for each made row, the places of the given rows that it was made from; None for rows of the pool.
    """

    part: Part
    are: str
    made_from: Places | None = None


@dataclass(frozen=True, eq=False)
class Answered:
    """All rows, with the teacher's answers.

    Attributes:
        given: the given rows.
        test: the rows that choose nothing.
        more: rows without ground truth; None if there are none.
        notes: what the reader of the figures should know of them, as sentences.
        calibration: the rows on which the threshold of a cascade is calibrated; none without one.
        validation: the rows that settings and students are chosen on; None where each seed draws its own from `given`.
    """

    given: Part
    test: Part
    more: MoreRows | None
    notes: tuple[str, ...] = ()
    calibration: Part | None = None
    validation: Part | None = None


def check_answerable(problem: Problem) -> None:
    """Check, before any work, that numbers for all rows and classes fit into memory, and that recorded answers hold all rows.

    Raises:
        BadInput: too many classes. LabelMismatch: rows that were not recorded.
    """
    for rows in (problem.given, problem.test, problem.validation, problem.pool):
        if rows is not None:
            check_size(as_rows(rows.asked).count, problem.form)
            if problem.is_recorded:
                query(problem.teacher, rows.asked)


def answered_rows(problem: Problem, split: Split, folder: RunFolder, *, seed: int) -> Answered:
    """Ask the teacher all rows, or read what was recorded of them.

    Args:
        problem: teacher and rows.
        split: which rows are for what.
        folder: where the answers are recorded.
        seed: of the rows that are made.

    Raises:
        BadInput: a column of the rows is the ground truth, or the folder holds errors of several values in other units.
    """
    weights = split.class_weights
    answers = _answers(problem, "given", problem.given, folder)
    notes = check_features(problem.given.rows, answers, problem.form, problem.asked_columns, problem.single_truth)
    given = part_of(problem.given, answers, problem.form, truth=problem.truths["given"], class_weights=weights)
    units = units_of(given.take(split.development), problem.form)
    if units is not None:
        folder.settle_units()
    given = replace(given, units=units)

    def of(name: str, rows: RowSet) -> Part:
        answers = _answers(problem, name, rows, folder)
        return replace(part_of(rows, answers, problem.form, truth=problem.truths[name], class_weights=weights), units=units)

    test = given.take(split.test) if problem.test is None else of("test", problem.test)
    validation = None if problem.validation is None else of("validation", problem.validation)
    more = _more(problem, split, folder, seed=seed)
    if more is None:
        why = problem.cannot_make_rows
        notes.append(f"No rows were made for the teacher to label: {why}. Pass a pool of rows to see what more of them bring.")
    calibration = given.take(split.independent) if len(split.independent) else None
    return Answered(given, test, more, tuple(notes), calibration, validation)


def more_rows(problem: Problem, split: Split) -> tuple[int, str]:
    """The number of rows without ground truth that a distillation has, and what they are: 0 if there are none."""
    if problem.pool is not None:
        return len(split.pool), POOL
    return (0, "") if problem.cannot_make_rows else (min(MADE_ROWS, 5 * len(split.development)), MADE)


def _answers(problem: Problem, name: str, rows: RowSet, folder: RunFolder) -> Floats:
    """The teacher's answers to a set of rows, asked once."""
    teacher = problem.teacher
    if not problem.is_recorded:
        teacher = record(teacher, rows.asked, folder.path / "work" / "answers" / name, dtype="float64")
    return query(teacher, rows.asked)


def _more(problem: Problem, split: Split, folder: RunFolder, *, seed: int) -> MoreRows | None:
    """Rows without ground truth; none for recorded answers without a pool, and for texts."""
    count, are = more_rows(problem, split)
    if problem.pool is not None:
        pool = _part(problem, split, "pool", problem.pool, folder)
        return MoreRows(pool.take(split.pool), are)
    if not count:
        return None
    some = np.sort(np.random.default_rng(seed).permutation(split.development)[: MADE_ROWS // 2])
    made, sources = _like(problem.every_column(some), count, seed=seed)
    rows = RowSet(problem.read_of(made), as_rows(problem.asked_of(made)))
    return MoreRows(_part(problem, split, "made", rows, folder), are, some[sources])


def _part(problem: Problem, split: Split, name: str, rows: RowSet, folder: RunFolder) -> Part:
    """Rows without ground truth, weighed by the teacher's probabilities."""
    answers = _answers(problem, name, rows, folder)
    return part_of(weighed_like(problem, rows, split), answers, problem.form, class_weights=split.class_weights)


def _like(rows: Any, count: int, *, seed: int) -> tuple[Any, Places]:
    """Rows made from others, in the same kind of container, and (count, 2) the places of the two that each was made from."""
    if is_frame(rows) and not hasattr(rows, "iloc"):
        made, sources = Munge().make_with_sources(rows.to_pandas(), count, seed=seed)
        return require("polars").from_pandas(made), sources
    return Munge().make_with_sources(rows, count, seed=seed)
