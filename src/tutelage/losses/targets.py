"""Targets computed from answers, in NumPy: soften, temper, untemper, smooth, harden."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from tutelage.core.arguments import number
from tutelage.core.arrays import Floats, as_matrix, at_least_single, check_logits, check_probabilities, one_hot, softmax
from tutelage.core.errors import BadInput

TEMPERATURES = (1e-6, 1e6)
"""The valid temperatures. At the highest, float32 probabilities keep one digit of a difference between two logits."""

BOUNDS = (1e-3, 1e3)
"""Temperatures among which `matching_temperature` searches."""


def check_temperature(temperature: float) -> float:
    """Return a temperature as a float after checking that it is valid.

    Raises:
        BadInput: it is not a number above zero, or one so far from 1 that the targets would be lost in rounding.
    """
    given = number("temperature", temperature, above=0, hint="(1 leaves the teacher as it is)")
    if not TEMPERATURES[0] <= given <= TEMPERATURES[1]:
        low, high = TEMPERATURES
        raise BadInput(f"temperature is {given:g}; expected one from {low:g} to {high:g}: beyond, rounding hides what the teacher says.")
    return given


def soften(logits: ArrayLike, temperature: float) -> Floats:
    """A teacher's soft targets: softmax(logits / temperature).

    Args:
        logits: (rows, classes), unnormalised; -inf is a class of probability zero.
        temperature: above zero.

    Returns:
        (rows, classes) probabilities, in the dtype of `logits`.

    Raises:
        BadInput: a temperature that is not above zero, or logits of NaN or +inf. ShapeError: logits that are not (rows, classes) numbers.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.

    Example:
        >>> import tutelage as tl
        >>> tl.soften([[4.0, 2.0, 0.0]], temperature=1.0).round(2)
        array([[0.87, 0.12, 0.02]])
        >>> tl.soften([[4.0, 2.0, 0.0]], temperature=4.0).round(2)
        array([[0.51, 0.31, 0.19]])
    """
    temperature, rows = check_temperature(temperature), as_matrix(logits, "the logits", least=0)
    return softmax(at_least_single(check_logits(rows, "the logits")) / temperature).astype(rows.dtype, copy=False)


def temper(probabilities: ArrayLike, temperature: float) -> Floats:
    """Soften (temperature above 1) or sharpen (below 1) a teacher's probabilities: softmax(log p / temperature).

    log p equals the logits up to one constant per row, so that this equals softmax(logits / temperature) exactly. A class of
    probability zero stays at zero.

    Args:
        probabilities: (rows, classes), rows sum to one.
        temperature: above zero.

    Returns:
        (rows, classes) probabilities, in the dtype of the input.

    Raises:
        BadInput: a temperature that is not above zero.
        NotProbabilities: rows that are not probability distributions.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.

    Example:
        >>> import tutelage as tl
        >>> tl.temper([[0.90, 0.09, 0.01]], temperature=2.0).round(2)
        array([[0.7 , 0.22, 0.07]])
    """
    p = check_probabilities(probabilities)
    with np.errstate(divide="ignore"):
        return soften(np.log(at_least_single(p)), temperature).astype(p.dtype, copy=False)


def untemper(tempered_probs: ArrayLike, temperature: float) -> Floats:
    """The inverse of `temper`: the probabilities at temperature 1, given those at a temperature.

    Args:
        tempered_probs: (rows, classes), rows sum to one.
        temperature: the temperature at which they were computed, above zero.

    Returns:
        (rows, classes) probabilities, in the dtype of the input.

    Raises:
        BadInput: a temperature that is not above zero.
        NotProbabilities: rows that are not probability distributions.

    Example:
        >>> import tutelage as tl
        >>> softer = tl.temper([[0.90, 0.09, 0.01]], temperature=2.0)
        >>> tl.untemper(softer, temperature=2.0).round(2)
        array([[0.9 , 0.09, 0.01]])
    """
    return temper(tempered_probs, 1.0 / check_temperature(temperature))


def matching_temperature(probabilities: Floats, target_probs: Floats, weights: Floats | None = None) -> float:
    """The temperature at which `temper(probabilities, temperature)` has the smallest cross-entropy against the targets.

    A class of probability zero stays at zero, as in `temper`, so that it has no influence.

    Args:
        probabilities: (rows, classes), rows sum to one.
        target_probs: (rows, classes), rows sum to one; one-hot for labels.
        weights: (rows,) weight of each row; all equal if not given.

    Returns:
        A temperature within `BOUNDS`; above 1 if the probabilities are too confident.

    Source:
        Guo et al. 2017, section 4.2, arXiv 1706.04599.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(probabilities, dtype=np.float64))
    possible = np.isfinite(logs)
    finite = np.where(possible, logs, 0.0)
    target_mass = np.where(possible, target_probs, 0.0).sum(axis=1, keepdims=True)

    def slope(log_temperature: float) -> float:
        """The derivative of the cross-entropy by 1 / temperature, which decreases where the temperature rises."""
        excess = target_mass * softmax(logs / np.exp(log_temperature)) - target_probs
        return float(np.average((excess * finite).sum(axis=1), weights=weights))

    lowest, highest = np.log(BOUNDS[0]), np.log(BOUNDS[1])
    if slope(lowest) <= 0:
        return BOUNDS[0]
    return BOUNDS[1] if slope(highest) >= 0 else float(np.exp(brentq(slope, lowest, highest)))


def smooth(probabilities: ArrayLike, amount: float) -> Floats:
    """Label smoothing: (1 - amount) p + amount / classes.

    Args:
        probabilities: (rows, classes), often one-hot.
        amount: in [0, 1]; 0 changes nothing, 1 gives the uniform distribution.

    Raises:
        BadInput: an amount outside [0, 1].
        NotProbabilities: rows that are not probability distributions.

    Source:
        Szegedy et al. 2016, section 7, arXiv 1512.00567.
    """
    amount = number("amount", amount, least=0, most=1, hint="for label smoothing")
    p = check_probabilities(probabilities)
    return np.asarray((1 - amount) * p + amount / p.shape[1], dtype=p.dtype)


def harden(probabilities: ArrayLike) -> Floats:
    """The teacher's decisions as one-hot rows, without the probabilities of the other classes.

    Args:
        probabilities: (rows, classes). If more than one class has the largest probability, the first is chosen.

    Raises:
        NotProbabilities: rows that are not probability distributions.
    """
    p = check_probabilities(probabilities)
    return one_hot(p.argmax(axis=1), p.shape[1])
