"""Measure how much information the soft answers add to the decision: entropy, and one-hot, rounded, clipped or truncated answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.checks.findings import Finding, Severity
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats

TEMPERATURES = (1, 2, 4, 8, 20)

SURE = 0.999
"""A top probability above this adds little information to the decision."""

FLAT_NATS = 0.15
"""Standard deviation of the log-probabilities of the other classes below which, if far below that of all classes, they are not ranked."""


HALF = 16
"""Stands for half precision where a number of decimals is expected."""


def check_sharpness(answered: SampleAnswers) -> Iterator[Finding]:
    """Measure the entropy at each temperature, and detect what has destroyed the small probabilities."""
    if not answered.form.classes:
        return
    yield _saturation(answered)
    if answered.form.task == "multilabel":
        return
    p = answered.probabilities
    if answered.form.kind == "probabilities":
        figure = {"distinct values": len(np.unique(p)), "exact zeros": float((p == 0).mean())}
        yield from list(_cut(answered)) or [Finding("precision", "ok", figure, "no sign of rounding, clipping or a truncated tail.")]
    if p.shape[1] >= 3:
        yield _dark_knowledge(p)


def _saturation(answered: SampleAnswers) -> Finding:
    entropy = {f"T={temperature}": mean_entropy(answered, temperature) for temperature in TEMPERATURES}
    possible = np.isfinite(answered.form.logits(answered.answers))
    if answered.form.task == "multilabel":
        top, decided = np.maximum(answered.probabilities, 1 - answered.probabilities).min(axis=1), ~possible.any(axis=1)
    else:
        top, decided = answered.probabilities.max(axis=1), possible.sum(axis=1) == 1
    hard, sure = float(decided.mean()), float((top > SURE).mean())
    figure = {"mean entropy, nats": entropy, "rows above .999": sure, "one-hot rows": hard}
    if hard > 0.9:
        sentence = f"{hard:.0%} of the answers are exactly one-hot: they are hard labels, and no temperature softens a probability of 0."
        remedy = "Record logits or unrounded probabilities; if the teacher is a fully grown tree, use a forest or limit its leaves."
        return Finding("saturated", "warning", figure, sentence, remedy)
    if sure > 0.5:
        sentence = (
            f"{sure:.0%} of the rows have a top probability above .999: at temperature 1 a student learns little more than the decision."
        )
        return Finding("saturated", "note", figure, sentence, "Soften with a temperature at which the mean entropy below is well above 0.")
    return Finding("saturated", "ok", figure, "the answers contain more than the decision.")


def mean_entropy(answered: SampleAnswers, temperature: float) -> float:
    """Mean entropy over rows, in nats, of the answers softened at a temperature; for multilabel the mean over rows and labels."""
    soft = answered.form.probabilities(answered.answers.astype(np.float64), temperature)
    if answered.form.task == "multilabel":
        soft = np.stack([1 - soft, soft], axis=-1)
    terms = np.where(soft > 0, -soft * np.log(np.where(soft > 0, soft, 1.0)), 0.0)
    return float(terms.sum(axis=-1).mean())


def _cut(answered: SampleAnswers) -> Iterator[Finding]:
    """Detect truncation to the top k, clipping and rounding of the probabilities."""
    p = answered.probabilities
    distinct, zeros = np.unique(p), float((p == 0).mean())
    positive = (p > 0).sum(axis=1)
    if 1 < positive[0] < p.shape[1] and (positive == positive[0]).all():
        sentence = (
            f"every row has exactly {positive[0]} of {p.shape[1]} probabilities above 0, as in a top-{positive[0]} log without its rest."
        )
        remedy = "Log the remaining probability as well, or all classes: a student cannot learn how unlikely the other classes are."
        yield Finding("top-k", "warning", {"positive": int(positive[0]), "classes": p.shape[1]}, sentence, remedy)
        return
    floor = float(p.min())
    at_floor = float((p <= floor * (1 + 1e-3)).mean())
    if 0 < floor <= 1e-4 and at_floor > 0.2:
        sentence = (
            f"{at_floor:.0%} of the probabilities equal the smallest, {floor:.2g}: clipped, and softening amplifies the clipped value."
        )
        remedy = "Record logits or log-probabilities; otherwise use temperatures of 1 to 2 only."
        yield Finding("clipped", "warning", {"floor": floor, "share": at_floor}, sentence, remedy)
    decimals = rounded_decimals(answered.answers) if len(distinct) > 32 else None
    if decimals is not None:
        steps = "half precision" if decimals == HALF else f"steps of {10.0**-decimals:g}"
        sentence = f"the probabilities have {steps} and {zeros:.0%} exact zeros: the ranking of unlikely classes is lost."
        # A forest of a hundred trees has steps of a hundredth by nature; finer steps come from rounding in a log.
        severity: Severity = "warning" if zeros > 0.01 and decimals > 2 else "note"
        figure = {"distinct values": len(distinct), "exact zeros": zeros}
        yield Finding(
            "rounded", severity, figure, sentence, "Log float32 or log-probabilities; with these use temperatures of 1 to 2 only."
        )


def rounded_decimals(probabilities: Floats) -> int | None:
    """The number of decimals that the probabilities were rounded to; `HALF` for half precision; None for neither."""
    p = np.asarray(probabilities, dtype=np.float64)
    if np.array_equal(p.astype(np.float16).astype(np.float64), p):
        return HALF
    for decimals in (1, 2, 3, 4, 5):
        scaled = p * 10**decimals
        if float(np.abs(scaled - np.round(scaled)).max()) <= 10**decimals * 1.2e-7:
            return decimals
    return None


def _dark_knowledge(p: Floats) -> Finding:
    """Measure the spread of the log-probabilities of the classes that were not predicted, over rows without a zero."""
    others = np.sort(p, axis=1)[:, :-1]
    whole = others[:, 0] > 0
    if whole.mean() < 0.2:
        sentence = f"only {whole.mean():.0%} of the rows give every class a probability above 0; the others rank few classes or none."
        return Finding("dark-knowledge", "note", {"rows that rule no class out": float(whole.mean())}, sentence)
    spread = float(np.log(others[whole]).std(axis=1).mean())
    among_all = float(np.log(p[whole]).std(axis=1).mean())  # an uncertain teacher is flat over all classes, which is not smoothing
    figure = {"std of other classes' log p": spread, "rows that rule no class out": float(whole.mean())}
    if spread < min(FLAT_NATS, 0.2 * among_all):
        sentence = f"the classes that are not predicted are equally likely (std of log p {spread:.2g}), as after label smoothing or mixup."
        remedy = "Expect little benefit from soft labels: train the teacher without smoothing, or use temperatures near 1."
        return Finding("dark-knowledge", "warning", figure, sentence, remedy)
    return Finding("dark-knowledge", "ok", figure, "the teacher ranks the classes that it does not predict.")
