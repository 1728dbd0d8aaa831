"""Which classes a specialist gets, which rows it learns from, and how its answers are put together with those of the generalist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from tutelage.core.arrays import Floats, softmax

LEAST = 1e-12
"""Smaller probabilities count as this one."""
MOST_STEPS, CLOSE = 1000, 1e-12
"""The iteration ends after so many steps, or when no probability changes by more."""


def clusters(probabilities: Floats, count: int, *, seed: int) -> tuple[tuple[int, ...], ...]:
    """Groups of classes that are predicted together: k-means on the columns of the covariance of the predictions.

    With few classes, how much each varies by itself would decide which columns are alike. The diagonal is therefore replaced by the
    largest covariance with another class.

    Args:
        probabilities: (rows, classes) predictions.
        count: number of groups.
        seed: of k-means.

    Returns:
        Every class in one group, as sorted tuples.
    """
    covariance = np.cov(probabilities, rowvar=False)
    np.fill_diagonal(covariance, -np.inf)
    np.fill_diagonal(covariance, covariance.max(axis=0))
    places = KMeans(count, n_init=10, random_state=seed).fit_predict(covariance.T)
    return tuple(sorted(tuple(np.flatnonzero(places == place).tolist()) for place in range(count)))


def specialist_rows(labels: NDArray[np.int64], special: Sequence[int], *, seed: int) -> NDArray[np.int64]:
    """(rows,) numbers of the rows of an epoch: half of them of the special classes, half drawn from the others.

    Rows of the smaller part are repeated, each about as often as the others.
    """
    rng = np.random.default_rng(seed)
    own = np.isin(labels, special)
    parts = [rng.permutation(np.flatnonzero(part)) for part in (own, ~own)]
    return rng.permutation(np.concatenate([np.resize(part, len(labels) // 2) for part in parts]))


def dustbin_correction(labels: NDArray[np.int64], special: Sequence[int]) -> float:
    """What is added to the logit of the dustbin class: the logarithm of how many times the special classes were oversampled."""
    share = float(np.isin(labels, special).mean())
    return float(np.log((1 - share) / share))


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a specialist says of every row.

    Attributes:
        special: its classes.
        probabilities: (rows, special classes + 1); the last column is that of the dustbin, all other classes.
    """

    special: tuple[int, ...]
    probabilities: Floats

    @classmethod
    def of(cls, special: tuple[int, ...], probabilities: Floats, correction: float) -> Opinion:
        """The opinion of a specialist whose dustbin class was seen too rarely."""
        logits = np.log(np.maximum(probabilities, LEAST))
        logits[:, -1] += correction
        return cls(special, softmax(logits))


def combined(generalist: Floats, opinions: Sequence[Opinion]) -> Floats:
    """The distribution q that minimises KL(generalist, q) + sum of KL(specialist, q) over the specialists of the predicted class.

    A specialist is asked where the generalist's most probable class is one of its own; its dustbin is compared with the sum of q over all
    other classes. The problem is convex in q. Its optimum is the fixed point of an iteration that gives the mass of each dustbin to
    the classes in it, in proportion to q.

    Args:
        generalist: (rows, classes) probabilities.
        opinions: of the specialists; their classes may overlap.

    Returns:
        (rows, classes) probabilities.

    Source:
        Hinton, Vinyals, Dean 2015, equation 5; there by gradient descent on the logits of q for each row.
    """
    first = np.maximum(generalist, LEAST)
    first = first / first.sum(axis=1, keepdims=True)
    decided = first.argmax(axis=1)
    asked = [np.isin(decided, one.special).astype(np.float64)[:, None] for one in opinions]
    q, total = first, 1.0 + sum(asked)
    for _ in range(MOST_STEPS):
        mass = first.copy()
        for one, active in zip(opinions, asked, strict=True):
            shared = q.copy()
            shared[:, one.special] = 0.0
            shared *= one.probabilities[:, -1:] / np.maximum(shared.sum(axis=1, keepdims=True), LEAST)
            shared[:, one.special] = one.probabilities[:, :-1]
            mass += active * shared
        before, q = q, mass / total
        if np.abs(q - before).max() <= CLOSE:
            break
    return np.asarray(q)
