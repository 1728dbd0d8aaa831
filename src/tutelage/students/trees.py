"""Decision trees and forests that learn from probabilities."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput
from tutelage.students.soft_classifier import SoftClassifier

TargetSpace = Literal["probabilities", "logits"]


class _Grown(SoftClassifier):
    """What a tree and a forest share: a multi-output regressor on the targets, or on their logits.

    Trees of scikit-learn read float32 and know NaN as a value of its own; zeros of a sparse matrix are zeros.
    """

    _inputs: ClassVar[dict[str, Any]] = {"dtype": np.float32, "accept_sparse": "csc", "ensure_all_finite": "allow-nan"}

    targets: TargetSpace
    smallest_probability: float

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        if self.targets not in {"probabilities", "logits"}:
            raise BadInput(f"targets is {self.targets!r}; expected 'probabilities' or 'logits'.")
        if self.targets == "logits":
            targets = centred_logits(targets, self.smallest_probability)
        self._grow(X, targets, weights)

    def _probabilities(self, X: Any) -> Floats:
        values = np.asarray(self._regressor().predict(X)).reshape(-1, len(self.classes_))
        return softmax(values) if self.targets == "logits" else values

    def _settings(self) -> dict[str, Any]:
        """The settings that are the regressor's, under the same names."""
        own = {"targets", "smallest_probability"}
        return {name: value for name, value in self.get_params(deep=False).items() if name not in own}

    @abstractmethod
    def _grow(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        """Fit the regressor."""

    @abstractmethod
    def _regressor(self) -> Any:
        """The fitted regressor."""


class SoftTree(_Grown):
    """A classifier grown on soft targets: one multi-output regression tree on the class probabilities.

    A leaf predicts the mean target of its rows, so its answers are probabilities as they are. On one-hot
    targets the splits are those of a classification tree with the Gini criterion. NaN in X is a value of its own.

    Args:
        max_leaf_nodes: grow at most so many leaves, best first; None grows until the leaves are pure.
        max_depth: levels below the root at most.
        min_samples_leaf: rows (or, below 1, the share of rows) that a leaf must hold at least.
        min_impurity_decrease: split only where the squared error falls by at least this much.
        max_features: features looked at for a split, as scikit-learn counts them; None looks at all.
        targets: "probabilities", or "logits": centred log-probabilities, whose leaf means go through softmax, so
            that a factor of two counts alike for rare and for likely classes.
        smallest_probability: what lower probabilities are raised to before their logarithm is taken.
        random_state: settles ties between equally good splits.

    Attributes:
        tree_: the fitted DecisionTreeRegressor.
    """

    tree_: DecisionTreeRegressor

    def __init__(
        self,
        *,
        max_leaf_nodes: int | None = None,
        max_depth: int | None = None,
        min_samples_leaf: float = 1,
        min_impurity_decrease: float = 0.0,
        max_features: float | str | None = None,
        targets: TargetSpace = "probabilities",
        smallest_probability: float = 1e-3,
        random_state: int | None = None,
    ) -> None:
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.min_impurity_decrease = min_impurity_decrease
        self.max_features = max_features
        self.targets = targets
        self.smallest_probability = smallest_probability
        self.random_state = random_state

    def _grow(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        self.tree_ = DecisionTreeRegressor(**self._settings()).fit(X, targets, sample_weight=weights)

    def _regressor(self) -> Any:
        return self.tree_


class SoftForest(_Grown):
    """Many trees on soft targets, each on rows drawn with replacement; the answer is their mean.

    Args:
        n_estimators: trees.
        max_leaf_nodes: leaves of a tree at most, best first; None grows until the leaves are pure.
        max_depth: levels below the root at most.
        min_samples_leaf: rows (or, below 1, the share of rows) that a leaf must hold at least.
        min_impurity_decrease: split only where the squared error falls by at least this much.
        max_features: features looked at for a split, as scikit-learn counts them.
        bootstrap: draw rows for each tree; otherwise every tree sees all of them.
        targets: as for `SoftTree`.
        smallest_probability: as for `SoftTree`.
        n_jobs: trees grown at a time; None is one, -1 is one a processor.
        random_state: settles the draws.

    Attributes:
        forest_: the fitted RandomForestRegressor.
    """

    forest_: RandomForestRegressor

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        max_leaf_nodes: int | None = None,
        max_depth: int | None = None,
        min_samples_leaf: float = 1,
        min_impurity_decrease: float = 0.0,
        max_features: float | str | None = "sqrt",
        bootstrap: bool = True,
        targets: TargetSpace = "probabilities",
        smallest_probability: float = 1e-3,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.min_impurity_decrease = min_impurity_decrease
        self.max_features = max_features
        self.bootstrap = bootstrap
        self.targets = targets
        self.smallest_probability = smallest_probability
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _grow(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        self.forest_ = RandomForestRegressor(**self._settings()).fit(X, targets, sample_weight=weights)

    def _regressor(self) -> Any:
        return self.forest_


def centred_logits(probabilities: Floats, smallest_probability: float) -> Floats:
    """(rows, classes) log-probabilities, each row shifted to mean zero.

    Args:
        probabilities: (rows, classes).
        smallest_probability: between 0 and 1; what lower ones are raised to.

    Raises:
        BadInput: a smallest probability that is not between 0 and 1.
    """
    if not 0 < smallest_probability < 1:
        raise BadInput(f"smallest_probability is {smallest_probability}; expected a number between 0 and 1, such as 1e-3.")
    logits = np.log(np.maximum(probabilities, smallest_probability))
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))
