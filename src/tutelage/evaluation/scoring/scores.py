"""Figures with intervals from aligned answers: means over rows, and figures that need the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.records import Interval
from tutelage.evaluation.intervals import effective_rows, mean_interval, proportion_interval, rare_rows_caution, weighted_mean_interval
from tutelage.evaluation.metrics.entities import Tags, entity_overlaps
from tutelage.evaluation.metrics.ranking import Auc, mean_auc
from tutelage.evaluation.records import AlignedAnswers, Estimate, RowScores
from tutelage.evaluation.scoring.bootstrap import OfSums, bootstrap_intervals
from tutelage.evaluation.scoring.resampled import calibration_of, class_iou, f1_of, lowest_rate, mean_iou, overlaps, r_squared
from tutelage.evaluation.scoring.row_scores import Model, Settings, Target, row_scores, top_labels

MOST_CLASSES_AVERAGED = 2000
"""With more classes, figures that need an answer's place among all answers, or a resample of each class, are left out."""

MOST_RANKED = 50_000_000
"""With more probabilities, all of which it sorts, there is no AUC: it would take more than half a minute."""


@dataclass(frozen=True)
class Scores:
    """The scores of one model against one target, before intervals.

    Attributes:
        of_rows: one score per row for each figure that is a mean over rows: booleans make a share (Wilson interval), numbers a mean
            (t interval).
        of_sums: figures whose interval needs the bootstrap, as functions of sums over rows.
        of_class: for each figure of a single class, the class.
        at_least: intervals of a group of rows, which the bootstrap's interval of a figure includes.
        auc: the area under the ROC curve; None if it is undefined, or not a figure of this target.
        iou: the intersection over union of each class that occurs, for pixels.
        perplexity: whether the negative log-likelihood is also given as a perplexity.
    """

    of_rows: Mapping[str, RowScores]
    of_sums: Mapping[str, OfSums]
    of_class: Mapping[str, Any] = field(default_factory=dict)
    at_least: Mapping[str, Interval] = field(default_factory=dict)
    auc: Auc | None = None
    iou: Mapping[Any, OfSums] = field(default_factory=dict)
    perplexity: bool = False


def scores(aligned: AlignedAnswers, against: Target, settings: Settings, *, of: Model = "student", ranks: bool = True) -> Scores:
    """All scores of one model against the truth or the teacher; arguments as for `row_scores`, and whether there is an AUC."""
    means = row_scores(aligned, against, settings, of=of)
    if aligned.task == "regression":
        r2 = _by_row(r_squared(aligned.side(against), aligned.side(of)), aligned)
        return Scores(means, {"r2": r2} if np.isfinite(r2.value) else {})
    right = aligned.decided(against) == aligned.decided(of)
    confidence, outcome = top_labels(aligned, against, of)
    of_sums = {"ece": _by_row(calibration_of(confidence, outcome, bins=settings.bins, binning=settings.binning), aligned)}
    if against == "teacher" and aligned.truth is not None:
        _add_where_teacher_is_wrong(aligned, right, means, of_sums)
    tells_perplexity = against == "truth" and aligned.positions == "tokens" and aligned.task != "multilabel" and "nll_nats" in means
    found = Scores(means, of_sums, perplexity=tells_perplexity)
    if len(aligned.classes) > MOST_CLASSES_AVERAGED:
        return found
    if against == "truth":
        found = _with_f1_and_auc(found, aligned, of, ranks=ranks)
    if aligned.positions == "pixels" and aligned.task != "multilabel":
        found = _with_iou(found, aligned, against, of)
    if aligned.positions == "tokens" and aligned.task != "multilabel":
        found = _with_entities(found, aligned, against, of)
    return _with_worst_class(found, aligned, against, right)


def estimates(groups: Mapping[str, Scores], settings: Settings) -> dict[str, dict[str, Estimate]]:
    """Figures with their intervals; all groups share one set of resamples."""
    figures = {f"{group} {name}": figure for group, found in groups.items() for name, figure in found.of_sums.items()}
    drawn = bootstrap_intervals(figures, seed=settings.seed, resamples=settings.resamples)
    by_group: dict[str, dict[str, Estimate]] = {}
    for group, found in groups.items():
        of_group = {name: mean_estimate(values, settings.largest(name)) for name, values in found.of_rows.items()}
        for name, figure in found.of_sums.items():
            interval = drawn[f"{group} {name}"]
            if name in found.at_least:
                interval = _including(interval, found.at_least[name])
            of_group[name] = Estimate(figure.value, interval, "bootstrap", of=found.of_class.get(name))
        if found.auc is not None:
            of_group["auc"] = Estimate(found.auc.value, found.auc.interval, "DeLong")
        if found.perplexity:
            of_group["perplexity"] = _transformed(of_group["nll_nats"], _exp)
        by_group[group] = derived(of_group)
    return by_group


def derived(figures: dict[str, Estimate]) -> dict[str, Estimate]:
    """The figures, and the root of a mean squared error."""
    return figures | ({"rmse": _transformed(figures["mse"], math.sqrt)} if "mse" in figures else {})


