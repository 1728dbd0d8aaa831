"""Does a teacher's confidence mean what it says; and by which temperature is it off?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats, Integers, softmax

BINS = 15

ECE_BOUND = 0.10
"""Confidence this far from accuracy, on average, is a warning."""

TIMID_ECE_BOUND = 0.30
"""A teacher that is right more often than it says, as a forest is, teaches well; only beyond this is it a warning."""

TEMPERATURE_BOUND = 1.8
"""A best temperature above this, or below its inverse, is a warning, where the labels are enough to know it."""

GAIN_BOUND_NATS = 0.03
"""... and where that temperature gains at least this much log-likelihood a row."""

FLOOR = 1e-6
"""Probability that stands for 0 in a log-likelihood."""


def check_calibration(asked: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Expected calibration error, and the temperature that explains the labels best."""
    if asked.cases is None:
        return
    p, codes = asked.cases
    error, chance = calibration_error(p, codes), chance_error(p, seed)
    temperature, gain = best_temperature(p, codes)
    figure = {"ECE": error, "ECE by chance": chance, "best temperature": temperature, "gain, nats a row": gain, "cases": len(codes)}
    known = gain * len(codes) > 5.4  # likelihood ratio at .001, one degree of freedom
    off = known and gain > GAIN_BOUND_NATS and max(temperature, 1 / temperature) > TEMPERATURE_BOUND
    if off and temperature > 1:
        sentence = (
            f"its confidence is too high by a temperature of {temperature:.2g} (ECE {error:.2f}): softening up to there only undoes that, "
            "as with a teacher that was trained through a temperature or has seen these rows."
        )
        yield Finding(
            "calibration", "warning", figure, sentence, f"Divide its logits by {temperature:.2g} first, and choose temperatures from there."
        )
    elif off:
        sentence = f"its confidence is too low by a temperature of {temperature:.2g} (ECE {error:.2f})."
        remedy = f"Divide its logits by {temperature:.2g} first, and look for a softmax or a smoothing too many."
        yield Finding("calibration", "warning" if error > TIMID_ECE_BOUND else "note", figure, sentence, remedy)
    elif error > max(ECE_BOUND, chance):
        sentence = f"its confidence is {error:.2f} from its accuracy on average (ECE), and no single temperature mends it."
        remedy = "Calibrate it (CalibratedClassifierCV with isotonic), or check that labels and rows belong together."
        yield Finding("calibration", "warning", figure, sentence, remedy)
    else:
        yield Finding("calibration", "ok", figure, f"its confidence is within {error:.2f} of its accuracy on average.")


def calibration_error(probabilities: Floats, codes: Integers) -> float:
    """Expected calibration error of the top class: mean over rows of |confidence - accuracy| in 15 equal bins.

    Source:
        Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, section 2, arXiv 1706.04599.
    """
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    return _binned(top, right)


def chance_error(probabilities: Floats, seed: int, draws: int = 200) -> float:
    """The largest calibration error of `draws` sets of labels that a perfectly calibrated teacher would see."""
    top = probabilities.max(axis=1)
    draw = np.random.default_rng(seed)
    return max(_binned(top, draw.random(len(top)) < top) for _ in range(draws))


def _binned(top: Floats, right: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    bins = np.minimum((top * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bins, top - right, minlength=BINS)).sum() / len(top))


def best_temperature(probabilities: Floats, codes: Integers) -> tuple[float, float]:
    """The temperature at which the labels are likeliest, and the nats a row gained over temperature 1.

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
