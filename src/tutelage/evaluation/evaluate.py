"""evaluate: measure a student against its teacher and the ground truth, with an interval for every figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import choice, number, seed_of, text, whole
from tutelage.core.contracts import AnsweredParts, Teacher
from tutelage.core.errors import BadInput
from tutelage.data.truth.given_truth import rows_and_truth
from tutelage.evaluation.aligning.alignment import align, as_taken
from tutelage.evaluation.by_parts import evaluate_parts
from tutelage.evaluation.cost import measure_cost
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.agreement import FLOOR, decision_counts
from tutelage.evaluation.metrics.calibration import BINNINGS, BINS, MOST_BINS, Binning, ReliabilityCurve, reliability_curve
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.notes import notes_on
from tutelage.evaluation.scoring.row_scores import Settings, Target, top_labels
from tutelage.evaluation.scoring.scores import Scores, estimates, iou_estimates, scores
from tutelage.teachers.adapt import as_teacher

MOST_RESAMPLES = 100_000
MOST_SECONDS = 3600.0

MOST_CLASSES_COUNTED = 100
"""With more classes the record leaves out the table of decisions, which grows with the square of their number."""


def evaluate(
    student: Any,
    teacher: Any,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    seed: int = 0,
    name: str | None = None,
    resamples: int = 1000,
    bins: int = BINS,
    binning: Binning = "equal-width",
    floor: float = FLOOR,
    size_bytes: int | None = None,
    budget_seconds: float | None = 0.3,
) -> Evaluation:
    """Measure a student: accuracy, fidelity to its teacher, F1, AUC, calibration, size and latency.

    Accuracy is agreement with the truth, fidelity is agreement with the teacher. The decisions are those of the student's
    `predict` where it has one, so that a tuned threshold counts, and else the most probable class; the same holds for a
    teacher that is a fitted estimator. Calibration is that of the most probable class. F1 and AUC are those of the second of
    two classes; for more classes and for labels they are means over the classes, for AUC each one against the rest.

    If the answers have positions (tokens or pixels), every figure is over all positions that count, and every interval is still over
    rows, because the positions of a row are not independent: a mean over positions gets Student's t for a ratio of sums over rows,
    and the bootstrap draws whole rows. Tokens have a perplexity besides, pixels the intersection over union of each class, and both
    the share of rows that are right at every position.

    A share of rows gets a Wilson interval, a mean over rows Student's t, the AUC DeLong's, and every other figure
    (calibration error, F1, worst class, R2) a bootstrap over rows. All intervals are over test rows: they do not cover
    another training seed (for that, train with several seeds and use `paired_difference`), and none covers another teacher.

    Args:
        student: a fitted classifier (`classes_`, `predict_proba`), a regressor (`predict`), a multilabel student
            (`predict_proba` of shape (rows, labels)), or any object that is itself a Teacher.
        teacher: a Teacher, anything that `as_teacher` accepts, or None. Or `parts(rows, labels, y)`, without X and y: they are read once,
            shard by shard, and what cannot be added up is left out, and said: AUC, and the intervals of figures that are no means over
            rows (calibration error, F1, the worst class, R2).
        X: test rows on which neither was trained: an array, a frame, a sparse matrix, texts, or several inputs as a mapping or a
            tuple, whose `labels` are the truth, or a Dataset or DataLoader, which may pair them. Held in memory.
        y: the truth: (rows,) classes, (rows, labels) of 0 and 1 in the order of the teacher's classes (of the student's
            classes without a teacher), or values; with positions the classes of each row, (tokens,) or (height, width), where -100
            does not count. None if it is not known.
        sample_weight: (rows,) weights of the rows, at least 0. Every figure is weighted. Wilson and t intervals use the
            effective number of rows, (sum of weights)^2 / sum of squared weights, DeLong's and the bootstrap the weighted
            rows. The table of `decisions` counts rows.
        seed: seed of the bootstrap's draws.
        name: name of the student in tables; the name of its type by default.
        resamples: number of bootstrap resamples; 1000 take about half a second for 10 000 rows, in proportion to both.
        bins: number of confidence bins for the calibration error.
        binning: "equal-width", or "equal-mass" for the same number of rows in each bin.
        floor: student probabilities below it are raised to it before their logarithm is taken.
        size_bytes: size of the exported file; by default the size of the student pickled in memory.
        budget_seconds: approximate time for each of two latency measurements, of three calls at least; None skips them.

    Returns:
        A frozen record; print it, or read `against_truth`, `against_teacher`, `teacher_against_truth` and `cost`.

    Raises:
        LabelMismatch: student, teacher and y do not have the same classes, or not the same number of rows.
            NotProbabilities, ShapeError, BadInput: invalid answers or weights, or nothing to measure against.

    Source:
        Fidelity in addition to accuracy: Stanton et al. 2021, "Does knowledge distillation really work?", arXiv 2106.05945.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = RandomForestClassifier(20, random_state=0).fit(X[::2], y[::2])
        >>> student = tl.SoftTree(max_leaf_nodes=4).fit(X[::2], tl.record(teacher, X[::2]))
        >>> evaluation = tl.evaluate(student, teacher, X[1::2], y[1::2], budget_seconds=None)
        >>> print("accuracy:", evaluation.against_truth["accuracy"])
        accuracy: 0.96 (0.8889 to 0.9863)
        >>> print("fidelity:", evaluation.against_teacher["agreement"])
        fidelity: 0.9733 (0.9079 to 0.9927)
    """
    settings = _checked(Settings(seed, resamples, bins, binning, floor))
    name = type(student).__name__ if name is None else text("name", name)
    size_bytes = None if size_bytes is None else whole("size_bytes", size_bytes, 1)
    budget_seconds = None if budget_seconds is None else number("budget_seconds", budget_seconds, least=0, most=MOST_SECONDS)
    if isinstance(teacher, AnsweredParts):
        _refuse_beside_parts(X=X, y=y, sample_weight=sample_weight)
        cost = partial(measure_cost, student, _answer_call(student), size_bytes=size_bytes, budget_seconds=budget_seconds)
        return evaluate_parts(student, teacher, name=name, settings=settings, most_classes=MOST_CLASSES_COUNTED, cost=cost)
    if X is None:
        raise BadInput("there are no rows to measure the student on; pass X, or parts(rows, labels, y) in place of the teacher.")
    teacher = None if teacher is None else as_teacher(teacher)
    form = getattr(student, "form", None) if teacher is None else teacher.form
    rows, y = rows_and_truth(X, y, form if isinstance(form, AnswerForm) else None)
    aligned = align(student, teacher, rows, y, sample_weight)
    by_group = _scores_by_group(aligned, settings)
    figures = estimates(by_group, settings)
    return Evaluation(
        student=name,
        teacher=teacher.fingerprint if teacher is not None else None,
        task=aligned.task,
        classes=aligned.classes,
        rows=aligned.rows,
        positions=aligned.positions,
        answers_count=len(aligned.student),
        against_truth=figures.get("against_truth", {}),
        against_teacher=figures.get("against_teacher", {}),
        teacher_against_truth=figures.get("teacher_against_truth", {}),
        iou=iou_estimates(by_group, settings),
        reliability=_curves(aligned, settings),
        decisions=_decisions(aligned),
        cost=measure_cost(student, _answer_call(student), rows, size_bytes=size_bytes, budget_seconds=budget_seconds),
        settings=asdict(settings),
        rows_fingerprint=aligned.rows_fingerprint,
        notes=notes_on(aligned, by_group, settings),
        answers=aligned,
    )


def _refuse_beside_parts(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise BadInput(f"parts hold their rows, answers and ground truth, and {name} is given too; call evaluate(student, parts).")


def _checked(settings: Settings) -> Settings:
    return Settings(
        seed_of("seed", settings.seed),
        whole("resamples", settings.resamples, 100, MOST_RESAMPLES),
        whole("bins", settings.bins, 1, MOST_BINS),
        choice("binning", settings.binning, BINNINGS),
        number("floor", settings.floor, above=0, below=0.01, hint="(1e-7 is usual)"),
    )


def _scores_by_group(aligned: AlignedAnswers, settings: Settings) -> dict[str, Scores]:
    found = {}
    if aligned.truth is not None:
        found["against_truth"] = scores(aligned, "truth", settings)
    if aligned.teacher is not None:
        found["against_teacher"] = scores(aligned, "teacher", settings)
    if aligned.truth is not None and aligned.teacher is not None:
        found["teacher_against_truth"] = scores(aligned, "truth", settings, of="teacher")
    return found


def _curves(aligned: AlignedAnswers, settings: Settings) -> dict[str, ReliabilityCurve]:
    if aligned.task == "regression":
        return {}
    against: list[Target] = [name for name in ("truth", "teacher") if getattr(aligned, name) is not None]
    return {
        name: reliability_curve(
            *top_labels(aligned, name, "student"), bins=settings.bins, binning=settings.binning, weights=aligned.answer_weights
        )
        for name in against
    }


def _decisions(aligned: AlignedAnswers) -> tuple[tuple[int, ...], ...] | None:
    single_label = aligned.task in ("binary", "multiclass")
    if aligned.teacher is None or not single_label or len(aligned.classes) > MOST_CLASSES_COUNTED:
        return None
    counts = decision_counts(aligned.decided("teacher"), aligned.decided("student"), len(aligned.classes))
    return tuple(tuple(row) for row in np.asarray(counts).tolist())


def _answer_call(student: Any) -> Callable[[Any], Any]:
    """The method whose latency is measured: the one that returns answers."""
    if isinstance(student, Teacher):
        return student.answer
    call: Callable[[Any], Any] = getattr(student, "predict_proba", None) or student.predict
    return lambda rows: call(as_taken(student, rows))