def iou_estimates(groups: Mapping[str, Scores], settings: Settings) -> dict[str, tuple[Estimate, ...]]:
    """The intersection over union of each class, with its interval, of the groups that have it."""
    found = {}
    for group, one in groups.items():
        if one.iou:
            named = {str(place): figure for place, figure in enumerate(one.iou.values())}
            drawn = bootstrap_intervals(named, seed=settings.seed, resamples=settings.resamples)
            found[group] = tuple(
                Estimate(figure.value, interval, "bootstrap", of=label)
                for (label, figure), interval in zip(one.iou.items(), drawn.values(), strict=True)
            )
    return found


def left_out(aligned: AlignedAnswers, auc: Auc | None) -> str:
    """A sentence on the figures and classes that are left out; empty if all are there."""
    what = "labels" if aligned.task == "multilabel" else "classes"
    if len(aligned.classes) > MOST_CLASSES_AVERAGED:
        return f"F1, AUC and the worst class are left out: there are {len(aligned.classes):,} {what}, more than {MOST_CLASSES_AVERAGED:,}."
    if isinstance(aligned.student, TopAnswers):
        return "There is no AUC: only the most probable classes of each answer are known."
    if not _ranks(aligned.student):
        return f"There is no AUC: it would sort {aligned.student.size:,} probabilities, more than {MOST_RANKED:,}."
    if auc is None:
        return f"There is no AUC: each of the {what} has all {aligned.positions or 'rows'} or none."
    if not auc.left_out:
        return ""
    names = list_classes(tuple(aligned.classes[column] for column in auc.left_out))
    return f"The AUC leaves out the {what} {names}, which all {aligned.positions or 'rows'} have or none."


def _by_row(figure: OfSums, aligned: AlignedAnswers) -> OfSums:
    """The figure with what each row contributes, times its weight."""
    return replace(figure, features=aligned.summed(figure.features), averaged=aligned.row_of is not None)


def _add_where_teacher_is_wrong(
    aligned: AlignedAnswers, right: NDArray[np.bool_], means: dict[str, RowScores], of_sums: dict[str, OfSums]
) -> None:
    name = "agreement_where_teacher_is_wrong"
    wrong = aligned.decided("truth") != aligned.decided("teacher")
    weighs = np.ones(len(wrong), dtype=bool) if aligned.answer_weights is None else aligned.answer_weights > 0
    if right.ndim == 1 and (wrong & weighs).any():
        means[name] = aligned.by_row(right, wrong)
    elif right.ndim == 2 and wrong[weighs].any():  # the labels of a row must be resampled together
        of_sums[name] = _by_row(lowest_rate(np.where(wrong, 0, -1), right, groups=1), aligned)


def _with_f1_and_auc(found: Scores, aligned: AlignedAnswers, of: Model, *, ranks: bool) -> Scores:
    """F1 and AUC: of the second class for two classes, else means over the classes or labels."""
    binary, classes = aligned.task == "binary", len(aligned.classes)
    truth, decided, answers = aligned.decided("truth"), aligned.decided(of), aligned.side(of)
    on = truth == 1 if truth.ndim == 2 else truth[:, None] == np.arange(classes)
    first = 1 if binary else 0
    auc = None
    if ranks and _ranks(answers):
        auc = mean_auc(on[:, first:], answers[:, first:], aligned.weights, aligned.row_of)
    figure = _by_row(f1_of(overlaps(truth, decided, classes), only_second=binary), aligned)
    value = figure.value
    if not np.isfinite(value):
        return replace(found, auc=auc)
    at_least = dict(found.at_least)
    if value in (0.0, 1.0):  # every resample says the same, however rare the class
        rows = [aligned.effective_rows_of(on[:, column]) for column in range(first, classes)]
        rarest = min((each for each in rows if each), default=1.0)
        at_least["f1"] = proportion_interval(value * rarest, rarest)
    of_class = {**found.of_class, **({"f1": aligned.classes[1]} if binary else {})}
    return replace(found, of_sums={**found.of_sums, "f1": figure}, of_class=of_class, at_least=at_least, auc=auc)


def _ranks(answers: Any) -> bool:
    """Whether the probabilities of each class are sorted for the AUC."""
    return not isinstance(answers, TopAnswers) and answers.size <= MOST_RANKED


def _with_iou(found: Scores, aligned: AlignedAnswers, against: Target, of: Model) -> Scores:
    """The intersection over union of each class that occurs, and its mean over these classes."""
    classes = len(aligned.classes)
    features = overlaps(aligned.decided(against), aligned.decided(of), classes)
    of_class = {aligned.classes[column]: _by_row(class_iou(features, column), aligned) for column in range(classes)}
    occurring = {label: figure for label, figure in of_class.items() if np.isfinite(figure.value)}
    return replace(found, of_sums={**found.of_sums, "mean_iou": _by_row(mean_iou(features), aligned)}, iou=occurring)


