"""Soft targets for any classifier whose `fit` takes sample weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter, validate_data

from tutelage.core.arguments import number
from tutelage.core.arrays import Floats, Integers
from tutelage.core.errors import BadInput, ShapeError, WrongType, reported_as_ours
from tutelage.data.row_arrays import array_of
from tutelage.students.soft_classifier import SoftClassifier


class WrapperClassifier(SoftClassifier):
    """A student around another estimator. X is not converted: the wrapped estimator validates frames, texts and sparse matrices."""

    estimator: Any

    def _checked(self, X: Any, *, reset: bool) -> Any:
        if not (hasattr(X, "shape") or isinstance(X, list | tuple)):
            X = np.asarray(X)
            if X.ndim == 0:
                raise WrongType("X is a single value; expected (rows, features), a frame or a list of texts.")
        X = array_of(X) if isinstance(X, np.ma.MaskedArray) else X
        if isinstance(X, list | tuple) and not X:
            raise ShapeError("X has no rows; expected at least one.")
        if isinstance(X, np.ndarray) and X.ndim < 2 and X.dtype.kind in "biufc":
            raise ShapeError(f"X has shape {X.shape}; expected (rows, features). Reshape your data, one row as X.reshape(1, -1).")
        with reported_as_ours():
            return validate_data(self, X, reset=reset, skip_check_array=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


FEWEST = 20
"""Rows that a class keeps, at least, however unlikely it is: those where it is most likely."""


class SoftTargets(WrapperClassifier):
    """Train a scikit-learn classifier on probabilities: each row is repeated once per class, weighted by its probability.

    In each row, the least likely classes are dropped while the dropped probability sums to at most `negligible`; the
    remaining probabilities are scaled to sum to one. No class disappears, or is known from a row or two alone, from which a
    classifier would learn that it has no variance: each keeps the 20 rows where it is most likely. Class labels
    (one-dimensional y) are passed on unchanged.

    X is passed on unchanged as well: frames, texts and sparse matrices work where the classifier accepts them.

    Args:
        estimator: a classifier with `predict_proba` whose `fit` takes `sample_weight`. In a pipeline, wrap the last
            step and not the whole pipeline, because the earlier steps should see each row once.
        negligible: the probability that may be dropped from each row, in [0, 1); 0 drops only zeros.

    Attributes:
        estimator_: the fitted classifier; its classes are column indices.
        expansion_: rows that the classifier was fitted on, per row of X.
        dropped_mass_: {"max", "mean"} over the rows of X of the probability that was dropped.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftTargets(GaussianNB()).fit(X, soft_targets, classes=["setosa", "versicolor", "virginica"])
        >>> student.predict(X[[0, 75, 149]]).tolist()
        ['setosa', 'versicolor', 'virginica']
    """

    estimator_: Any
    expansion_: float
    dropped_mass_: dict[str, float]

    def __init__(self, estimator: Any, *, negligible: float = 1e-3) -> None:
        self.estimator = estimator
        self.negligible = negligible

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        name = type(self.estimator).__name__
        if not hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{name} has no predict_proba; expected a classifier that predicts probabilities. Choose one that does.")
        expanded = expand(targets, negligible=self.negligible)
        self.expansion_ = len(expanded.rows) / len(targets)
        self.dropped_mass_ = {"max": float(expanded.dropped.max()), "mean": float(expanded.dropped.mean())}
        self.estimator_ = clone(self.estimator)
        if len(expanded.rows) == len(targets) and weights is None:
            with reported_as_ours(f"{name} cannot be fitted"):
                self.estimator_.fit(X, expanded.columns)
            return
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise BadInput(f"fit of {name} takes no sample_weight, which soft targets need; choose a classifier whose fit does.")
        row_weights = expanded.weights if weights is None else expanded.weights * weights[expanded.rows]
        positive = row_weights > 0  # some classifiers fail on a weight of zero
        with reported_as_ours(f"{name} cannot be fitted"):
            self.estimator_.fit(_select_rows(X, expanded.rows[positive]), expanded.columns[positive], sample_weight=row_weights[positive])

    def _probabilities(self, X: Any) -> Floats:
        with reported_as_ours(f"{type(self.estimator_).__name__} cannot answer these rows"):
            predicted = np.asarray(self.estimator_.predict_proba(X))
        answers = np.zeros((len(predicted), len(self.classes_)), dtype=predicted.dtype)
        answers[:, self.estimator_.classes_] = predicted  # a class without any row has no column in the classifier
        return answers


@dataclass(frozen=True)
class Expanded:
    """Rows repeated once per class.

    Attributes:
        rows: (expanded,) index of the original row, ascending.
        columns: (expanded,) index of the class.
        weights: (expanded,) float64; the weights of one original row sum to one.
        dropped: (rows,) the probability that was dropped from each original row.
    """

    rows: Integers
    columns: Integers
    weights: Floats
    dropped: Floats


def expand(targets: Floats, *, negligible: float = 0.0) -> Expanded:
    """Weighted rows with class labels that are equivalent to soft targets; see `SoftTargets`.

    Args:
        targets: (rows, classes) probabilities, rows sum to one.
        negligible: the probability that may be dropped from each row, in [0, 1).

    Raises:
        BadInput: `negligible` is outside [0, 1).
    """
    negligible = number("negligible", negligible, least=0, below=1, hint="(a probability)")
    masses = np.asarray(targets, dtype=np.float64)
    retained = _retained(masses, negligible)
    masses = np.where(retained, masses, 0)
    totals = masses.sum(axis=1)
    rows, columns = np.nonzero(retained)
    weights = masses[rows, columns] / totals[rows]
    return Expanded(rows, columns, weights, np.maximum(1 - totals, 0))


def _retained(masses: Floats, negligible: float) -> NDArray[np.bool_]:
    ascending = masses.argsort(axis=1, kind="stable")
    cumulative = np.take_along_axis(masses, ascending, axis=1).cumsum(axis=1)
    retained = np.empty(masses.shape, dtype=bool)
    np.put_along_axis(retained, ascending, cumulative > negligible, axis=1)
    retained &= masses > 0
    for column in np.flatnonzero((retained.sum(axis=0) < FEWEST) & masses.any(axis=0)):
        likeliest = np.argsort(-masses[:, column], kind="stable")[:FEWEST]
        retained[likeliest, column] |= masses[likeliest, column] > 0
    return retained


def _select_rows(X: Any, rows: Integers) -> Any:
    sparse: bool = issparse(X)
    return _safe_indexing(X.tocsr() if sparse else X, rows)
