"""The figures of the page, from the one set of answers to the test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.evaluation.metrics.agreement import as_distributions
from tutelage.evaluation.metrics.calibration import expected_calibration_error, reliability_curve, top_label
from tutelage.evaluation.records import AlignedAnswers
from tutelage.report.distillation.figures import ClassDisagreement, Confusion, Disagreement, Figures, Loading, Reliability
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.reporting.shown_rows import row_kind, shown_rows

BINS = 10
SHARES = (0.5, 0.9, 0.99, 1.0)


def figures_of(
    name: str, student: Floats, test: Part, form: AnswerForm, *, show_rows: int = 0, loading: tuple[Loading, ...] = ()
) -> Figures:
    """The figures of the chosen student.

    Args:
        name: of its arm.
        student: (rows, columns) its answers to the test rows, at temperature 1.
        test: the test rows, with the teacher's answers.
        form: of the answers.
        show_rows: number of rows to show of those on which student and teacher disagree most.
        loading: how to load the student's files.
    """
    teacher = test.answers if form.task == "regression" else form.probabilities(test.answers)
    aligned = AlignedAnswers(form.task, form.classes, student, teacher, test.truth)
    several = form.task == "regression" and student.shape[1] > 1  # of which one diagram would mix the units
    reliability = (
        () if test.truth is None or several else (_reliability(aligned, name, "student"), _reliability(aligned, "teacher", "teacher"))
    )
    return Figures(
        name,
        reliability,
        _confusion(aligned) if form.task in ("binary", "multiclass") else None,
        _of_values(aligned, test.units) if form.task == "regression" else _of_decisions(aligned),
        shown_rows(test.rows, aligned, most=show_rows, units=test.units),
        loading,
        weighted=test.weights is not None,
        rows=row_kind(test.rows),
    )


def _reliability(aligned: AlignedAnswers, name: str, of: Literal["student", "teacher"]) -> Reliability:
    answers, truth = np.asarray(aligned.named("teacher") if of == "teacher" else aligned.student), np.asarray(aligned.named("truth"))
    if aligned.task == "regression":
        groups = [group for group in np.array_split(np.argsort(answers, axis=None, kind="stable"), BINS) if len(group)]
        predicted, observed = (tuple(float(values.ravel()[group].mean()) for group in groups) for values in (answers, truth))
        return Reliability(name, predicted, observed, tuple(map(len, groups)))
    confidence, right = top_label(as_distributions(truth, aligned.task), as_distributions(answers, aligned.task))
    curve = reliability_curve(confidence, right, bins=BINS)
    return Reliability(name, curve.confidence, curve.outcome, curve.rows, expected_calibration_error(confidence, right))


def _confusion(aligned: AlignedAnswers) -> Confusion:
    of: Literal["truth", "teacher"] = "teacher" if aligned.truth is None else "truth"
    count = len(aligned.classes)
    counts = np.zeros((count, count), dtype=np.int64)
    np.add.at(counts, (aligned.decided(of), aligned.decided("student")), 1)
    return Confusion("ground truth" if of == "truth" else of, _names(aligned), tuple(map(tuple, counts.tolist())))


def _of_decisions(aligned: AlignedAnswers) -> Disagreement:
    student, teacher = aligned.decided("student"), aligned.decided("teacher")
    differ = student != teacher
    outcomes: Mapping[str, int] = {}
    if aligned.truth is not None:
        truth = aligned.decided("truth")[differ]
        right, as_teacher = student[differ] == truth, teacher[differ] == truth
        outcomes = {
            "only the student is right": int((right & ~as_teacher).sum()),
            "only the teacher is right": int((as_teacher & ~right).sum()),
            "both are wrong": int((~right & ~as_teacher).sum()),
        }
    of = _of_label if aligned.task == "multilabel" else _of_class
    by_class = [of(aligned, place, differ) for place in range(len(aligned.classes))]
    by_class = sorted((one for one in by_class if one.rows), key=lambda one: -one.disagree)
    return Disagreement(differ.size, int(differ.sum()), outcomes, tuple(by_class))


def _of_class(aligned: AlignedAnswers, place: int, differ: Any) -> ClassDisagreement:
    names, of_class = _names(aligned), aligned.decided("teacher") == place
    others = np.bincount(aligned.decided("student")[of_class & differ], minlength=len(names))
    return ClassDisagreement(names[place], int(of_class.sum()), int(others.sum()), names[int(others.argmax())] if others.sum() else "")


def _of_label(aligned: AlignedAnswers, place: int, differ: Any) -> ClassDisagreement:
    return ClassDisagreement(_names(aligned)[place], len(differ), int(differ[:, place].sum()))


def _of_values(aligned: AlignedAnswers, units: Floats | None) -> Disagreement:
    """The largest difference of each row, of several values in units of their spread."""
    teacher = np.asarray(aligned.named("teacher"))
    difference = np.abs(np.asarray(aligned.student) - teacher)
    difference = (difference if units is None else difference / units).max(axis=1)
    quantiles = tuple((share, float(np.quantile(difference, share))) for share in SHARES)
    spread = float(teacher.std(axis=0).max()) if units is None else None
    return Disagreement(len(difference), 0, {}, quantiles=quantiles, spread=spread, in_spreads=units is not None)


def _names(aligned: AlignedAnswers) -> tuple[str, ...]:
    return tuple(map(str, aligned.classes))
