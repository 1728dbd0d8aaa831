"""A decision tree that learns from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from tutelage.core.arrays import Floats, check_probabilities, one_hot, same_length


class SoftTree(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier grown on soft targets: one multi-output regression tree on the class probabilities.

    A leaf predicts the mean target of its rows, so its answers are probabilities as they are. On one-hot
    targets the splits are those of a classification tree with the Gini criterion.

    Args:
        max_leaf_nodes: grow at most so many leaves, best first; None grows until the leaves are pure.
        min_samples_leaf: rows that a leaf must hold at least.
        random_state: settles ties between equally good splits.
    """

    def __init__(self, *, max_leaf_nodes: int | None = None, min_samples_leaf: int = 1, random_state: int | None = None) -> None:
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> SoftTree:
        """Grow the tree.

        Args:
            X: (rows, features).
            y: (rows, classes) probabilities, for classes 0, 1, ...; or (rows,) labels of any kind.

        Raises:
            NotProbabilities: a matrix whose rows are not distributions. ShapeError: X and y differ in rows.
        """
        same_length(X, y, "X and y")
        labels = np.asarray(y)
        if labels.ndim == 1:
            self.classes_, codes = np.unique(labels, return_inverse=True)
            targets = one_hot(codes, len(self.classes_))
        else:
            targets = check_probabilities(labels, "the soft targets")
            self.classes_ = np.arange(targets.shape[1])
        self.tree_ = DecisionTreeRegressor(
            max_leaf_nodes=self.max_leaf_nodes, min_samples_leaf=self.min_samples_leaf, random_state=self.random_state
        ).fit(X, targets)
        return self

    def predict_proba(self, X: NDArray[Any]) -> Floats:
        """(rows, features) -> (rows, classes)."""
        check_is_fitted(self)
        return np.asarray(self.tree_.predict(X)).reshape(-1, len(self.classes_))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """(rows, features) -> (rows,) labels."""
        columns = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[columns])
