"""Check the calibration of a teacher's confidence, and find the temperature that corrects it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats, Integers, softmax

BINS = 15

ECE_BOUND = 0.10
"""Expected calibration error from which a finding is a warning."""

TIMID_ECE_BOUND = 0.30
"""The bound for an underconfident teacher, such as a forest: it still teaches well, so only a larger error is a warning."""

TEMPERATURE_BOUND = 1.8
"""A best temperature above this, or below its inverse, is a warning, if there are enough labels to determine it."""

GAIN_BOUND_NATS = 0.03
"""The least gain in log-likelihood per row at that temperature for a warning."""

FLOOR = 1e-6
"""Smallest probability used in a log-likelihood."""


def check_calibration(answered: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Measure the expected calibration error, and the temperature at which the labels are most likely."""
    if answered.cases is None:
        return
    p, codes = answered.cases
    error, chance = calibration_error(p, codes), chance_error(p, seed)
    temperature, gain = best_temperature(p, codes)
    figure = {"ECE": error, "ECE by chance": chance, "best temperature": temperature, "gain, nats a row": gain, "cases": len(codes)}
    significant = gain * len(codes) > 5.4  # likelihood ratio test at .001, one degree of freedom
    off = significant and gain > GAIN_BOUND_NATS and max(temperature, 1 / temperature) > TEMPERATURE_BOUND
    if off and temperature > 1:
        sentence = (
            f"the teacher's confidence is too high by a temperature of {temperature:.2g} (ECE {error:.2f}): softening up to that "
            "temperature only corrects it. Typical of a teacher trained with a temperature in its loss, or on these rows."
        )
        yield Finding(
            "calibration", "warning", figure, sentence, f"Divide its logits by {temperature:.2g} first, and choose temperatures from there."
        )
    elif off:
        sentence = f"the teacher's confidence is too low by a temperature of {temperature:.2g} (ECE {error:.2f})."
        remedy = f"Divide its logits by {temperature:.2g} first, and look for a second softmax or for label smoothing."
        yield Finding("calibration", "warning" if error > TIMID_ECE_BOUND else "note", figure, sentence, remedy)
    elif error > max(ECE_BOUND, chance):
        sentence = (
            f"the teacher's confidence differs from its accuracy by {error:.2f} on average (ECE), and no single temperature corrects it."
        )
        remedy = "Calibrate it (CalibratedClassifierCV with isotonic), or check that labels and rows belong together."
        yield Finding("calibration", "warning", figure, sentence, remedy)
    else:
        yield Finding("calibration", "ok", figure, f"the teacher's confidence is within {error:.2f} of its accuracy on average.")


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
    """The temperature that maximises the likelihood of the labels, and its gain over temperature 1 in nats per row.

    Source:
        Guo et al. 2017, section 4.2, arXiv 1706.04599.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        likely = softmax(logs / np.exp(log_temperature))[rows, codes]
        return float(-np.log(np.maximum(likely, FLOOR)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x)), loss(0.0) - float(found.fun)
