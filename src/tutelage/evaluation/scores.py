"""From answers to figures with intervals: what is a mean over rows, and what must be resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.records import Interval
from tutelage.evaluation.agreement import FLOOR, agrees, cross_entropy, decisions, kl_nats, on_off
from tutelage.evaluation.bootstrap import OfSums, bootstrap_intervals
from tutelage.evaluation.calibration import BINS, Binning, brier
from tutelage.evaluation.records import AlignedAnswers, Estimate
from tutelage.evaluation.resampled import calibration_error, lowest_rate, r_squared
from tutelage.evaluation.significance import mean_interval, proportion_interval


@dataclass(frozen=True)
class Settings:
    """What the figures depend on beside the answers: draws of the bootstrap, bins of confidence, the least probability."""

    seed: int = 0
    resamples: int = 1000
    bins: int = BINS
    binning: Binning = "equal-width"
    floor: float = FLOOR


@dataclass(frozen=True)
class Scores:
    """One answerer against one target, before intervals.

    Attributes:
        of_rows: means over rows: (rows,) truth values are shares (Wilson), numbers are averaged (t).
        of_sums: figures that must be resampled.
        worst: the class that a figure is about, and how many rows of it there are and how many agree.
    """

    of_rows: Mapping[str, NDArray[Any]]
    of_sums: Mapping[str, OfSums]
    worst: Mapping[str, tuple[Any, int, int]] = field(default_factory=dict)


def as_distributions(answers: Floats, task: str) -> Floats:
    """Answers with a distribution on the last axis: multilabel ones as off and on."""
    return on_off(answers) if task == "multilabel" else answers


def row_scores(aligned: AlignedAnswers, against: str, settings: Settings, *, of: Floats | None = None) -> dict[str, NDArray[Any]]:
    """The figures that are means over rows, one value a row, by name.

    Args:
        aligned: the answers.
        against: "truth" or "teacher".
        settings: the floor counts here.
        of: whose answers are scored; the student's unless told.
    """
    student, target = aligned.student if of is None else of, aligned.named(against)
    if aligned.task == "regression":
        return {"mse": ((np.asarray(target, dtype=np.float64) - student) ** 2).mean(axis=1)}
    p, q = as_distributions(target, aligned.task), as_distributions(student, aligned.task)
    right = agrees(p, q)
    rate = "accuracy" if against == "truth" else "agreement"
    found: dict[str, NDArray[Any]] = {rate: _by_row(right)}
    if aligned.task == "multilabel":
        found[f"subset_{rate}"] = np.asarray(right.all(axis=1))
    if against == "teacher":
        found["kl_nats"] = _by_row(kl_nats(p, q, floor=settings.floor))
    found["nll_nats"] = _by_row(cross_entropy(p, q, floor=settings.floor))
    found["brier"] = _by_row(brier(p, q))
    return found


def scores(aligned: AlignedAnswers, against: str, settings: Settings, *, of: Floats | None = None) -> Scores:
    """Everything that is measured of one answerer against the truth or the teacher; arguments as `row_scores`."""
    means = row_scores(aligned, against, settings, of=of)
    student, target = aligned.student if of is None else of, aligned.named(against)
    if aligned.task == "regression":
        r2 = r_squared(target, student)
        return Scores(means, {"r2": r2} if np.isfinite(r2.value) else {})
    return _scores_of_decisions(aligned, against, settings, means=means, student=student)


def _scores_of_decisions(
    aligned: AlignedAnswers, against: str, settings: Settings, *, means: dict[str, NDArray[Any]], student: Floats
) -> Scores:
    target = aligned.named(against)
    p, q = as_distributions(target, aligned.task), as_distributions(student, aligned.task)
    right = agrees(p, q)
    of_sums = {"ece": calibration_error(p, q, bins=settings.bins, binning=settings.binning)}
    if against == "teacher" and aligned.truth is not None:
        wrong = ~agrees(as_distributions(aligned.truth, aligned.task), p)
        if wrong.any() and right.ndim == 1:
            means["agreement_where_teacher_is_wrong"] = right[wrong]
        elif wrong.any():  # labels of one row are not drawn apart
            of_sums["agreement_where_teacher_is_wrong"] = lowest_rate(np.where(wrong, 0, -1), right, groups=1)
    worst = _worst(aligned, p, right)
    if worst is None:
        return Scores(means, of_sums)
    figure, about = worst
    name = "worst_class_recall" if against == "truth" else "worst_class_agreement"
    return Scores(means, {**of_sums, name: figure}, {name: about})


def estimates(groups: Mapping[str, Scores], settings: Settings) -> dict[str, dict[str, Estimate]]:
    """Figures with their intervals: the groups share one set of resamples."""
    figures = {f"{group} {name}": figure for group, found in groups.items() for name, figure in found.of_sums.items()}
    drawn = bootstrap_intervals(figures, seed=settings.seed, resamples=settings.resamples)
    told: dict[str, dict[str, Estimate]] = {}
    for group, found in groups.items():
        of_group = {name: _mean(values) for name, values in found.of_rows.items()}
        for name, figure in found.of_sums.items():
            of_group[name] = Estimate(figure.value, drawn[f"{group} {name}"], "bootstrap")
        for name, (label, met, agreed) in found.worst.items():
            of_group[name] = _about(of_group[name], label, proportion_interval(agreed, met))
        if "mse" in of_group:
            of_group["rmse"] = _root(of_group["mse"])
        told[group] = of_group
    return told


def _by_row(values: NDArray[Any]) -> NDArray[Any]:
    """One value a row: the mean over labels where there are several."""
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def _worst(aligned: AlignedAnswers, target: Floats, right: NDArray[np.bool_]) -> tuple[OfSums, tuple[Any, int, int]] | None:
    """The class that fares worst of the rows where the target decides for it; a label counts where it is on.

    None if no label is ever on.
    """
    chosen = decisions(target)
    group = np.where(chosen == 1, np.arange(chosen.shape[1]), -1) if aligned.task == "multilabel" else chosen
    classes = len(aligned.classes)
    figure = lowest_rate(group, right, groups=classes)
    sums = np.asarray(figure.features.sum(axis=0)).ravel()
    hits, met = sums[:classes], sums[classes:]
    if not met.any():
        return None
    worst = int(np.where(met > 0, hits / np.maximum(met, 1), np.inf).argmin())
    return figure, (aligned.classes[worst], int(met[worst]), int(hits[worst]))


def _mean(values: NDArray[Any]) -> Estimate:
    if values.dtype == np.bool_:
        return Estimate(float(values.mean()), proportion_interval(int(values.sum()), len(values)), "Wilson")
    if len(values) < 2:
        return Estimate(float(values.mean()), None, "t")
    interval = mean_interval(values, over="test rows")
    return Estimate(float(values.mean()), replace(interval, low=max(interval.low, 0.0)), "t")


def _about(estimate: Estimate, label: Any, of_class: Interval) -> Estimate:
    """The worst class's figure; no surer than the rows of that class alone allow (of 3 right in 3 no resample errs)."""
    drawn = estimate.interval
    if drawn is None:
        return replace(estimate, of=label)
    wide = Interval(min(drawn.low, of_class.low), max(drawn.high, of_class.high), drawn.over)
    return replace(estimate, of=label, interval=wide)


def _root(mse: Estimate) -> Estimate:
    interval = mse.interval and Interval(mse.interval.low**0.5, mse.interval.high**0.5, mse.interval.over)
    return Estimate(mse.value**0.5, interval, mse.method)
