"""How much a teacher says beside its decision: entropy by temperature, one-hot, rounded, clipped and cut answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.checks.findings import Finding, Severity
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats

TEMPERATURES = (1, 2, 4, 8, 20)

SURE = 0.999
"""A top probability above this says little more than the decision."""

FLAT_NATS = 0.15
"""A standard deviation of the log-probabilities of the other classes below this, and far below that of all, ranks none."""


HALF = 16
"""In the place of a number of decimals: half precision."""


def check_sharpness(asked: SampleAnswers) -> Iterator[Finding]:
    """Entropy at each temperature, and what has destroyed the small probabilities."""
    if not asked.form.classes:
        return
    yield _saturation(asked)
    if asked.form.task == "multilabel":
        return
    p = asked.probabilities
    if asked.form.kind == "probabilities":
        figure = {"distinct values": len(np.unique(p)), "exact zeros": float((p == 0).mean())}
        yield from list(_cut(asked)) or [Finding("precision", "ok", figure, "no sign of rounding, clipping or a cut-off tail.")]
    if p.shape[1] >= 3:
        yield _dark_knowledge(p)


def _saturation(asked: SampleAnswers) -> Finding:
    entropy = {f"T={temperature}": mean_entropy(asked, temperature) for temperature in TEMPERATURES}
    possible = np.isfinite(asked.form.logits(asked.answers))
    if asked.form.task == "multilabel":
        top, decided = np.maximum(asked.probabilities, 1 - asked.probabilities).min(axis=1), ~possible.any(axis=1)
    else:
        top, decided = asked.probabilities.max(axis=1), possible.sum(axis=1) == 1
    hard, sure = float(decided.mean()), float((top > SURE).mean())
    figure = {"mean entropy, nats": entropy, "rows above .999": sure, "one-hot rows": hard}
    if hard > 0.9:
        sentence = f"{hard:.0%} of the answers are exactly one-hot: they are hard labels, and no temperature softens a probability of 0."
        remedy = "Record logits or unrounded probabilities; if the teacher is a fully grown tree, use a forest or limit its leaves."
        return Finding("saturated", "warning", figure, sentence, remedy)
    if sure > 0.5:
        sentence = f"{sure:.0%} of the rows have a top probability above .999: at temperature 1 a student sees little but the decision."
        return Finding("saturated", "note", figure, sentence, "Soften by a temperature at which the mean entropy below is well above 0.")
    return Finding("saturated", "ok", figure, "the answers say more than the decision.")


def mean_entropy(asked: SampleAnswers, temperature: float) -> float:
    """Mean over rows, in nats, of the answers softened at a temperature; multilabel: mean over rows and labels."""
    soft = asked.form.probabilities(asked.answers.astype(np.float64), temperature)
    if asked.form.task == "multilabel":
        soft = np.stack([1 - soft, soft], axis=-1)
    terms = np.where(soft > 0, -soft * np.log(np.where(soft > 0, soft, 1.0)), 0.0)
    return float(terms.sum(axis=-1).mean())


def _cut(asked: SampleAnswers) -> Iterator[Finding]:
    """What was lost between the teacher's softmax and these probabilities."""
    p = asked.probabilities
    distinct, zeros = np.unique(p), float((p == 0).mean())
    kept = (p > 0).sum(axis=1)
    if 1 < kept[0] < p.shape[1] and (kept == kept[0]).all():
        sentence = f"every row has exactly {kept[0]} of {p.shape[1]} probabilities above 0, as a top-{kept[0]} log without its rest has."
        remedy = "Log the mass of the rest beside the top, or all classes: a student is not told how unlikely the others are."
        yield Finding("top-k", "warning", {"kept": int(kept[0]), "classes": p.shape[1]}, sentence, remedy)
        return
    floor = float(p.min())
    at_floor = float((p <= floor * (1 + 1e-3)).mean())
    if 0 < floor <= 1e-4 and at_floor > 0.2:
        sentence = (
            f"{at_floor:.0%} of the probabilities equal the smallest, {floor:.2g}: clipped, and softening takes that floor for knowledge."
        )
        remedy = "Record logits or log-probabilities; else keep to temperatures of 1 to 2."
        yield Finding("clipped", "warning", {"floor": floor, "share": at_floor}, sentence, remedy)
    decimals = rounded_decimals(asked.answers) if len(distinct) > 32 else None
    if decimals is not None:
        steps = "half precision" if decimals == HALF else f"steps of {10.0**-decimals:g}"
        sentence = (
            f"the probabilities come in {steps} with {zeros:.0%} exact zeros: how unlikely classes rank is lost to high temperatures."
        )
        # Steps of a hundredth are what a forest of a hundred trees knows; finer ones are what a log threw away.
        severity: Severity = "warning" if zeros > 0.01 and decimals > 2 else "note"
        figure = {"distinct values": len(distinct), "exact zeros": zeros}
        yield Finding("rounded", severity, figure, sentence, "Log float32 or log-probabilities; from these keep to temperatures of 1 to 2.")


def rounded_decimals(probabilities: Floats) -> int | None:
    """To how many decimals the probabilities were rounded, `HALF` for half precision, None for neither."""
    p = np.asarray(probabilities, dtype=np.float64)
    if np.array_equal(p.astype(np.float16).astype(np.float64), p):
        return HALF
    for decimals in (1, 2, 3, 4, 5):
        scaled = p * 10**decimals
        if float(np.abs(scaled - np.round(scaled)).max()) <= 10**decimals * 1.2e-7:
            return decimals
    return None


def _dark_knowledge(p: Floats) -> Finding:
    """The spread of the log-probabilities of the classes that were not chosen, over rows that rule none out."""
    others = np.sort(p, axis=1)[:, :-1]
    whole = others[:, 0] > 0
    if whole.mean() < 0.2:
        sentence = f"only {whole.mean():.0%} of the rows give every class a probability above 0; the others rank few classes or none."
        return Finding("dark-knowledge", "note", {"rows that rule no class out": float(whole.mean())}, sentence)
    spread = float(np.log(others[whole]).std(axis=1).mean())
    among_all = float(np.log(p[whole]).std(axis=1).mean())  # a teacher that is hardly sure of anything is flat, not smoothed
    figure = {"std of other classes' log p": spread, "rows that rule no class out": float(whole.mean())}
    if spread < min(FLAT_NATS, 0.2 * among_all):
        sentence = (
            f"it holds all classes but its choice for equally likely (std of their log p {spread:.2g}), as after label smoothing or mixup."
        )
        remedy = "Expect little beyond denoising: train the teacher without smoothing, or keep to temperatures near 1."
        return Finding("dark-knowledge", "warning", figure, sentence, remedy)
    return Finding("dark-knowledge", "ok", figure, "it ranks the classes it did not choose.")
