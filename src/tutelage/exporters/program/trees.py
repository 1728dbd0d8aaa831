"""Fitted trees of any library as plain arrays: what an exported file computes, and what its edge rows are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.arrays import Floats, Integers
from tutelage.core.stored.tree_nodes import LEAF, trees_in

ZERO, ENDLESS = float(np.float32(1e-35)), 1e300
MOST_LOST = 1e-6
"""What single precision may round, relative to the largest sums of leaves; ordinary numbers lose 6e-8."""


@dataclass(frozen=True, eq=False)
class Tree:
    """One decision tree; a child has a higher number than its parent.

    Attributes:
        left: (nodes,) number of the left child; `LEAF` for a leaf.
        right: (nodes,) number of the right child.
        feature: (nodes,) the feature that an inner node tests.
        threshold: (nodes,) float64.
        missing_left: (nodes,) whether a missing value goes left.
        values: (nodes, width) what a leaf adds to the answers.
    """

    left: Integers
    right: Integers
    feature: Integers
    threshold: Floats
    missing_left: NDArray[np.bool_]
    values: Floats

    @property
    def inner(self) -> NDArray[np.bool_]:
        """(nodes,) whether a node has children."""
        return np.asarray(self.left != LEAF)


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees whose leaves are added up: answers = start + sum of the leaves reached, in rounds of `outputs` numbers.

    Attributes:
        trees: the trees. Those of one number a leaf answer in turn: the first output, the second, ..., and again.
        outputs: number of answers.
        start: (outputs,) answers before the first tree.
        single: whether the library compares in single precision.
        strict: whether a row goes left below the threshold only; otherwise at the threshold too.
        divisor: what the sum of the leaves is divided by: the number of trees of a forest.
    """

    trees: tuple[Tree, ...]
    outputs: int
    start: Floats
    single: bool
    strict: bool = False
    divisor: int = 1

    @property
    def sums_in_single(self) -> bool:
        """Whether single precision holds what the leaves add up to: neither numbers beyond it, nor such as it takes for zero."""
        largest, lost = np.zeros(self.outputs), np.zeros(self.outputs)
        for place, values in enumerate([self.start[None], *(tree.values[~tree.inner] for tree in self.trees)]):
            each = np.arange(self.outputs) if values.shape[1] == self.outputs else np.array([(place - 1) % self.outputs])
            with np.errstate(over="ignore"):
                rounded = np.nan_to_num(values.astype(np.float32))
            largest[each] += np.abs(values).max(axis=0)
            lost[each] += np.abs(rounded - values).max(axis=0)
        return bool((largest <= np.finfo(np.float32).max).all() and (lost <= MOST_LOST * largest).all())

    def threshold(self, tree: Tree) -> Floats:
        """(nodes,) thresholds in the precision of the comparison: for `single`, the largest float32 that is not above."""
        if not self.single:
            return tree.threshold
        with np.errstate(over="ignore"):
            rounded = tree.threshold.astype(np.float32)
            below = np.nextafter(rounded, np.float32(-np.inf))
        above = rounded > tree.threshold
        return np.where(above & (not self.strict), below, rounded)

    def double_threshold(self, tree: Tree) -> Floats:
        """(nodes,) thresholds t so that a number x in double precision goes left if x <= t, exactly where the library sends it left.

        A library in single precision rounds x first, to the nearest float32 and at equal distance to the even one: x goes left up to the
        middle between the last float32 that goes left and the next.
        """
        if not self.single:
            return np.nextafter(tree.threshold, -np.inf) if self.strict else tree.threshold
        with np.errstate(over="ignore", invalid="ignore"):
            last = self.threshold(tree).astype(np.float32)
            last = np.nextafter(last, np.float32(-np.inf)) if self.strict else last
            beyond = float(np.finfo(np.float32).max) + 2.0**104  # the number after the largest, if float32 went on
            low, high = (np.clip(each.astype(np.float64), -beyond, beyond) for each in (last, np.nextafter(last, np.float32(np.inf))))
        middle = low + (high - low) / 2
        even = (last.view(np.uint32) & 1) == 0  # infinity is even too
        return np.where(np.isposinf(last), np.inf, np.where(even, middle, np.nextafter(middle, -np.inf)))


def of_sklearn(tree: Any, values: Floats) -> Tree:
    """A tree of scikit-learn, with these values of its nodes."""
    return Tree(
        np.asarray(tree.children_left),
        np.asarray(tree.children_right),
        np.asarray(tree.feature),
        np.asarray(tree.threshold, dtype=np.float64),
        np.asarray(tree.missing_go_to_left, dtype=bool),
        np.asarray(values, dtype=np.float64),
    )


def of_averaged(estimators: Sequence[Any], outputs: int) -> Trees:
    """The trees of a single tree or a forest of scikit-learn, whose answers are averaged.

    Args:
        estimators: fitted trees of scikit-learn; the answers of a classifier are its shares of classes.
        outputs: number of answers: outputs of a regressor, classes of a classifier.
    """
    trees = tuple(of_sklearn(one.tree_, one.tree_.value.reshape(len(one.tree_.value), -1)[:, :outputs]) for one in estimators)
    return Trees(trees, outputs, np.zeros(outputs), single=True, divisor=len(estimators))


