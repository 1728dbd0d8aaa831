"""Figures with intervals from aligned answers: means over rows, and figures that need the bootstrap."""

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
from tutelage.evaluation.verdicts import mean_interval, proportion_interval


@dataclass(frozen=True)
class Settings:
    """The settings on which the figures depend: seed and number of resamples, confidence bins, smallest probability."""

    seed: int = 0
    resamples: int = 1000
    bins: int = BINS
    binning: Binning = "equal-width"
    floor: float = FLOOR


@dataclass(frozen=True)
class Scores:
    """The scores of one model against one target, before intervals.

    Attributes:
        of_rows: one value per row for each figure that is a mean over rows: (rows,) booleans make a share (Wilson
            interval), numbers a mean (t interval).
        of_sums: figures whose interval needs the bootstrap.
        worst: for each worst-class figure, the class, its number of rows, and the number of rows that agree.
    """

    of_rows: Mapping[str, NDArray[Any]]
    of_sums: Mapping[str, OfSums]
    worst: Mapping[str, tuple[Any, int, int]] = field(default_factory=dict)


def as_distributions(answers: Floats, task: str) -> Floats:
    """Answers as distributions over the last axis: for multilabel, the probabilities of off and on for each label."""
    return on_off(answers) if task == "multilabel" else answers


def row_scores(aligned: AlignedAnswers, against: str, settings: Settings, *, of: Floats | None = None) -> dict[str, NDArray[Any]]:
    """The figures that are means over rows: one value per row, by name.

    Args:
        aligned: the answers.
        against: "truth" or "teacher".
        settings: only the floor is used.
        of: the answers to score; the student's by default.
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
    """All scores of one model against the truth or the teacher; arguments as for `row_scores`."""
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
        elif wrong.any():  # the labels of a row must be resampled together
            of_sums["agreement_where_teacher_is_wrong"] = lowest_rate(np.where(wrong, 0, -1), right, groups=1)
    worst = _worst(aligned, p, right)
    if worst is None:
        return Scores(means, of_sums)
    figure, counts = worst
    name = "worst_class_recall" if against == "truth" else "worst_class_agreement"
    return Scores(means, {**of_sums, name: figure}, {name: counts})


def estimates(groups: Mapping[str, Scores], settings: Settings) -> dict[str, dict[str, Estimate]]:
    """Figures with their intervals; all groups share one set of resamples."""
    figures = {f"{group} {name}": figure for group, found in groups.items() for name, figure in found.of_sums.items()}
    drawn = bootstrap_intervals(figures, seed=settings.seed, resamples=settings.resamples)
    by_group: dict[str, dict[str, Estimate]] = {}
    for group, found in groups.items():
        of_group = {name: _mean(values) for name, values in found.of_rows.items()}
        for name, figure in found.of_sums.items():
            of_group[name] = Estimate(figure.value, drawn[f"{group} {name}"], "bootstrap")
        for name, (label, count, agreed) in found.worst.items():
            of_group[name] = _worst_class(of_group[name], label, proportion_interval(agreed, count))
        if "mse" in of_group:
            of_group["rmse"] = _root(of_group["mse"])
        by_group[group] = of_group
    return by_group


def _by_row(values: NDArray[Any]) -> NDArray[Any]:
    """One value per row: the mean over labels for multilabel answers."""
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def _worst(aligned: AlignedAnswers, target: Floats, right: NDArray[np.bool_]) -> tuple[OfSums, tuple[Any, int, int]] | None:
    """The class with the lowest rate among the rows where the target decides for it; for multilabel, where the label is on.

    None if no label is on in any row.
    """
    chosen = decisions(target)
    group = np.where(chosen == 1, np.arange(chosen.shape[1]), -1) if aligned.task == "multilabel" else chosen
    classes = len(aligned.classes)
    figure = lowest_rate(group, right, groups=classes)
    sums = np.asarray(figure.features.sum(axis=0)).ravel()
    hits, counts = sums[:classes], sums[classes:]
    if not counts.any():
        return None
    worst = int(np.where(counts > 0, hits / np.maximum(counts, 1), np.inf).argmin())
    return figure, (aligned.classes[worst], int(counts[worst]), int(hits[worst]))


def _mean(values: NDArray[Any]) -> Estimate:
    if values.dtype == np.bool_:
        return Estimate(float(values.mean()), proportion_interval(int(values.sum()), len(values)), "Wilson")
    if len(values) < 2:
        return Estimate(float(values.mean()), None, "t")
    interval = mean_interval(values, over="test rows")
    return Estimate(float(values.mean()), replace(interval, low=max(interval.low, 0.0)), "t")


def _worst_class(estimate: Estimate, label: Any, of_class: Interval) -> Estimate:
    """The figure of the worst class, its interval at least as wide as the Wilson interval of that class.

    The bootstrap alone can be too narrow: with 3 of 3 rows right, every resample is right.
    """
    drawn = estimate.interval
    if drawn is None:
        return replace(estimate, of=label)
    wide = Interval(min(drawn.low, of_class.low), max(drawn.high, of_class.high), drawn.over)
    return replace(estimate, of=label, interval=wide)


def _root(mse: Estimate) -> Estimate:
    interval = mse.interval and Interval(mse.interval.low**0.5, mse.interval.high**0.5, mse.interval.over)
    return Estimate(mse.value**0.5, interval, mse.method)
