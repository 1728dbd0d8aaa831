"""The comparison of a file of rounded weights with its student: how many decisions change, on rows of the student's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.errors import ParityError
from tutelage.core.records import Drop, Interval
from tutelage.evaluation.intervals import mean_interval, proportion_interval
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.as_given import units_of
from tutelage.exporters.proof.compare import Runtime, batches
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.subject.subject import Subject

MAX_DROP = 1.0
"""Percentage points that a file may lose unless another bound is given."""


def drop_of(
    path: Path, program: Program, subject: Subject, rows: CheckRows, runtime: Runtime, *, truth: Any = None, max_drop: float | None = None
) -> Drop:
    """What a file loses against its student.

    Args:
        path: the file.
        program: what is written in it.
        subject: the student.
        rows: rows of its own; no others are made, because it never saw their like.
        runtime: where the file runs.
        truth: the ground truth of the rows; None if it is not known.
        max_drop: percentage points that the file may lose; None for `MAX_DROP`.

    Raises:
        ParityError: it loses more, or answers with other shapes or with no numbers. BadInput: the student refuses the rows.
    """
    parts = [(subject.answers(part), runtime.answers(path, program, part)) for _, part in batches(rows)]
    ours, theirs = (_joined([pair[place] for pair in parts]) for place in (0, 1))
    if ours.values.shape != theirs.values.shape or not np.isfinite(theirs.values[np.isfinite(ours.values)]).all():
        raise ParityError(
            f"the exported file does not answer as its student does in {runtime.name}: its answers are no numbers, or of another shape; "
            "nothing was written. Choose another precision."
        )
    known = None if truth is None else subject.form.truth(truth, len(rows))
    metric, drop, interval = _loss(ours, theirs, known)
    most = MAX_DROP if max_drop is None else max_drop
    found = Drop(len(rows), metric, drop, (interval.low, interval.high), most, runtime.name)
    if drop > most:
        raise ParityError(f"the exported file loses too much: {found} Nothing was written. Choose another precision, or allow more.")
    return found


def _joined(parts: list[Answers]) -> Answers:
    decisions = [part.decisions for part in parts if part.decisions is not None]
    return Answers(np.concatenate([part.values for part in parts]), np.concatenate(decisions) if decisions else None)


def _loss(ours: Answers, theirs: Answers, truth: Any) -> tuple[str, float, Interval]:
    """What is measured, its value in percentage points, and its interval."""
    if ours.decisions is None:
        return "squared error", *_of_values(ours.values, theirs.values, truth)
    if truth is None:
        changed = (ours.decisions != theirs.decisions).reshape(len(ours.values), -1).any(axis=1)
        interval = proportion_interval(float(changed.sum()), len(changed))
        return "decisions changed", 100 * float(changed.mean()), Interval(100 * interval.low, 100 * interval.high, interval.over)
    right, kept = (np.asarray(each.decisions == truth).reshape(len(truth), -1).all(axis=1) for each in (ours, theirs))
    lost: Floats = np.where(right, 100.0, 0.0) - np.where(kept, 100.0, 0.0)
    return "accuracy", *_mean(lost, scale=100.0)


def _of_values(ours: Floats, theirs: Floats, truth: Any) -> tuple[float, Interval]:
    """The squared error of the file, relative to the variance of the answers; or what it adds to that against the truth."""
    target = ours if truth is None else truth
    units = units_of(target)
    ours, theirs, target = ours / units, theirs / units, target / units
    lost: Floats = (theirs - target) ** 2 - (ours - target) ** 2
    variance: Floats = np.maximum(target.var(axis=0), np.finfo(np.float64).tiny)
    shares: Floats = np.mean(100 * lost / variance, axis=1)
    return _mean(shares, scale=100.0)


def _mean(values: Floats, *, scale: float) -> tuple[float, Interval]:
    mean = float(values.mean())
    if len(values) < 2:
        return mean, Interval(mean, mean, "test rows")
    return mean, mean_interval(values, over="test rows", scale=scale)
