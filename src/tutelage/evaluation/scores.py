"""Figures with intervals from aligned answers: means over rows, and figures that need the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tutelage.core.answers import list_classes
from tutelage.core.arrays import Floats
from tutelage.core.records import Interval
from tutelage.evaluation.bootstrap import OfSums, bootstrap_intervals
from tutelage.evaluation.intervals import effective_rows, mean_interval, proportion_interval, rare_rows_caution, weighted_mean_interval
from tutelage.evaluation.metrics.agreement import FLOOR, as_distributions, cross_entropy, kl_nats
from tutelage.evaluation.metrics.calibration import BINS, Binning, brier
from tutelage.evaluation.metrics.ranking import Auc, mean_auc
from tutelage.evaluation.records import AlignedAnswers, Estimate
from tutelage.evaluation.resampled import calibration_error, lowest_rate, macro_f1, r_squared

Target = Literal["truth", "teacher"]
Model = Literal["student", "teacher"]


@dataclass(frozen=True)
class Settings:
    """The settings on which the figures depend: seed and number of resamples, confidence bins, smallest probability."""

    seed: int = 0
    resamples: int = 1000
    bins: int = BINS
    binning: Binning = "equal-width"
    floor: float = FLOOR

    def largest(self, figure: str) -> float | None:
        """The largest value that one row may have in a figure; None if it is not known."""
        in_nats = -math.log(self.floor)
        return {"nll_nats": in_nats, "kl_nats": in_nats, "brier": 2.0, "accuracy": 1.0, "agreement": 1.0}.get(figure)


@dataclass(frozen=True)
class Scores:
    """The scores of one model against one target, before intervals.

    Attributes:
        of_rows: one value per row for each figure that is a mean over rows: (rows,) booleans make a share (Wilson
            interval), numbers a mean (t interval).
        of_sums: figures whose interval needs the bootstrap.
        weights: (rows,) weights of the rows; None if all weigh the same.
        included: for each figure of `of_rows` that does not count every row, (rows,) whether it does.
        of_class: for each figure of a single class, the class.
        at_least: intervals of a group of rows, which the bootstrap's interval of a figure includes.
        auc: the area under the ROC curve; None if it is undefined, or not a figure of this target.
    """

    of_rows: Mapping[str, NDArray[Any]]
    of_sums: Mapping[str, OfSums]
    weights: Floats | None = None
    included: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    of_class: Mapping[str, Any] = field(default_factory=dict)
    at_least: Mapping[str, Interval] = field(default_factory=dict)
    auc: Auc | None = None


def row_scores(aligned: AlignedAnswers, against: Target, settings: Settings, *, of: Model = "student") -> dict[str, NDArray[Any]]:
    """The figures that are means over rows: one value per row, by name.

    Args:
        aligned: the answers.
        against: "truth" or "teacher".
        settings: only the floor is used.
        of: the model to score, "student" or "teacher".
    """
    answers, target = aligned.student if of == "student" else aligned.named("teacher"), aligned.named(against)
    if aligned.task == "regression":
        return {"mse": ((np.asarray(target, dtype=np.float64) - answers) ** 2).mean(axis=1)}
    p, q = as_distributions(target, aligned.task), as_distributions(answers, aligned.task)
    right = aligned.decided(against) == aligned.decided(of)
    rate = "accuracy" if against == "truth" else "agreement"
    found: dict[str, NDArray[Any]] = {rate: _by_row(right)}
    if aligned.task == "multilabel":
        found[f"subset_{rate}"] = np.asarray(right.all(axis=1))
    if against == "teacher":
        found["kl_nats"] = _by_row(kl_nats(p, q, floor=settings.floor))
    found["nll_nats"] = _by_row(cross_entropy(p, q, floor=settings.floor))
    found["brier"] = _by_row(brier(p, q))
    return found


def scores(aligned: AlignedAnswers, against: Target, settings: Settings, *, of: Model = "student") -> Scores:
    """All scores of one model against the truth or the teacher; arguments as for `row_scores`."""
    means = row_scores(aligned, against, settings, of=of)
    answers, target = aligned.student if of == "student" else aligned.named("teacher"), aligned.named(against)
    if aligned.task == "regression":
        r2 = _weighted(r_squared(target, answers), aligned.weights)
        return Scores(means, {"r2": r2} if np.isfinite(r2.value) else {}, aligned.weights)
    p, q = as_distributions(target, aligned.task), as_distributions(answers, aligned.task)
    right = aligned.decided(against) == aligned.decided(of)
    of_sums = {"ece": calibration_error(p, q, bins=settings.bins, binning=settings.binning)}
    included: dict[str, NDArray[np.bool_]] = {}
    if against == "teacher" and aligned.truth is not None:
        _add_where_teacher_is_wrong(aligned, right, means, of_sums, included)
    found = Scores(means, of_sums, aligned.weights, included)
    if against == "truth":
        found = _with_f1_and_auc(found, aligned, answers, of)
    found = _with_worst_class(found, aligned, against, right)
    return replace(found, of_sums={name: _weighted(figure, aligned.weights) for name, figure in found.of_sums.items()})


def estimates(groups: Mapping[str, Scores], settings: Settings) -> dict[str, dict[str, Estimate]]:
    """Figures with their intervals; all groups share one set of resamples."""
    figures = {f"{group} {name}": figure for group, found in groups.items() for name, figure in found.of_sums.items()}
    drawn = bootstrap_intervals(figures, seed=settings.seed, resamples=settings.resamples)
    by_group: dict[str, dict[str, Estimate]] = {}
    for group, found in groups.items():
        of_group = {}
        for name, values in found.of_rows.items():
            counted = found.included.get(name)
            weights = found.weights if found.weights is None or counted is None else found.weights[counted]
            of_group[name] = _mean(values if counted is None else values[counted], weights, settings.largest(name))
        for name, figure in found.of_sums.items():
            interval = drawn[f"{group} {name}"]
            if name in found.at_least:
                interval = _including(interval, found.at_least[name])
            of_group[name] = Estimate(figure.value, interval, "bootstrap", of=found.of_class.get(name))
        if found.auc is not None:
            of_group["auc"] = Estimate(found.auc.value, found.auc.interval, "DeLong")
        if "mse" in of_group:
            of_group["rmse"] = _root(of_group["mse"])
        by_group[group] = of_group
    return by_group


def left_out(aligned: AlignedAnswers, auc: Auc | None) -> str:
    """A sentence on the classes that the AUC leaves out, or why there is none; empty if it is complete."""
    what = "labels" if aligned.task == "multilabel" else "classes"
    if auc is None:
        return f"There is no AUC: each of the {what} has all rows or none."
    if not auc.left_out:
        return ""
    names = list_classes(tuple(aligned.classes[column] for column in auc.left_out))
    return f"The AUC leaves out the {what} {names}, which all rows have or none."


def _by_row(values: NDArray[Any]) -> NDArray[Any]:
    """One value per row: the mean over labels for multilabel answers."""
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def _add_where_teacher_is_wrong(
    aligned: AlignedAnswers,
    right: NDArray[np.bool_],
    means: dict[str, NDArray[Any]],
    of_sums: dict[str, OfSums],
    included: dict[str, NDArray[np.bool_]],
) -> None:
    name = "agreement_where_teacher_is_wrong"
    wrong = aligned.decided("truth") != aligned.decided("teacher")
    weighs = np.ones(len(wrong), dtype=bool) if aligned.weights is None else aligned.weights > 0
    if right.ndim == 1 and (wrong & weighs).any():
        means[name], included[name] = right, wrong
    elif right.ndim == 2 and wrong[weighs].any():  # the labels of a row must be resampled together
        of_sums[name] = lowest_rate(np.where(wrong, 0, -1), right, groups=1)


def _with_f1_and_auc(found: Scores, aligned: AlignedAnswers, answers: Floats, of: Model) -> Scores:
    """F1 and AUC: of the second class for two classes, else means over the classes or labels."""
    binary, classes = aligned.task == "binary", len(aligned.classes)
    truth, decided = aligned.decided("truth"), aligned.decided(of)
    on = np.asarray(aligned.named("truth")) > 0.5
    auc = mean_auc(on[:, 1:], answers[:, 1:], aligned.weights) if binary else mean_auc(on, answers, aligned.weights)
    figure = macro_f1(truth, decided, classes=classes, only_second=binary)
    value = _weighted(figure, aligned.weights).value
    if not np.isfinite(value):
        return replace(found, auc=auc)
    at_least = dict(found.at_least)
    if value in (0.0, 1.0):  # every resample says the same, however rare the class
        weights = np.ones(len(on)) if aligned.weights is None else aligned.weights
        groups = [on[:, column] for column in range(1 if binary else 0, classes)]
        rarest = min((effective_rows(weights[group]) for group in groups if weights[group].any()), default=1.0)
        at_least["f1"] = proportion_interval(value * rarest, rarest)
    of_class = {**found.of_class, **({"f1": aligned.classes[1]} if binary else {})}
    return replace(found, of_sums={**found.of_sums, "f1": figure}, of_class=of_class, at_least=at_least, auc=auc)


def _with_worst_class(found: Scores, aligned: AlignedAnswers, against: Target, right: NDArray[np.bool_]) -> Scores:
    """The class with the lowest rate among the rows where the target decides for it; for multilabel, where the label is on.

    Its interval includes the Wilson interval of that class, because the bootstrap alone can be too narrow: with 3 of 3 rows
    right, every resample is right. Nothing is added if no label is on in any row.
    """
    chosen = aligned.decided(against)
    group = np.where(chosen == 1, np.arange(chosen.shape[1]), -1) if aligned.task == "multilabel" else chosen
    weights = np.ones(len(group)) if aligned.weights is None else aligned.weights
    rates, rows = np.full(len(aligned.classes), np.inf), np.zeros(len(aligned.classes))
    for column in range(len(aligned.classes)):
        decisions = np.nonzero(group == column)
        weight = weights[decisions[0]]
        if weight.any():
            rates[column], rows[column] = np.average(right[decisions], weights=weight), effective_rows(weight)
    if not rows.any():
        return found
    name, worst = "worst_class_recall" if against == "truth" else "worst_class_agreement", int(rates.argmin())
    return replace(
        found,
        of_sums={**found.of_sums, name: lowest_rate(group, right, groups=len(aligned.classes))},
        of_class={**found.of_class, name: aligned.classes[worst]},
        at_least={**found.at_least, name: proportion_interval(min(rates[worst], 1.0) * rows[worst], rows[worst])},
    )


def _weighted(figure: OfSums, weights: Floats | None) -> OfSums:
    """The figure with each row's contributions times its weight."""
    return figure if weights is None else replace(figure, features=sparse.csr_array(sparse.diags_array(weights) @ figure.features))


def _mean(values: NDArray[Any], weights: Floats | None, largest: float | None) -> Estimate:
    rows = float(len(values)) if weights is None else effective_rows(weights)
    value = float(np.average(values, weights=weights))
    if values.dtype == np.bool_:
        return Estimate(value, proportion_interval(min(value, 1.0) * rows, rows), "Wilson")
    if rows < 2:
        return Estimate(value, None, "t")
    interval = mean_interval(values, over="test rows") if weights is None else weighted_mean_interval(values, weights)
    caution = ""
    if largest is not None:
        caution = rare_rows_caution(interval.low, interval.high, rows=int(rows), largest=largest, is_difference=False)
    return Estimate(value, replace(interval, low=max(interval.low, 0.0), caution=caution), "t")


def _including(drawn: Interval, other: Interval) -> Interval:
    return Interval(min(drawn.low, other.low), max(drawn.high, other.high), drawn.over)


def _root(mse: Estimate) -> Estimate:
    interval = mse.interval and Interval(mse.interval.low**0.5, mse.interval.high**0.5, mse.interval.over)
    return Estimate(mse.value**0.5, interval, mse.method)
