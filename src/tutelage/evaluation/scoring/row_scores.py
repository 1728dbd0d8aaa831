"""The figures that are means over rows, or over the positions of rows: one score for each row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arrays import Floats
from tutelage.evaluation.metrics.agreement import FLOOR, as_distributions, cross_entropy, kl_nats
from tutelage.evaluation.metrics.calibration import BINS, Binning, brier, top_label
from tutelage.evaluation.metrics.top import Side, blocks, buckets, confidence_and_outcome, is_certain, probability_of, squared_distance
from tutelage.evaluation.records import AlignedAnswers, RowScores

Target = Literal["truth", "teacher"]
Model = Literal["student", "teacher"]
TARGETS: tuple[Target, ...] = ("truth", "teacher")

MOST_UNKNOWN = 0.02
"""With a larger share of answers whose true class is not among the most probable ones, the likelihood loss, a bound then, is left out."""


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
        shares = dict.fromkeys(("accuracy", "agreement", "exact_match", "exact_agreement"), 1.0)
        return {"nll_nats": in_nats, "kl_nats": in_nats, "brier": 2.0, **shares}.get(figure)


def row_scores(aligned: AlignedAnswers, against: Target, settings: Settings, *, of: Model = "student") -> dict[str, RowScores]:
    """The figures that are means over rows: one score per row, by name; of answers with positions, the means over them.

    Args:
        aligned: the answers.
        against: "truth" or "teacher".
        settings: only the floor is used.
        of: the model to score, "student" or "teacher".
    """
    answers, target = aligned.side(of), aligned.side(against)
    if aligned.task == "regression":
        return {"mse": aligned.by_row(((np.asarray(target, dtype=np.float64) - answers) ** 2).mean(axis=1))}
    right = aligned.decided(against) == aligned.decided(of)
    rate, whole = ("accuracy", "exact_match") if against == "truth" else ("agreement", "exact_agreement")
    found = {rate: aligned.by_row(_of_answer(right))}
    if aligned.task == "multilabel":
        found[f"subset_{rate}"] = aligned.by_row(np.asarray(right.all(axis=1)))
    if aligned.positions is not None:
        found[whole] = aligned.of_whole_rows(right)
    distances = _distances(target, answers, aligned.task, floor=settings.floor, with_kl=against == "teacher")
    if against == "truth" and share_unknown(target, answers) > MOST_UNKNOWN:
        del distances["nll_nats"]
    return found | {name: aligned.by_row(values) for name, values in distances.items()}


def _of_answer(values: NDArray[Any]) -> NDArray[Any]:
    """One value per answer: the mean over labels for multilabel answers."""
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1))


def _distances(target: Any, answers: Any, task: str, *, floor: float, with_kl: bool) -> dict[str, Floats]:
    """(answers,) of each figure that compares probabilities, computed in blocks of answers.

    The Brier score is left out where classes count together: it needs the probability of each.
    """
    dense = not isinstance(answers, TopAnswers) and not isinstance(target, TopAnswers)
    certain = is_certain(target) and not isinstance(answers, TopAnswers)
    parts: dict[str, list[Floats]] = {"kl_nats": [], "nll_nats": [], "brier": []}
    for block in blocks(len(answers), _columns(answers)):
        p, q = (as_distributions(each, task) for each in buckets(target[block], answers[block]))
        if with_kl:
            parts["kl_nats"].append(_of_answer(kl_nats(p, q, floor=floor)))
        parts["nll_nats"].append(_of_answer(cross_entropy(p, q, floor=floor)))
        if dense or certain:
            parts["brier"].append(_of_answer(brier(p, q)) if dense else squared_distance(target[block], answers[block]))
    return {name: np.concatenate(values) for name, values in parts.items() if values}


def share_unknown(truth: Any, answers: Any) -> float:
    """The share of answers that do not hold the probability of the true class, because it is not among the most probable ones."""
    if not isinstance(answers, TopAnswers):
        return 0.0
    return float(np.mean(~probability_of(answers, truth.ids)[1]))


def top_labels(aligned: AlignedAnswers, against: Target, of: Model) -> tuple[Floats, Floats]:
    """The confidence of a model in its decisions, and what the target gives to them: (answers,) each, or (answers, labels)."""
    answers, target = aligned.side(of), aligned.side(against)
    if aligned.task == "multilabel":
        return top_label(as_distributions(target, aligned.task), as_distributions(answers, aligned.task))
    parts = [confidence_and_outcome(target[block], answers[block]) for block in blocks(len(answers), _columns(answers))]
    confidence, outcome = (np.concatenate(each) for each in zip(*parts, strict=True))
    return confidence, outcome


def _columns(answers: Side) -> int:
    return int(1 + answers.ids.shape[1] if isinstance(answers, TopAnswers) else answers.shape[1])
