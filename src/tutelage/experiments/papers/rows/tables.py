"""Problems that come with tutelage and scikit-learn, as tables: whole data sets, and generated ones; and an ensemble that learns them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, make_hastie_10_2
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from tutelage.core.arrays import Floats
from tutelage.data.datasets import load_mnist


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


def _mixed(generated: Callable[[np.random.Generator], tuple[Floats, NDArray[np.int64]]]) -> Callable[[np.random.Generator], Any]:
    """The same problem seen through twenty bent and noisy mixtures of its features, so that rows lie near a curved surface."""

    def made(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
        X, y = generated(rng)
        mixing = np.random.default_rng(0).standard_normal((X.shape[1], MIXTURES)) / np.sqrt(X.shape[1])
        return np.tanh(X @ mixing) + 0.05 * rng.standard_normal((len(X), MIXTURES)), y

    return made


def _large_digits(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """12 000 pictures of MNIST as means of 4 x 4 pixels; the class is whether the digit is 5 or more."""
    images = load_mnist()
    X = images.train_images[:12_000].reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49)
    return X, np.asarray(images.train_labels[:12_000] >= 5, dtype=np.int64)


MIXTURES = 20
TABLES: dict[str, Callable[[np.random.Generator], tuple[Floats, NDArray[np.int64]]]] = {
    "breast cancer": _breast_cancer,
    "even digits": _even_digits,
    "ten Gaussians": _hastie,
    "waves": _rings,
    "large digits": _large_digits,
    "ten Gaussians, mixed": _mixed(_hastie),
    "waves, mixed": _mixed(_rings),
}
"""Binary problems by name: Wisconsin breast cancer, even against odd digits of 8 x 8 pixels, whether the squares of ten normal features
are large (Hastie, Tibshirani, Friedman 2009, equation 10.2), whether a smooth function of three of six features is large, digits of MNIST
from 5 on against those below, and the two generated ones behind twenty mixtures of their features."""
DIGITS = _digits
ROUNDS = 50
"""How many votes an ensemble selects."""


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


def selected_ensemble(inputs: Floats, labels: NDArray[np.int64], *, trees: int, seed: int) -> Callable[[Floats], Floats]:
    """Learns rows and their two classes by ensemble selection: models of several kinds vote, as often as lowers the error on held-out rows.

    A library of forests, boosted trees, kernel machines, networks, neighbours and linear models learns four fifths of the rows. The one
    that lowers the squared error of the mean on the last fifth the most is added, again and again; a model may be added several times.

    Args:
        inputs: (rows, features), in random order.
        labels: (rows,) 0 or 1.
        trees: of each forest.
        seed: of all models.

    Returns:
        (rows, features) -> (rows, 2) probabilities.

    Source:
        Caruana, Niculescu-Mizil, Crew, Ksikes, "Ensemble selection from libraries of models", ICML 2004; the teacher of Bucila et al. 2006.
    """
    held = len(inputs) // 5
    library = [
        *(RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=seed) for leaf in (1, 5)),
        *(ExtraTreesClassifier(trees, min_samples_leaf=leaf, random_state=seed) for leaf in (1, 5)),
        *(HistGradientBoostingClassifier(max_iter=100, learning_rate=rate, random_state=seed) for rate in (0.03, 0.1)),
        *(CalibratedClassifierCV(SVC(C=C), cv=3, ensemble=False) for C in (1.0, 10.0)),
        *(
            MLPClassifier((units, units), alpha=alpha, early_stopping=True, n_iter_no_change=20, max_iter=300, random_state=seed + place)
            for place, (units, alpha) in enumerate(product((64, 256), (1e-4, 1e-2, 1.0)))
        ),
        *(KNeighborsClassifier(count) for count in (5, 25)),
        LogisticRegression(max_iter=1000),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a network that stops after its epochs may still vote
        for model in library:
            model.fit(inputs[held:], labels[held:])
    answers = np.stack([model.predict_proba(inputs[:held])[:, 1] for model in library])
    votes, total = np.zeros(len(library), dtype=int), np.zeros(held)
    for count in range(1, ROUNDS + 1):
        best = int((((total + answers) / count - labels[:held]) ** 2).mean(axis=1).argmin())
        votes[best] += 1
        total += answers[best]
    chosen = [(model, share) for model, share in zip(library, votes / ROUNDS, strict=True) if share]
    return lambda rows: np.sum([share * model.predict_proba(rows) for model, share in chosen], axis=0)


def every_class(model: Any, rows: Any, classes: int) -> Floats:
    """(rows, classes) probabilities of a model that may have seen fewer classes: 0 of those that it has not."""
    found = np.zeros((rows.shape[0], classes))
    found[:, model.classes_] = model.predict_proba(rows)
    return found
