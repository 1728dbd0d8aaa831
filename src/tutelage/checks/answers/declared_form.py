"""Check that the numbers are of the declared kind: logits without a softmax, probabilities after exactly one softmax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import logsumexp

from tutelage.checks.answers.confidence import best_temperature
from tutelage.checks.findings import Finding, Severity
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.arrays import Floats, sigmoid, softmax

SUM_TOLERANCE = 1e-3
"""How far the sum of a row of half-precision probabilities may be from one."""

ROWS_A_CLASS = 20
"""From this many rows for each class on, a class that is never predicted is a warning."""

MOST_NAMED = 100
"""The most classes that are named in a finding's figures."""

ENOUGH_ROWS = 8
"""With fewer rows no pattern is significant."""


def check_declared(answered: SampleAnswers) -> Iterator[Finding]:
    """Check the kind of the numbers for the known errors."""
    if answered.form.kind == "values" or answered.sample.count < ENOUGH_ROWS:
        return
    wrong = list(_wrong_logits(answered) if answered.form.kind == "logits" else _wrong_probabilities(answered))
    yield from wrong or [
        Finding("declared-kind", "ok", {"kind": answered.form.kind}, f"the numbers are consistent with {answered.form.kind}, as declared.")
    ]


def check_variation(answered: SampleAnswers) -> Iterator[Finding]:
    """Find constant answers, and classes that are never predicted."""
    if answered.sample.count < ENOUGH_ROWS:
        return
    answers = answered.answers if answered.form.kind == "values" else answered.probabilities
    spread = float((answers.max(axis=0) - answers.min(axis=0)).max())
    if spread <= 1e-7 * max(1.0, float(np.abs(answers).max())):
        sentence = f"the teacher gives the same answer to all {answered.sample.count} rows; there is nothing to learn from it."
        yield Finding(
            "constant",
            "error",
            {"spread": spread},
            sentence,
            "Check that its weights were loaded, and that it gets the columns and the scaling that it was trained on.",
        )
        return
    yield Finding("constant", "ok", {"spread": spread}, "the answers depend on the row.")
    if answered.form.classes:
        yield _dead_classes(answered)


def _dead_classes(answered: SampleAnswers) -> Finding:
    largest = answered.probabilities.max(axis=0)
    dead = [label for label, top in zip(answered.form.classes, largest, strict=True) if top < 1e-6]
    if not dead:
        figure = {"smallest largest probability": float(largest.min())}
        return Finding("dead-class", "ok", figure, "every class gets a probability above 1e-6 on some row.")
    # With many classes and few rows, some classes occur on no row.
    severity: Severity = "warning" if answered.sample.count >= ROWS_A_CLASS * len(largest) else "note"
    sentence = f"classes {list_classes(tuple(dead))} never reach a probability of 1e-6 on any row; a student cannot learn that they exist."
    remedy = (
        "Drop them with relabelled(teacher, classes, extra='drop'), add rows of these classes, or look for an output layer that cannot "
        "predict them."
    )
    return Finding("dead-class", severity, {"classes": dead[:MOST_NAMED]}, sentence, remedy)


def _wrong_logits(answered: SampleAnswers) -> Iterator[Finding]:
    logits = answered.answers.astype(np.float64)
    if answered.form.task == "multilabel":
        if logits.min() >= 0 and logits.max() <= 1:
            yield _already_applied(
                "a sigmoid", "all lie between 0 and 1", {"smallest": float(logits.min()), "largest": float(logits.max())}
            )
        return
    single = answered.form.task == "binary" and not logits[:, 0].any()  # a single logit f is written as [0, f]
    if single and logits.min() >= 0 and logits.max() <= 1:
        figure = {"smallest": float(logits[:, 1].min()), "largest": float(logits[:, 1].max())}
        yield _already_applied("a sigmoid", "its single number always lies between 0 and 1", figure)
        return
    sums = logits.sum(axis=1)
    if logits.min() >= 0 and logits.max() <= 1 and float(np.abs(sums - 1).max()) <= SUM_TOLERANCE:
        yield _already_applied("softmax", "every row is non-negative and sums to 1", {"worst row sum": float(np.abs(sums - 1).max() + 1)})
        return
    if logits.min() >= 0 and logits.max() <= 1 and logits.any(axis=0).all():
        sentence = "declared as logits, but all lie between 0 and 1: a sigmoid of each class was probably applied already."
        figure = {"smallest": float(logits.min()), "largest": float(logits.max())}
        yield Finding("declared-kind", "warning", figure, sentence, "Return the input of the sigmoid, or declare task='multilabel'.")
        return
    yield from _small(logits)
    if float(np.abs(logsumexp(logits, axis=1)).max()) <= SUM_TOLERANCE:
        sentence = (
            "the logits are log-probabilities (every row's logsumexp is 0): softmax gives the same probabilities, at any temperature."
        )
        yield Finding("declared-kind", "note", {"kind": "log-probabilities"}, sentence)
    yield from _after_relu(answered, logits)
    if answered.form.task == "binary":
        yield from _doubled_margin(answered, logits)


