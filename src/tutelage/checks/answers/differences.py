"""How far two sets of answers to the same rows are apart, and what a difference is worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.checks.findings import Finding
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.position_answers import PositionAnswers

ROUNDING = 1e-5
"""The largest difference that another order of float32 additions explains."""

HARMLESS = 1e-3
"""The largest difference in probability (in standard deviations for values) without effect on a student."""


def largest_difference(form: AnswerForm, first: Any, second: Any) -> float:
    """The largest difference between two sets of answers: in probability, or in standard deviations of the first for values.

    Infinite where rows have answers to other positions.
    """
    if isinstance(first, PositionAnswers):
        if not np.array_equal(first.shapes, second.shapes):
            return float("inf")
        return largest_difference(form.of_each_position, first.values, second.values)
    if not len(first):
        return 0.0
    if isinstance(first, TopAnswers):
        return _of_top(first, second)
    if form.kind == "values":
        scale = float(first.std()) or 1.0
        return float(np.abs(first - second).max()) / scale
    return float(np.abs(form.probabilities(first) - form.probabilities(second)).max())


def _of_top(first: TopAnswers, second: TopAnswers) -> float:
    """That of the most probable classes: by class, whatever the order of equal ones, and of the rest."""
    if first.ids.shape != second.ids.shape:
        return float("inf")
    orders = [np.argsort(each.ids, axis=1) for each in (first, second)]
    ids, other = (np.take_along_axis(each.ids, order, axis=1) for each, order in zip((first, second), orders, strict=True))
    p, q = (
        np.exp(np.take_along_axis(each.log_probs.astype(np.float64), order, axis=1))
        for each, order in zip((first, second), orders, strict=True)
    )
    by_class = np.where(ids == other, np.abs(p - q), np.maximum(p, q))
    rest = np.abs(np.exp(first.rest.astype(np.float64)) - np.exp(second.rest.astype(np.float64)))
    return float(max(by_class.max(), rest.max()))


def graded(check: str, difference: float, count: int, how: str, remedy: str) -> Finding:
    """A finding about answers that should be equal.

    Args:
        check: its name.
        difference: from `largest_difference`.
        count: number of rows.
        how: how the teacher was queried.
        remedy: what to do about a difference that matters.
    """
    figure = {"largest difference": difference, "rows": count}
    if difference <= ROUNDING:
        return Finding(check, "ok", figure, f"{how}, the teacher gives the same answers.")
    if difference <= HARMLESS:
        sentence = f"{how}, the teacher's answers differ by up to {difference:.1e}: rounding, which does not affect a student."
        return Finding(check, "note", figure, sentence)
    if not np.isfinite(difference):
        return Finding(check, "error", figure, f"{how}, the teacher answers other positions.", remedy)
    return Finding(check, "error", figure, f"{how}, the teacher's answers differ by up to {difference:.2g}.", remedy)