def of_any(model: Any) -> Trees:
    """All trees of scikit-learn in an estimator of any kind, for the splits alone: nothing is known of what it does with their answers."""
    return Trees(tuple(of_sklearn(tree, tree.value[:, 0, :1]) for tree in trees_in(model)), 1, np.zeros(1), single=True)


def of_gradient_boosting(model: Any) -> Trees:
    """The raw scores of scikit-learn's GradientBoostingRegressor or GradientBoostingClassifier that starts at constants."""
    start = np.asarray(model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32)), dtype=np.float64).ravel()
    trees = tuple(of_sklearn(one.tree_, one.tree_.value[:, 0] * model.learning_rate) for one in model.estimators_.ravel())
    return Trees(trees, len(start), start, single=True)


def of_histograms(model: Any) -> Trees:
    """The raw answers of scikit-learn's histogram-based boosting."""
    predictors = [one for round_ in model._predictors for one in round_]
    start = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return Trees(tuple(_of_histogram(one.nodes) for one in predictors), len(start), start, single=False)


def _of_histogram(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, LEAF, nodes[side].astype(np.int64)) for side in ("left", "right"))
    missing = nodes["missing_go_to_left"].astype(bool)
    return Tree(left, right, nodes["feature_idx"].astype(np.int64), nodes["num_threshold"].copy(), missing, nodes["value"][:, None].copy())


def of_lightgbm(booster: Any, outputs: int) -> Trees:
    """The raw scores of a LightGBM Booster.

    Raises:
        ValueError: a tree with categories, linear leaves or zeros that count as missing.
    """
    model = booster.dump_model()
    if model.get("average_output") or "is_linear=1" in booster.model_to_string():
        raise ValueError("averaged or linear trees")
    return Trees(tuple(_of_lightgbm(one["tree_structure"]) for one in model["tree_info"]), outputs, np.zeros(outputs), single=False)


def _of_lightgbm(root: dict[str, Any]) -> Tree:
    nodes, children = [root], []
    for node in nodes:  # grows while it is read, so that a child has a higher number than its parent
        if "left_child" not in node:
            children.append((LEAF, LEAF))
            continue
        if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
            raise ValueError("categories, or zeros that count as missing")
        children.append((len(nodes), len(nodes) + 1))
        nodes += [node["left_child"], node["right_child"]]
    missing = [
        bool(node.get("default_left")) if node.get("missing_type") == "NaN" else node.get("threshold", 0.0) >= 0 for node in nodes
    ]  # without missing values in training, LightGBM reads them as zeros
    return _tree(
        children,
        [node.get("split_feature", 0) for node in nodes],
        _lightgbm_thresholds(np.array([node.get("threshold", 0.0) for node in nodes])),
        missing,
        [node.get("leaf_value", 0.0) for node in nodes],
    )


def _lightgbm_thresholds(thresholds: Floats) -> Floats:
    """Thresholds that have the effect of LightGBM's, which reads numbers up to `ZERO` as zero, and writes infinity as `ENDLESS`."""
    thresholds = np.where(np.abs(thresholds) >= ENDLESS, np.copysign(np.inf, thresholds), thresholds)
    near = np.abs(thresholds) <= ZERO
    return np.where(near, np.where(thresholds >= 0, ZERO, np.nextafter(-ZERO, -np.inf)), thresholds)


def of_xgboost(model: Any, outputs: int, start: Floats) -> Trees:
    """The margins of an XGBoost model.

    Args:
        model: the value of XGBoost's JSON format.
        outputs: number of margins.
        start: (outputs,) margins before the first tree.

    Raises:
        ValueError: another booster than plain trees, a tree with categories, or trees in another order than one for each output in turn.
    """
    booster = model["learner"]["gradient_booster"]["name"]
    if booster != "gbtree":
        raise ValueError(f"the booster {booster!r}, where 'gbtree' is expected")
    stored = model["learner"]["gradient_booster"]["model"]
    if any(any(one["split_type"]) for one in stored["trees"]) or stored["tree_info"] != [
        place % outputs for place in range(len(stored["trees"]))
    ]:
        raise ValueError("categories, or trees of vectors")
    trees = tuple(
        _tree(
            list(zip(one["left_children"], one["right_children"], strict=True)),
            one["split_indices"],
            one["split_conditions"],
            one["default_left"],
            one["split_conditions"],  # of a leaf: its value
        )
        for one in stored["trees"]
    )
    return Trees(trees, outputs, start, single=True, strict=True)


def _tree(children: list[tuple[int, int]], feature: ArrayLike, threshold: ArrayLike, missing_left: ArrayLike, values: ArrayLike) -> Tree:
    left, right = np.array(children, dtype=np.int64).T
    return Tree(
        left,
        right,
        np.asarray(feature, dtype=np.int64),
        np.asarray(threshold, dtype=np.float64),
        np.asarray(missing_left, dtype=bool),
        np.asarray(values, dtype=np.float64)[:, None],
    )
