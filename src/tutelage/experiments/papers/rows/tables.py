"""Problems that come with scikit-learn, as tables: whole data sets, and generated ones; and an ensemble that learns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_hastie_10_2
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from tutelage.core.arrays import Floats


@dataclass(frozen=True)
class Table:
    """Training and test rows of a seed, scaled by the training rows.

    Attributes:
        inputs, test_inputs: (rows, features) float64.
        labels, test_labels: (rows,) classes from 0.
    """

    inputs: Floats
    labels: NDArray[np.int64]
    test_inputs: Floats
    test_labels: NDArray[np.int64]


def _breast_cancer(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    X, y = load_breast_cancer(return_X_y=True)
    return np.asarray(X), np.asarray(y, dtype=np.int64)


def _even_digits(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    X, y = load_digits(return_X_y=True)
    return np.asarray(X), np.asarray(y % 2 == 0, dtype=np.int64)


def _digits(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    X, y = load_digits(return_X_y=True)
    return np.asarray(X), np.asarray(y, dtype=np.int64)


def _hastie(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    X, y = make_hastie_10_2(n_samples=12_000, random_state=int(rng.integers(2**31)))
    return np.asarray(X), np.asarray(y > 0, dtype=np.int64)


def _rings(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Six normal features; the class is whether a smooth function of three of them is positive, and 5 % of labels are turned."""
    X = rng.standard_normal((12_000, 6))
    y = (np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + X[:, 0] * X[:, 2] > 1.0).astype(np.int64)
    return X, np.where(rng.random(len(y)) < 0.05, 1 - y, y)


TABLES: dict[str, Callable[[np.random.Generator], tuple[Floats, NDArray[np.int64]]]] = {
    "breast cancer": _breast_cancer,
    "even digits": _even_digits,
    "ten Gaussians": _hastie,
    "waves": _rings,
}
"""Binary problems by name: Wisconsin breast cancer, even against odd digits of 8 x 8 pixels, whether the squares of ten normal features
are large (Hastie, Tibshirani, Friedman 2009, equation 10.2), and whether a smooth function of three of six features is large."""
DIGITS = _digits


def split(name: str, seed: int, *, rows: int) -> Table:
    """A table of `TABLES`, or "digits" with all ten classes: `rows` training rows at most, drawn by the seed, and half to test.

    Args:
        name: of the table.
        seed: draws rows, and generates generated tables.
        rows: the most training rows; half of the table if it has fewer than twice as many.
    """
    rng = np.random.default_rng((seed, len(name)))
    X, y = (DIGITS if name == "digits" else TABLES[name])(rng)
    order = rng.permutation(len(X))
    count = min(rows, len(X) // 2)
    train, test = order[:count], order[count : count + max(len(X) // 2, 1)]
    mean, spread = X[train].mean(axis=0), X[train].std(axis=0)
    scaled = (X - mean) / np.where(spread > 0, spread, 1.0)
    return Table(scaled[train], y[train], scaled[test], y[test])


def ensemble(
    inputs: Floats, labels: NDArray[np.int64], *, trees: int, seed: int, rounds: int = 100, classes: int = 2
) -> Callable[[Floats], Floats]:
    """Learns rows and their classes, and averages the probabilities of two forests and boosted trees.

    Args:
        inputs: (rows, features).
        labels: (rows,) classes from 0; some may be missing.
        trees: of each forest.
        seed: of all three models.
        rounds: of boosting.
        classes: the number of classes.

    Returns:
        (rows, features) -> (rows, classes) probabilities.
    """
    members = [
        RandomForestClassifier(trees, random_state=seed).fit(inputs, labels),
        ExtraTreesClassifier(trees, random_state=seed).fit(inputs, labels),
        HistGradientBoostingClassifier(max_iter=rounds, random_state=seed).fit(inputs, labels),
    ]
    return lambda rows: np.mean([every_class(member, rows, classes) for member in members], axis=0)


def every_class(model: Any, rows: Any, classes: int) -> Floats:
    """(rows, classes) probabilities of a model that may have seen fewer classes: 0 of those that it has not."""
    found = np.zeros((rows.shape[0], classes))
    found[:, model.classes_] = model.predict_proba(rows)
    return found
