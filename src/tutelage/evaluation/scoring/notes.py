"""What a reader of an evaluation's figures has to know besides, as sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arrays import Floats
from tutelage.evaluation.intervals import effective_rows
from tutelage.evaluation.metrics.agreement import as_distributions, decisions
from tutelage.evaluation.metrics.top import blocks, probability_of
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.row_scores import MOST_UNKNOWN, Settings, Target
from tutelage.evaluation.scoring.scores import Scores, left_out

MOST_OF_THE_SCALE = 0.9
"""Where one of several values has a larger share of their variance, their squared errors say nothing of the others."""


def notes_on(aligned: AlignedAnswers, by_group: Mapping[str, Scores], settings: Settings) -> tuple[str, ...]:
    """The sentences on these answers and their scores, in the order in which they are shown."""
    found = [*_on_decisions(aligned), *_on_positions(aligned), *_on_top_answers(aligned, settings)]
    if aligned.weights is not None:
        effective = effective_rows(aligned.weights)
        found.append(f"Figures are weighted; the {aligned.rows:,} rows count as {effective:,.1f} in the intervals.")
    found.append(on_units(aligned, "teacher" if aligned.truth is None else "truth"))
    if "against_truth" in by_group and aligned.task != "regression":
        found.append(left_out(aligned, by_group["against_truth"].auc))
    return tuple(note for note in found if note)


def on_units(aligned: AlignedAnswers, against: Target) -> str:
    """Which of several values the mean squared error is about, where it is about one of them; else ""."""
    target = aligned.named(against)
    if aligned.task != "regression" or target.shape[1] < 2:
        return ""
    variance = np.asarray(target, dtype=np.float64).var(axis=0)
    largest = int(variance.argmax())
    share = float(variance[largest] / variance.sum()) if variance.any() else 0.0
    if not share > MOST_OF_THE_SCALE:
        return ""
    return (
        f"The mean squared error is about value {largest} (counted from 0) of {len(variance)}, which has {100 * share:.4g} % of their "
        "variance; R2 counts each value alike."
    )


def _on_decisions(aligned: AlignedAnswers) -> list[str]:
    found = []
    for who, own, answers in (
        ("student", aligned.student_decisions, aligned.student),
        ("teacher", aligned.teacher_decisions, aligned.teacher),
    ):
        if own is not None and answers is not None:
            differ = (own != decisions(as_distributions(answers, aligned.task))).reshape(len(own), -1).any(axis=1)
            found.append(
                f"The decisions of the {who} are those of its predict; in {int(differ.sum()):,} of {len(own):,} rows its most "
                "probable class is another."
            )
    return found


def _on_positions(aligned: AlignedAnswers) -> list[str]:
    if aligned.positions is None:
        return []
    found = [f"Figures are over {aligned.positions}, and intervals over rows: the {aligned.positions} of a row are not independent."]
    positions, rows = aligned.ignored
    if positions:
        found.append(f"{positions:,} {aligned.positions} do not count: their truth is -100 or None.")
    if rows:
        found.append(f"Left out, as no position of theirs counts: {rows:,} rows.")
    return found


def _on_top_answers(aligned: AlignedAnswers, settings: Settings) -> list[str]:
    """What is not known of answers that hold the most probable classes only, and where the floor of probabilities matters."""
    found = []
    for who, answers in (("student", aligned.student), ("teacher", aligned.teacher)):
        if isinstance(answers, TopAnswers):
            found.append(
                f"The {who} gives the {answers.ids.shape[1]:,} most probable of {answers.columns:,} classes, and the others together: they "
                f"count as one class in the divergences, which are at least as large over all classes; there is no Brier score with them."
            )
    if not isinstance(aligned.truth, TopAnswers):
        return found
    for who, answers in (("student", aligned.student), ("teacher", aligned.teacher)):
        if answers is not None:
            found.append(_on_truth_outside(aligned, answers, who, settings.floor))
    return found


def _on_truth_outside(aligned: AlignedAnswers, answers: Any, who: str, floor: float) -> str:
    """What is not known of the likelihood of the truth: where its class is not among the most probable ones, or below the floor."""
    unknown = floored = 0
    losses: list[Floats] = []
    columns = answers.ids.shape[1] if isinstance(answers, TopAnswers) else answers.shape[1]
    for block in blocks(len(answers), columns):
        probabilities, known = probability_of(answers[block], aligned.truth.ids[block])
        unknown += int((~known).sum())
        floored += int((known & (probabilities < floor)).sum())
        if isinstance(answers, TopAnswers):
            most = np.where(known, probabilities, np.exp(answers.rest[block].astype(np.float64))[:, None])[:, 0]
            losses.append(-np.log(np.maximum(most, floor)))
    what = aligned.positions or "rows"
    figure = "perplexity" if aligned.positions == "tokens" else "likelihood loss"
    outside = f"In {unknown:,} of {len(answers):,} {what} the truth is not among the {who}'s most probable classes"
    if unknown > MOST_UNKNOWN * len(answers):
        least = float(np.average(np.concatenate(losses), weights=aligned.answer_weights))
        bound = f"{math.exp(least):,.4g}" if aligned.positions == "tokens" else f"{least:.4g} nats"
        return f"{outside}, too many for its {figure}, which is left out; it is at least {bound}."
    if unknown:
        return f"{outside}; there the probability of all others together counts: the {figure} of the {who} is at least what is shown."
    if floored:
        return (
            f"In {floored:,} of {len(answers):,} {what} the {who} gives the truth less than {floor:g}, which counts in its place; "
            f"the {figure} of the {who} is at least what is shown."
        )
    return ""
