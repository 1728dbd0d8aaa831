"""Decision trees and forests that learn from probabilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, Integers, softmax
from tutelage.core.errors import reported_as_ours
from tutelage.core.stored.tree_nodes import trees_in
from tutelage.students.checked import (
    Check,
    a_number,
    a_whole,
    count_or_share,
    feature_count,
    one_of,
    optional,
    random_seed,
    thread_count,
)
from tutelage.students.soft_classifier import SoftClassifier

TargetSpace = Literal["probabilities", "logits"]


class _TreeBased(SoftClassifier):
    """The common part of a tree and a forest: a multi-output regressor on the targets, or on their logits.

    scikit-learn's trees read float32 and support NaN as a missing value; in a sparse matrix, zeros are zeros.
    """

    _inputs: ClassVar[dict[str, Any]] = {"dtype": np.float32, "accept_sparse": "csc", "ensure_all_finite": "allow-nan"}

    _settings: ClassVar[Mapping[str, Check]] = {
        "max_leaf_nodes": optional(a_whole(2)),
        "max_depth": optional(a_whole(1)),
        "min_samples_leaf": count_or_share(1),
        "min_impurity_decrease": a_number(least=0),
        "max_features": feature_count,
        "targets": one_of("probabilities", "logits"),
        "smallest_probability": a_number(above=0, below=1, hint="(1e-3 is usual)"),
        "random_state": random_seed,
    }

    targets: TargetSpace
    smallest_probability: float

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        with reported_as_ours("the tree cannot be grown"):
            self._grow(X, self._outputs(targets), weights)

    def answer_with(self, X: Any, targets: Floats, weights: Floats | None = None) -> bool:
        """Replace the value of every node by the mean of the targets of its rows: of all rows, also in a forest that drew some."""
        outputs, rows = self._outputs(targets), self._checked(X, reset=False)
        leaves = np.asarray(self._regressor().apply(rows)).reshape(len(outputs), -1)
        for tree, reached in zip(trees_in(self._regressor()), leaves.T, strict=True):
            tree.value[:, :, 0] = _node_means(tree, reached, outputs, weights)
        return True

    def _outputs(self, targets: Floats) -> Floats:
        """What the regressor learns."""
        return centred_logits(targets, self.smallest_probability) if self.targets == "logits" else targets

    def _probabilities(self, X: Any) -> Floats:
        values = np.asarray(self._regressor().predict(X)).reshape(-1, len(self.classes_))
        return softmax(values) if self.targets == "logits" else values

    def _of_regressor(self) -> dict[str, Any]:
        """The parameters that are passed on to the regressor, under the same names."""
        excluded = {"targets", "smallest_probability"}
        given = {name: value for name, value in self.get_params(deep=False).items() if name not in excluded}
        return given | {"random_state": None} if given["random_state"] is np.random else given  # the same for scikit-learn's functions

    @abstractmethod
    def _grow(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        """Fit the regressor."""

    @abstractmethod
    def _regressor(self) -> Any:
        """The fitted regressor."""


class SoftTree(_TreeBased):
    """A decision tree on soft targets: one multi-output regression tree on the class probabilities.

    A leaf predicts the mean target of its rows, which is a probability distribution. On one-hot targets, the splits are
    those of a classification tree with the Gini criterion. NaN in X counts as a missing value.

    Args:
        max_leaf_nodes: maximum number of leaves, grown best first; None grows until the leaves are pure.
        max_depth: maximum number of levels below the root; None sets no limit.
        min_samples_leaf: minimum number of rows in a leaf, or the minimum share of the rows as a float below 1.
        min_impurity_decrease: split only where the squared error decreases by at least this much.
        max_features: number of features considered for a split, in scikit-learn's notation; None considers all.
        targets: "probabilities", or "logits" for centred log-probabilities, whose leaf means go through a softmax; then a
            factor of two between probabilities has the same weight for rare and for likely classes.
        smallest_probability: with targets="logits", lower bound applied to the probabilities before the logarithm.
        random_state: seed that breaks ties between equally good splits.

    Attributes:
        tree_: the fitted DecisionTreeRegressor.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftTree(max_leaf_nodes=4, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
        >>> int(student.tree_.get_n_leaves())
        4
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
        self.tree_ = DecisionTreeRegressor(**self._of_regressor()).fit(X, targets, sample_weight=weights)

    def _regressor(self) -> Any:
        return self.tree_


class SoftForest(_TreeBased):
    """A forest of trees on soft targets, each grown on rows drawn with replacement; predictions are averaged over the trees.

    Args:
        n_estimators: number of trees.
        max_leaf_nodes: maximum number of leaves of a tree, grown best first; None grows until the leaves are pure.
        max_depth: maximum number of levels below the root; None sets no limit.
        min_samples_leaf: minimum number of rows in a leaf, or the minimum share of the rows as a float below 1.
        min_impurity_decrease: split only where the squared error decreases by at least this much.
        max_features: number of features considered for a split, in scikit-learn's notation; None considers all.
        bootstrap: draw rows with replacement for each tree; otherwise every tree is grown on all rows.
        targets: as for `SoftTree`.
        smallest_probability: as for `SoftTree`.
        n_jobs: number of trees grown in parallel; None is one, -1 is one per processor.
        random_state: seed of the drawn rows and features.

    Attributes:
        forest_: the fitted RandomForestRegressor.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = LogisticRegression(max_iter=1000).fit(X, y).predict_proba(X)
        >>> student = tl.SoftForest(n_estimators=10, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
    """

    _settings: ClassVar[Mapping[str, Check]] = {
        **_TreeBased._settings,
        "n_estimators": a_whole(1),
        "bootstrap": flag,
        "n_jobs": thread_count,
    }

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
        self.forest_ = RandomForestRegressor(**self._of_regressor()).fit(X, targets, sample_weight=weights)

    def _regressor(self) -> Any:
        return self.forest_


def _node_means(tree: Any, reached: Integers, outputs: Floats, weights: Floats | None) -> Floats:
    """(nodes, outputs) weighted means over the rows that pass each node.

    Args:
        tree: scikit-learn's Tree; a child has a higher number than its parent.
        reached: (rows,) number of the leaf that each row reaches.
        outputs: (rows, outputs).
        weights: (rows,) or None.
    """
    weighed = np.column_stack([outputs, np.ones(len(outputs))]) * (1.0 if weights is None else weights[:, None])
    sums = np.column_stack([np.bincount(reached, column, minlength=tree.node_count) for column in weighed.T])
    for node in range(tree.node_count - 1, -1, -1):
        if tree.children_left[node] != tree.children_right[node]:  # both are -1 in a leaf
            sums[node] = sums[tree.children_left[node]] + sums[tree.children_right[node]]
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def centred_logits(probabilities: Floats, smallest_probability: float) -> Floats:
    """(rows, classes) log-probabilities, each row shifted to mean zero.

    Args:
        probabilities: (rows, classes).
        smallest_probability: lower bound applied to the probabilities, between 0 and 1 exclusive.

    """
    logits = np.log(np.maximum(probabilities, smallest_probability))
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))
