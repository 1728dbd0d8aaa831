"""Are the numbers what the teacher declares: logits that are logits, probabilities that went through softmax once?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import logsumexp

from tutelage.checks.confidence import best_temperature
from tutelage.checks.findings import Finding, Severity
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.answers import shown
from tutelage.core.arrays import Floats

SUM_TOLERANCE = 1e-3
"""How far a row of half-precision probabilities may be from one."""

ROWS_A_CLASS = 20
"""Rows for each class from which one that is never answered is a warning."""

ENOUGH_ROWS = 8
"""Fewer rows can look like anything."""


def check_declared(asked: SampleAnswers) -> Iterator[Finding]:
    """The kind of number, and what is known to go wrong with it."""
    if asked.form.kind == "values" or asked.sample.count < ENOUGH_ROWS:
        return
    wrong = list(_wrong_logits(asked) if asked.form.kind == "logits" else _wrong_probabilities(asked))
    yield from wrong or [
        Finding("declared-kind", "ok", {"kind": asked.form.kind}, f"the numbers look like the {asked.form.kind} they are declared to be.")
    ]


def check_varied(asked: SampleAnswers) -> Iterator[Finding]:
    """The same answer for every row, and classes that are never answered."""
    if asked.sample.count < ENOUGH_ROWS:
        return
    said = asked.answers if asked.form.kind == "values" else asked.probabilities
    spread = float((said.max(axis=0) - said.min(axis=0)).max())
    if spread <= 1e-7 * max(1.0, float(np.abs(said).max())):
        sentence = f"it gives the same answer to all {asked.sample.count} rows; there is nothing to learn from it."
        yield Finding(
            "constant",
            "error",
            {"spread": spread},
            sentence,
            "Check that its weights were loaded, and that it is given the columns and scaling it was trained on.",
        )
        return
    yield Finding("constant", "ok", {"spread": spread}, "its answers depend on the row.")
    if asked.form.classes:
        yield _dead_classes(asked)


def _dead_classes(asked: SampleAnswers) -> Finding:
    largest = asked.probabilities.max(axis=0)
    dead = [label for label, top in zip(asked.form.classes, largest, strict=True) if top < 1e-6]
    if not dead:
        figure = {"smallest largest probability": float(largest.min())}
        return Finding("dead-class", "ok", figure, "every class is thought possible somewhere.")
    # Among many classes some are not met by few rows.
    severity: Severity = "warning" if asked.sample.count >= ROWS_A_CLASS * len(largest) else "note"
    sentence = f"classes {shown(tuple(dead))} never reach a probability of 1e-6 on any row; a student cannot learn that they exist."
    remedy = "Leave them out of classes=, add rows that show them, or look for an output layer that cannot reach them."
    return Finding("dead-class", severity, {"classes": dead}, sentence, remedy)


def _wrong_logits(asked: SampleAnswers) -> Iterator[Finding]:
    logits = asked.answers.astype(np.float64)
    if asked.form.task == "multilabel":
        if logits.min() >= 0 and logits.max() <= 1:
            yield _already("a sigmoid", "all lie between 0 and 1", {"smallest": float(logits.min()), "largest": float(logits.max())})
        return
    sums = logits.sum(axis=1)
    if logits.min() >= 0 and logits.max() <= 1 and float(np.abs(sums - 1).max()) <= SUM_TOLERANCE:
        yield _already("softmax", "every row is non-negative and sums to 1", {"worst row sum": float(np.abs(sums - 1).max() + 1)})
        return
    if float(np.abs(logsumexp(logits, axis=1)).max()) <= SUM_TOLERANCE:
        sentence = (
            "the logits are log-probabilities (every row's logsumexp is 0): softmax gives the same probabilities, at any temperature."
        )
        yield Finding("declared-kind", "note", {"kind": "log-probabilities"}, sentence)
    yield from _of_relu(asked, logits)
    if asked.form.task == "binary":
        yield from _doubled_margin(asked, logits)


def _already(function: str, why: str, figure: dict[str, float]) -> Finding:
    sentence = f"declared as logits, but {why}: {function} was applied already, and would be applied twice."
    remedy = "Declare kind='probabilities', or take the layer before it; a second softmax of 10 classes caps every confidence at .23."
    return Finding("declared-kind", "error", figure, sentence, remedy)


def _of_relu(asked: SampleAnswers, logits: Floats) -> Iterator[Finding]:
    """A last layer with ReLU: no negative number, and many that are exactly zero."""
    one_logit = asked.form.task == "binary" and not logits[:, 0].any()  # [0, f] is how a single logit is written
    zeros = float((logits == 0).mean())
    if one_logit or logits.min() < 0 or zeros < 0.02:
        return
    dead = [label for label, column in zip(asked.form.classes, logits.T, strict=True) if not column.any()]
    never = f"; classes {shown(tuple(dead))} are 0 on every row" if dead else ""
    sentence = f"no logit is negative and {zeros:.0%} are exactly 0, as after a ReLU{never}: what it thinks of unlikely classes is cut off."
    remedy = "Take the numbers before the ReLU; a teacher trained with it needs training again with a linear last layer."
    yield Finding("relu-logits", "error" if dead else "warning", {"exact zeros": zeros, "dead classes": dead}, sentence, remedy)


def _doubled_margin(asked: SampleAnswers, logits: Floats) -> Iterator[Finding]:
    largest = float(np.abs(logits).max())
    if float(np.abs(logits.sum(axis=1)).max()) > 1e-6 * largest:
        return
    sentence = "the logits are -f and f; if f is a model's one logit, this doubles its margin, which is to halve the temperature."
    temperature = best_temperature(*asked.cases)[0] if asked.cases else None
    meant = temperature is not None and temperature < np.sqrt(2)  # nearer to 1 than to 2: f was halved already
    figure = {"largest logit": largest, "best temperature": temperature}
    remedy = "" if meant else "Give [0, f], unless the model was trained with both outputs."
    yield Finding("doubled-margin", "note" if meant else "warning", figure, sentence, remedy)


def _wrong_probabilities(asked: SampleAnswers) -> Iterator[Finding]:
    p = asked.probabilities
    if asked.form.task == "multilabel":
        sums = p.sum(axis=1)
        if p.shape[1] > 1 and float(np.abs(sums - 1).max()) <= SUM_TOLERANCE:
            sentence = "declared as multilabel, but every row sums to 1: softmax made the labels compete, so no row can have two or none."
            yield Finding(
                "declared-kind",
                "error",
                {"worst row sum": float(np.abs(sums - 1).max() + 1)},
                sentence,
                "Use a sigmoid for each label, or declare task='multiclass'.",
            )
        return
    share = _through_softmax_twice(p)
    if share:
        cap, largest = float(np.e / (np.e + p.shape[1] - 1)), float(p.max())
        sentence = f"no probability is above {largest:.3f}; softmax twice over {p.shape[1]} classes caps them at {cap:.3f}."
        figure = {"largest": largest, "cap": cap, "rows at the cap": share}
        yield Finding("double-softmax", "error", figure, sentence, "Drop one: give what the last linear layer says as kind='logits'.")


def _through_softmax_twice(p: Floats) -> float:
    """The share of rows that are softmax of a nearly one-hot distribution, if every row is softmax of a distribution.

    If p = softmax(q) and q sums to one, then q = log p + (1 - sum log p) / classes, and q must not be negative.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(p)
        first = logs + (1 - logs.sum(axis=1, keepdims=True)) / p.shape[1]
    if not np.isfinite(first).all() or first.min() < -1e-3:
        return 0.0
    sure = float((first.max(axis=1) > (0.98 if p.shape[1] == 2 else 0.9)).mean())
    return sure if sure >= (0.1 if p.shape[1] == 2 else 0.01) else 0.0
