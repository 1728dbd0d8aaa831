"""Soft targets for any classifier that can weigh its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter, validate_data

from tutelage.core.arrays import Floats, Integers
from tutelage.core.errors import BadInput, ShapeError
from tutelage.students.soft_classifier import SoftClassifier


class Wrapping(SoftClassifier):
    """A student around another estimator, which is left to check rows: frames, texts and sparse matrices are its affair."""

    estimator: Any

    def _checked(self, X: Any, *, reset: bool) -> Any:
        if not (hasattr(X, "shape") or isinstance(X, list | tuple)):
            X = np.asarray(X)
        if isinstance(X, list | tuple) and not X:
            raise ShapeError("X has no rows; give at least one.")
        if isinstance(X, np.ndarray) and X.ndim < 2 and X.dtype.kind in "biufc":
            raise ShapeError(f"X has shape {X.shape}; expected (rows, features). Reshape your data, one row as X.reshape(1, -1).")
        return validate_data(self, X, reset=reset, skip_check_array=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


class SoftTargets(Wrapping):
    """A scikit-learn classifier taught by probabilities: every row is given once a class, weighted by its probability.

    In each row the least likely classes are left out as long as what is left out sums to at most `negligible`; the
    others are scaled up to one. What a class is left out of entirely is not decided so: a class of any probability
    keeps its likeliest row. Labels are passed on as they are.

    X is passed on as it is, too: frames, texts and sparse matrices work where the classifier takes them.

    Args:
        estimator: a classifier with `predict_proba` whose `fit` takes `sample_weight`. In a pipeline, put SoftTargets
            around the last step and not around the pipeline, for what comes before should see each row once.
        negligible: the probability that may be left out of each row, from 0 to below 1; 0 leaves out only zeros.

    Attributes:
        estimator_: the fitted classifier; its classes are the columns' numbers.
        expansion_: rows that it was given, for each row of X.
        dropped_mass_: {"max", "mean"} over rows, the probability that was left out.
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
            raise BadInput(f"{name} has no predict_proba, so that nothing could be compared with soft targets; take a classifier that has.")
        expanded = expand(targets, negligible=self.negligible)
        self.expansion_ = len(expanded.rows) / len(targets)
        self.dropped_mass_ = {"max": float(expanded.dropped.max()), "mean": float(expanded.dropped.mean())}
        self.estimator_ = clone(self.estimator)
        if len(expanded.rows) == len(targets) and weights is None:
            self.estimator_.fit(X, expanded.columns)
            return
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise BadInput(f"fit of {name} takes no sample_weight, which soft targets need; take a classifier whose fit does.")
        row_weights = expanded.weights if weights is None else expanded.weights * weights[expanded.rows]
        counted = row_weights > 0  # not every classifier can bear a weight of zero
        self.estimator_.fit(_selected(X, expanded.rows[counted]), expanded.columns[counted], sample_weight=row_weights[counted])

    def _probabilities(self, X: Any) -> Floats:
        known = np.asarray(self.estimator_.predict_proba(X))
        answers = np.zeros((len(known), len(self.classes_)), dtype=known.dtype)
        answers[:, self.estimator_.classes_] = known  # a class nobody held has no column there
        return answers


@dataclass(frozen=True)
class Expanded:
    """Rows given once a class.

    Attributes:
        rows: (expanded,) which row, in order.
        columns: (expanded,) which class.
        weights: (expanded,) float64; those of a row sum to one.
        dropped: (rows,) the probability that was left out.
    """

    rows: Integers
    columns: Integers
    weights: Floats
    dropped: Floats


def expand(targets: Floats, *, negligible: float = 0.0) -> Expanded:
    """Weighted rows that teach what (rows, classes) soft targets do, as `SoftTargets` describes them.

    Raises:
        BadInput: a negligible probability that is not from 0 to below 1.
    """
    if not 0 <= negligible < 1:
        raise BadInput(f"negligible is {negligible}; expected a probability from 0 to below 1.")
    masses = np.asarray(targets, dtype=np.float64)
    keep = _kept(masses, negligible)
    masses = np.where(keep, masses, 0)
    held = masses.sum(axis=1)
    rows, columns = np.nonzero(keep)
    weights = masses[rows, columns] / held[rows]
    return Expanded(rows, columns, weights, np.maximum(1 - held, 0))


def _kept(masses: Floats, negligible: float) -> NDArray[np.bool_]:
    ascending = masses.argsort(axis=1, kind="stable")
    least = np.take_along_axis(masses, ascending, axis=1).cumsum(axis=1)
    keep = np.empty(masses.shape, dtype=bool)
    np.put_along_axis(keep, ascending, least > negligible, axis=1)
    keep &= masses > 0
    for column in np.flatnonzero(~keep.any(axis=0) & masses.any(axis=0)):
        keep[masses[:, column].argmax(), column] = True
    return keep


def _selected(X: Any, rows: Integers) -> Any:
    sparse: bool = issparse(X)
    return _safe_indexing(X.tocsr() if sparse else X, rows)
