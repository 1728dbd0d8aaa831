"""evaluate: a student against its teacher and the truth, every figure with its interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.evaluation.agreement import FLOOR, decision_counts, decisions
from tutelage.evaluation.alignment import align
from tutelage.evaluation.calibration import BINS, Binning, reliability_curve, top_label
from tutelage.evaluation.cost import student_cost
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.records import AlignedAnswers, ReliabilityCurve
from tutelage.evaluation.scores import Scores, Settings, as_distributions, estimates, scores
from tutelage.teachers.adapt import as_teacher

MOST_CLASSES_COUNTED = 100
"""Above so many classes the record leaves out the table of decisions, which grows with their square."""


def evaluate(
    student: Any,
    teacher: Any,
    X: Any,
    y: Any = None,
    *,
    seed: int = 0,
    name: str | None = None,
    resamples: int = 1000,
    bins: int = BINS,
    binning: Binning = "equal-width",
    floor: float = FLOOR,
    size_bytes: int | None = None,
    budget_seconds: float | None = 0.3,
) -> Evaluation:
    """Measure what a student kept and lost: accuracy, fidelity to its teacher, calibration and cost.

    Accuracy is agreement with the truth, fidelity is agreement with the teacher; decisions are the most probable
    class. A share of rows has Wilson's interval, a mean over rows Student's t, and what is neither (calibration
    error, worst class, R2) a bootstrap over rows. All are over test rows: another seed is not covered; train with
    several seeds and see `paired_difference`.

    Args:
        student: a fitted classifier (`classes_`, `predict_proba`), a regressor (`predict`), a multilabel student
            (`predict_proba` (rows, labels)), or anything that is itself a Teacher.
        teacher: a Teacher, anything `as_teacher` takes, or None.
        X: test rows that trained neither: an array, a frame, a sparse matrix, texts. Held in memory.
        y: the truth: (rows,) labels, (rows, labels) of 0 and 1 in the order of the teacher's classes (without a
            teacher the student's), or values. None if it is not known.
        seed: of the bootstrap's draws.
        name: of the student in tables; its type's name unless told.
        resamples: of the bootstrap; 1000 take about half a second for 10 000 rows, and in proportion.
        bins: of confidence, for the calibration error.
        binning: "equal-width", or "equal-mass" for as many rows in each bin.
        floor: student probabilities below it are raised to it before their logarithm is taken.
        size_bytes: of the exported file; without it the student is weighed as a pickle in memory.
        budget_seconds: about how long each of two timings may take; None leaves them out.

    Returns:
        A frozen record; print it, or read `against_truth`, `against_teacher`, `teacher_against_truth` and `cost`.

    Raises:
        LabelMismatch: student, teacher and y do not name the same classes, or differ in rows. NotProbabilities,
            ShapeError, BadInput: answers that are not what they should be, or nothing to measure against.

    Source:
        Fidelity beside accuracy: Stanton et al. 2021, "Does knowledge distillation really work?", arXiv 2106.05945.
    """
    settings = Settings(seed, resamples, bins, binning, floor)
    _check(settings)
    asked = None if teacher is None else as_teacher(teacher)
    rows = as_rows(X)
    aligned = align(student, asked, rows, y)
    told = estimates(_measured(aligned, settings), settings)
    return Evaluation(
        student=name or type(student).__name__,
        teacher=asked.fingerprint if asked is not None else None,
        task=aligned.task,
        classes=aligned.classes,
        rows=len(aligned.student),
        against_truth=told.get("against_truth", {}),
        against_teacher=told.get("against_teacher", {}),
        teacher_against_truth=told.get("teacher_against_truth", {}),
        reliability=_curves(aligned, settings),
        decisions=_decisions(aligned),
        cost=student_cost(student, _asking(student), rows, size_bytes=size_bytes, budget_seconds=budget_seconds),
        settings={"seed": seed, "resamples": resamples, "bins": bins, "binning": binning, "floor": floor},
        rows_fingerprint=aligned.rows_fingerprint,
        answers=aligned,
    )


def _check(settings: Settings) -> None:
    if settings.resamples < 100:
        raise BadInput(f"resamples is {settings.resamples}; expected at least 100 (1000 is usual).")
    if not 0 < settings.floor < 0.01:
        raise BadInput(f"floor is {settings.floor}; expected a small probability above 0, such as 1e-7.")


def _measured(aligned: AlignedAnswers, settings: Settings) -> dict[str, Scores]:
    found = {}
    if aligned.truth is not None:
        found["against_truth"] = scores(aligned, "truth", settings)
    if aligned.teacher is not None:
        found["against_teacher"] = scores(aligned, "teacher", settings)
    if aligned.truth is not None and aligned.teacher is not None:
        found["teacher_against_truth"] = scores(aligned, "truth", settings, of=aligned.teacher)
    return found


def _curves(aligned: AlignedAnswers, settings: Settings) -> dict[str, ReliabilityCurve]:
    if aligned.task == "regression":
        return {}
    student = as_distributions(aligned.student, aligned.task)
    targets = {"truth": aligned.truth, "teacher": aligned.teacher}
    return {
        against: reliability_curve(
            *top_label(as_distributions(target, aligned.task), student), bins=settings.bins, binning=settings.binning
        )
        for against, target in targets.items()
        if target is not None
    }


def _decisions(aligned: AlignedAnswers) -> tuple[tuple[int, ...], ...] | None:
    one_a_row = aligned.task in ("binary", "multiclass")
    if aligned.teacher is None or not one_a_row or len(aligned.classes) > MOST_CLASSES_COUNTED:
        return None
    counts = decision_counts(decisions(aligned.teacher), decisions(aligned.student), len(aligned.classes))
    return tuple(tuple(row) for row in np.asarray(counts).tolist())


def _asking(student: Any) -> Callable[[Any], Any]:
    """The call that is timed: the one that answers."""
    if isinstance(student, Teacher):
        return student.answer
    call: Callable[[Any], Any] = getattr(student, "predict_proba", None) or student.predict
    return call