def _with_entities(found: Scores, aligned: AlignedAnswers, against: Target, of: Model) -> Scores:
    """F1 of the entities that tokens form together, where the classes are tags such as B-PER, I-PER and O."""
    tags = Tags.of(aligned.classes)
    if tags is None or aligned.row_of is None:
        return found
    features = entity_overlaps(tags, aligned.decided(against), aligned.decided(of), aligned.row_of)
    figure = _by_row(f1_of(features), aligned)
    if not np.isfinite(figure.value):
        return found
    at_least = dict(found.at_least)
    if figure.value in (0.0, 1.0):  # every resample says the same, however few rows have entities
        rows = aligned.effective_rows_of(features[:, [1]].toarray()[:, 0] > 0)
        at_least["entity_f1"] = proportion_interval(figure.value * rows, rows)
    return replace(found, of_sums={**found.of_sums, "entity_f1": figure}, at_least=at_least)


def _with_worst_class(found: Scores, aligned: AlignedAnswers, against: Target, right: NDArray[np.bool_]) -> Scores:
    """The class with the lowest rate among the answers where the target decides for it; for multilabel, where the label is on.

    Its interval includes that of this class alone (Wilson's, or of positions Student's t over rows), because the bootstrap alone can be
    too narrow: with 3 of 3 rows right, every resample is right. Nothing is added if no label is on in any row.
    """
    chosen = aligned.decided(against)
    group = np.where(chosen == 1, np.arange(chosen.shape[1]), -1) if aligned.task == "multilabel" else chosen
    weights = np.ones(len(group)) if aligned.answer_weights is None else aligned.answer_weights
    rates = np.full(len(aligned.classes), np.inf)
    for column in range(len(aligned.classes)):
        decisions = np.nonzero(group == column)
        weight = weights[decisions[0]]
        if weight.any():
            rates[column] = np.average(right[decisions], weights=weight)
    if not np.isfinite(rates).any():
        return found
    name, worst = "worst_class_recall" if against == "truth" else "worst_class_agreement", int(rates.argmin())
    decisions = np.nonzero(group == worst)
    return replace(
        found,
        of_sums={**found.of_sums, name: _by_row(lowest_rate(group, right, groups=len(aligned.classes)), aligned)},
        of_class={**found.of_class, name: aligned.classes[worst]},
        at_least={**found.at_least, name: _interval_of_class(aligned, decisions[0], right[decisions], float(rates[worst]))},
    )


def _interval_of_class(aligned: AlignedAnswers, answers: NDArray[np.intp], right: NDArray[np.bool_], rate: float) -> Interval:
    """The interval of the rate of one class.

    Args:
        aligned: all answers.
        answers: the answers that belong to the class, ascending.
        right: whether each of them is right.
        rate: their weighted mean.
    """
    rows = aligned.effective_rows_of(answers)
    if aligned.row_of is not None and rows >= 2:
        included, values = np.zeros((2, len(aligned.student)), dtype=bool)
        included[answers], values[answers] = True, right
        interval = mean_estimate(aligned.by_row(values, included), 1.0).interval
        return replace(interval, caution="") if interval is not None else proportion_interval(min(rate, 1.0) * rows, rows)
    return proportion_interval(min(rate, 1.0) * rows, rows)


def mean_estimate(scores: RowScores, largest: float | None) -> Estimate:
    """The mean of scores of rows with its interval: Wilson's for booleans, else Student's t."""
    values, weights, value = scores.values, scores.weights, scores.mean
    rows = float(len(values)) if weights is None else effective_rows(weights)
    if values.dtype == np.bool_:
        return Estimate(value, proportion_interval(min(value, 1.0) * rows, rows), "Wilson")
    if rows < 2:
        return Estimate(value, None, "t")
    interval = mean_interval(values, over="test rows") if weights is None else weighted_mean_interval(values, weights)
    return Estimate(value, bounded_interval(interval, largest, rows), "t")


def bounded_interval(interval: Interval, largest: float | None, rows: float) -> Interval:
    """The interval of a mean of scores from 0 on, with a caution if rare rows may have been missed.

    Args:
        interval: of the mean.
        largest: the largest score that a row may have; None if it is not known.
        rows: the effective number of rows.
    """
    caution = ""
    if largest is not None:
        caution = rare_rows_caution(interval.low, interval.high, rows=int(rows), largest=largest, is_difference=False)
    high = min(interval.high, 1.0) if largest == 1.0 else interval.high
    return replace(interval, low=max(interval.low, 0.0), high=high, caution=caution)


def _including(drawn: Interval, other: Interval) -> Interval:
    return Interval(min(drawn.low, other.low), max(drawn.high, other.high), drawn.over)


def _transformed(figure: Estimate, change: Any) -> Estimate:
    """A rising function of a figure, and of the ends of its interval."""
    interval = figure.interval and Interval(change(figure.interval.low), change(figure.interval.high), figure.interval.over)
    return Estimate(change(figure.value), interval, figure.method)


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
