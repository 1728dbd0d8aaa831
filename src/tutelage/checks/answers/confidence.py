"""Check the calibration of a teacher's confidence, and find the temperature that corrects it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats, Integers, one_hot
from tutelage.core.quantities import percent
from tutelage.losses.targets import matching_temperature, smooth, temper

BINS = 15

FLOOR = 1e-6
"""Smallest probability whose logarithm is taken: a class that was ruled out costs 13.8 nats, at any temperature."""

ECE_BOUND = 0.10
"""Expected calibration error from which a finding is a warning."""

TIMID_ECE_BOUND = 0.30
"""The bound for an underconfident teacher, such as a forest: it still teaches well, so only a larger error is a warning."""

TEMPERATURE_BOUND = 1.8
"""A best temperature above this, or below its inverse, is a warning, if there are enough labels to determine it."""

GAIN_BOUND_NATS = 0.03
"""The least gain in log-likelihood per row at that temperature for a warning."""

TEMPERATURES = (0.05, 20.0)
"""The range of a best temperature; beyond it, the labels do not determine one."""

SMOOTHING = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the uniform distribution that are tried against true classes of probability 0."""

RULED_OUT = 0.05
"""Share of true classes of probability 0 from which a finding is a warning."""


def check_calibration(answered: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Measure the expected calibration error, the temperature at which the labels are most likely, and true classes ruled out.

    A temperature is advised only if, fitted on one half of the cases, it makes the labels of the other half likelier.
    """
    if answered.cases is None:
        return
    p, codes = answered.cases
    yield from _check_ruled_out(p, codes, seed)
    error, chance = calibration_error(p, codes), chance_error(p, seed)
    temperature, gain = best_temperature(p, codes)
    figure = {"ECE": error, "ECE by chance": chance, "best temperature": temperature, "gain, nats a row": gain, "cases": len(codes)}
    significant = gain * len(codes) > 5.4  # likelihood ratio test at .001, one degree of freedom
    off = significant and gain > GAIN_BOUND_NATS and max(temperature, 1 / temperature) > TEMPERATURE_BOUND
    if off and _held_out_gain(p, codes, seed) > 0:
        yield _wrong_temperature(answered.form.kind, figure)
    elif error > max(ECE_BOUND, chance):
        sentence = (
            f"the teacher's confidence differs from its accuracy by {error:.2f} on average (ECE), and no single temperature corrects it."
        )
        remedy = (
            "Calibrate it on labelled rows that it was not trained on, for a scikit-learn model with "
            "CalibratedClassifierCV(FrozenEstimator(model), method='isotonic'); or check that labels and rows belong together."
        )
        yield Finding("calibration", "warning", figure, sentence, remedy)
    else:
        yield Finding("calibration", "ok", figure, f"the teacher's confidence is within {error:.2f} of its accuracy on average.")


def _wrong_temperature(kind: str, figure: dict[str, Any]) -> Finding:
    temperature, error = figure["best temperature"], figure["ECE"]
    first = f"Divide its logits by {temperature:.2g} first"
    if kind == "probabilities":
        first = f"Divide the logarithms of its probabilities by {temperature:.2g} first, with temper(answers, {temperature:.2g})"
    if temperature > 1:
        sentence = (
            f"the teacher's confidence is too high by a temperature of {temperature:.2g} (ECE {error:.2f}): softening up to that "
            "temperature only corrects it. Typical of a teacher trained with a temperature in its loss, or on these rows."
        )
        return Finding("calibration", "warning", figure, sentence, f"{first}, and choose temperatures from there.")
    sentence = f"the teacher's confidence is too low by a temperature of {temperature:.2g} (ECE {error:.2f})."
    remedy = f"{first}, and look for a second softmax or for label smoothing."
    return Finding("calibration", "warning" if error > TIMID_ECE_BOUND else "note", figure, sentence, remedy)


def _check_ruled_out(p: Floats, codes: Integers, seed: int) -> Iterator[Finding]:
    """Find true classes of probability 0, and the share of the uniform distribution that makes the labels likeliest."""
    share = float((p[np.arange(len(codes)), codes] == 0).mean())
    if not share:
        return
    first, second = _halves(len(codes), seed)
    mixed = {amount: smooth(p, amount) for amount in SMOOTHING}
    truth = one_hot(codes, p.shape[1])
    amount = min(SMOOTHING, key=lambda each: _negative_log_likelihood(truth[first], mixed[each][first]))
    before, after = (_negative_log_likelihood(truth[second], each[second]) for each in (p, mixed[amount]))
    figure = {"true classes ruled out": share, "smoothing": amount, "nats a row": before, "nats a row, smoothed": after}
    sentence = (
        f"the teacher gives the true class a probability of exactly 0 in {percent(share)} of {len(codes)} cases; no temperature "
        "changes a 0."
    )
    remedy = "Use a teacher that rules nothing out, such as one of more neighbours, more trees or larger leaves."
    if after < before:
        mix = f"{1 - amount:g} * p + {amount / p.shape[1]:.3g}"
        remedy += f" Or smooth its probabilities p as {mix}, in a function given to as_teacher; votes with read_answers(..., smoothing=1)."
    yield Finding("ruled-out", "warning" if share > RULED_OUT else "note", figure, sentence, remedy)


def calibration_error(probabilities: Floats, codes: Integers) -> float:
    """Expected calibration error of the top class: mean over rows of |confidence - accuracy| in 15 equal bins.

    Source:
        Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, section 2, arXiv 1706.04599.
    """
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    return _binned(top, right)


def chance_error(probabilities: Floats, seed: int, draws: int = 200) -> float:
    """The largest calibration error of a perfectly calibrated teacher in `draws` simulated sets of labels."""
    top = probabilities.max(axis=1)
    draw = np.random.default_rng(seed)
    return max(_binned(top, draw.random(len(top)) < top) for _ in range(draws))


def _binned(top: Floats, right: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    bins = np.minimum((top * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bins, top - right, minlength=BINS)).sum() / len(top))


def best_temperature(probabilities: Floats, codes: Integers) -> tuple[float, float]:
    """The temperature that maximises the likelihood of the labels, to two digits, and its gain over temperature 1 in nats per row.

    Source:
        Guo et al. 2017, section 4.2, arXiv 1706.04599.
    """
    truth = one_hot(codes, probabilities.shape[1])
    temperature = float(np.clip(matching_temperature(probabilities, truth), *TEMPERATURES))
    rounded = float(f"{temperature:.2g}")  # as it is advised
    return rounded, _negative_log_likelihood(truth, probabilities) - _negative_log_likelihood(truth, temper(probabilities, rounded))


def _negative_log_likelihood(truth: Floats, probabilities: Floats) -> float:
    """Mean over rows, in nats; `truth` is one-hot."""
    return float(-(truth * np.log(np.maximum(probabilities, FLOOR))).sum(axis=1).mean())


def _held_out_gain(p: Floats, codes: Integers, seed: int) -> float:
    """The gain of temperatures over temperature 1, in nats per row, on the halves of the cases that they were not fitted on."""
    first, second = _halves(len(codes), seed)
    truth = one_hot(codes, p.shape[1])
    gains = []
    for fitted, held_out in ((first, second), (second, first)):
        temperature, _ = best_temperature(p[fitted], codes[fitted])
        after = _negative_log_likelihood(truth[held_out], temper(p[held_out], temperature))
        gains.append(_negative_log_likelihood(truth[held_out], p[held_out]) - after)
    return min(gains)


def _halves(count: int, seed: int) -> tuple[Integers, Integers]:
    order = np.random.default_rng(seed).permutation(count)
    return order[: (count + 1) // 2], order[count // 2 :]
