"""Targets made from answers, in NumPy: temper, untemper, smooth, harden."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.arrays import Floats, check_probabilities, one_hot, softmax
from tutelage.core.errors import BadInput


def check_temperature(temperature: float) -> float:
    """Return a temperature that softmax can use.

    Raises:
        BadInput: not a finite number above zero.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise BadInput(f"temperature is {temperature}; expected a finite number above 0 (1 leaves the teacher as it is).")
    return float(temperature)


def soften(logits: ArrayLike, temperature: float) -> Floats:
    """A teacher's soft targets: softmax(logits / temperature), in the dtype given.

    Args:
        logits: (rows, classes), unnormalised; -inf is a class of probability zero.
        temperature: above zero.

    Raises:
        BadInput: a temperature that is not above zero.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.
    """
    return softmax(np.asarray(logits) / check_temperature(temperature))


def temper(probabilities: ArrayLike, temperature: float) -> Floats:
    """The probabilities that a softer (above 1) or sharper (below 1) teacher would give: softmax(log p / temperature).

    log p is the logits up to one constant a row, so this equals softmax(logits / temperature) exactly; a class
    of probability zero stays at zero.

    Args:
        probabilities: (rows, classes), rows sum to one.
        temperature: above zero.

    Returns:
        (rows, classes), in the dtype given.

    Raises:
        BadInput: a temperature that is not above zero. NotProbabilities: rows that are not distributions.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.
    """
    p = check_probabilities(probabilities)
    with np.errstate(divide="ignore"):
        return soften(np.log(p), temperature)


def untemper(tempered_probs: ArrayLike, temperature: float) -> Floats:
    """Undo `temper`: the probabilities from which it made these, at the same temperature.

    Raises:
        as `temper`.
    """
    return temper(tempered_probs, 1.0 / check_temperature(temperature))


def smooth(probabilities: ArrayLike, amount: float) -> Floats:
    """Label smoothing: (1 - amount) p + amount / classes.

    Args:
        probabilities: (rows, classes), often one-hot.
        amount: in [0, 1]; 0 changes nothing, 1 leaves the uniform distribution.

    Raises:
        BadInput: an amount outside [0, 1]. NotProbabilities: rows that are not distributions.

    Source:
        Szegedy et al. 2016, section 7, arXiv 1512.00567.
    """
    if not 0 <= amount <= 1:
        raise BadInput(f"amount is {amount}; label smoothing takes a number from 0 to 1.")
    p = check_probabilities(probabilities)
    return np.asarray((1 - amount) * p + amount / p.shape[1], dtype=p.dtype)


def harden(probabilities: ArrayLike) -> Floats:
    """The teacher's decision alone, as one-hot rows: what is left when the dark knowledge is thrown away.

    Args:
        probabilities: (rows, classes); the first of several equal largest classes wins.
    """
    p = check_probabilities(probabilities)
    return one_hot(p.argmax(axis=1), p.shape[1])