def _already_applied(function: str, why: str, figure: dict[str, float]) -> Finding:
    sentence = f"declared as logits, but {why}: {function} was already applied and would be applied twice."
    remedy = (
        "Declare kind='probabilities' to as_teacher, or return the input of that layer; a function applied twice limits confidence to .73, "
        "and to .23 over 10 classes."
    )
    return Finding("declared-kind", "error", figure, sentence, remedy)


def _small(logits: Floats) -> Iterator[Finding]:
    """Detect cosine similarities and outputs of tanh."""
    largest = float(np.abs(logits).max())
    if 0.5 < largest <= 1 + 1e-6:
        likely = float(softmax(logits).max())
        sentence = f"every logit lies between -1 and 1, so that no probability is above {likely:.2f}: as of cosine similarities or a tanh."
        remedy = "Multiply them by the scale that the model was trained with, such as the logit scale of CLIP."
        yield Finding("small-logits", "note", {"largest": largest, "largest probability": likely}, sentence, remedy)


def _after_relu(answered: SampleAnswers, logits: Floats) -> Iterator[Finding]:
    """Detect a last layer with ReLU: no negative number, and many that are exactly zero."""
    one_logit = answered.form.task == "binary" and not logits[:, 0].any()  # a single logit is written as [0, f]
    zeros = float((logits == 0).mean())
    if one_logit or logits.min() < 0 or zeros < 0.02:
        return
    dead = [label for label, column in zip(answered.form.classes, logits.T, strict=True) if not column.any()]
    always_zero = f"; classes {list_classes(tuple(dead))} are 0 on every row" if dead else ""
    sentence = f"no logit is negative and {zeros:.0%} are exactly 0, as after a ReLU{always_zero}: the logits of unlikely classes are lost."
    remedy = "Use the numbers before the ReLU; a teacher trained with it must be trained again with a linear last layer."
    yield Finding("relu-logits", "error" if dead else "warning", {"exact zeros": zeros, "dead classes": dead}, sentence, remedy)


def _doubled_margin(answered: SampleAnswers, logits: Floats) -> Iterator[Finding]:
    largest = float(np.abs(logits).max())
    if float(np.abs(logits.sum(axis=1)).max()) > 1e-6 * largest:
        return
    sentence = "the logits are -f and f; if f is the model's single logit, this doubles its margin, that is, halves the temperature."
    temperature = best_temperature(*answered.cases)[0] if answered.cases else None
    intended = temperature is not None and temperature < np.sqrt(2)  # nearer to 1 than to 2: f was already halved
    figure = {"largest logit": largest, "best temperature": temperature}
    remedy = "" if intended else "Return [0, f], unless the model was trained with both outputs."
    yield Finding("doubled-margin", "note" if intended else "warning", figure, sentence, remedy)


def _wrong_probabilities(answered: SampleAnswers) -> Iterator[Finding]:
    p = answered.probabilities
    on = p if answered.form.task == "multilabel" else p[:, 1]
    if answered.form.task != "multiclass" and 0.5 <= on.min() < 0.505 and 0.726 < on.max() <= sigmoid(1.0) + 1e-6:
        sentence = f"every probability lies between {on.min():.3f} and {on.max():.3f}; a sigmoid applied twice limits them to .5 and .731."
        figure = {"smallest": float(on.min()), "largest": float(on.max())}
        yield Finding("double-sigmoid", "error", figure, sentence, "Remove one sigmoid.")
    if answered.form.task == "multilabel":
        sums = p.sum(axis=1)
        if p.shape[1] > 1 and float(np.abs(sums - 1).max()) <= SUM_TOLERANCE:
            sentence = (
                "declared as multilabel, but every row sums to 1: a softmax makes the labels compete, so no row can have two or none."
            )
            yield Finding(
                "declared-kind",
                "error",
                {"worst row sum": float(np.abs(sums - 1).max() + 1)},
                sentence,
                "Use a sigmoid for each label, or declare task='multiclass'.",
            )
        return
    share = _double_softmax_share(p)
    if share:
        cap, largest = float(np.e / (np.e + p.shape[1] - 1)), float(p.max())
        sentence = f"no probability is above {largest:.3f}; softmax applied twice over {p.shape[1]} classes limits them to {cap:.3f}."
        figure = {"largest": largest, "cap": cap, "rows at the cap": share}
        yield Finding(
            "double-softmax",
            "error",
            figure,
            sentence,
            "Remove one softmax: return the output of the last linear layer with kind='logits'.",
        )


def _double_softmax_share(p: Floats) -> float:
    """The share of rows that are the softmax of a nearly one-hot distribution; 0 unless every row is the softmax of a distribution.

    If p = softmax(q) and q sums to one, then q = log p + (1 - sum log p) / classes, and q must not be negative.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(p)
        first = logs + (1 - logs.sum(axis=1, keepdims=True)) / p.shape[1]
    if not np.isfinite(first).all() or first.min() < -1e-3:
        return 0.0
    sure = float((first.max(axis=1) > (0.98 if p.shape[1] == 2 else 0.9)).mean())
    return sure if sure >= (0.1 if p.shape[1] == 2 else 0.01) else 0.0
