"""Gradient boosting on soft targets, with LightGBM or XGBoost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.sparse import csr_matrix, issparse

from tutelage.core.answers import two_columns
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import reported_as_ours, require
from tutelage.students.by_parts.blocks import Blocks
from tutelage.students.by_parts.boosting_data import BoostingRows, external_matrix, sequences
from tutelage.students.checked import MOST_PARTS, Check, a_number, a_whole, one_of, optional
from tutelage.students.saved.booster_text import booster_of, text_of
from tutelage.students.soft_classifier import SoftClassifier

Engine = Literal["lightgbm", "xgboost"]

SMALLEST_SHARE = 1e-15
"""Lower bound of a class's share before its logarithm is taken, as in LightGBM."""


class SoftBoosting(SoftClassifier):
    """Boosted trees that minimise the cross-entropy against soft targets.

    With two classes, the engine's built-in objective for probabilities is used. With more classes, `SoftmaxObjective` is
    used; it applies the engine's own factor to the Hessian, so that one-hot targets give the same model as the engine's
    multiclass objective gives on labels. Scores start at the logarithms of the class shares. NaN in X counts as a
    missing value. LightGBM accepts sparse X; XGBoost does not, because it would treat the zeros as missing values.

    Args:
        engine: "lightgbm" or "xgboost".
        n_estimators: boosting rounds; each adds one tree per class, or a single tree for two classes.
        learning_rate: factor on the contribution of each tree.
        num_leaves: maximum number of leaves of a tree, grown best first.
        max_depth: maximum number of levels below the root; None, or as in the engines 0 and less, sets no limit.
        min_child_weight: minimum sum of Hessians p (1 - p) in a leaf. It replaces a minimum number of rows, so that a row
            of weight two counts as two rows; LightGBM is not exact in this for three classes or more.
        reg_lambda: L2 penalty on the leaf values.
        subsample: share of the rows drawn in each round.
        colsample_bytree: share of the features drawn for each tree.
        max_bin: maximum number of bins per feature.
        n_jobs: threads; None, or as in the engines 0 and less, leaves the number to the engine.
        random_state: seed of the drawn rows and features.

    Attributes:
        booster_: the engine's Booster. Its raw scores do not include `start_`.
        start_: (classes,) scores before the first tree; zeros for two classes, where the Booster includes them.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftBoosting(n_estimators=10, num_leaves=4, n_jobs=1, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
    """

    _settings: ClassVar[Mapping[str, Check]] = {
        "engine": one_of("lightgbm", "xgboost"),
        "n_estimators": a_whole(1),
        "learning_rate": a_number(above=0),
        "num_leaves": a_whole(2, 131_072),
        "max_depth": optional(a_whole(-MOST_PARTS)),
        "min_child_weight": a_number(least=0),
        "reg_lambda": a_number(least=0),
        "subsample": a_number(above=0, most=1),
        "colsample_bytree": a_number(above=0, most=1),
        "max_bin": a_whole(2, 65_535),
        "n_jobs": optional(a_whole(-MOST_PARTS)),
        "random_state": optional(a_whole(0, 2**32 - 1)),
    }

    booster_: Any
    start_: Floats

    def __init__(
        self,
        *,
        engine: Engine = "lightgbm",
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        num_leaves: int = 31,
        max_depth: int | None = None,
        min_child_weight: float = 1.0,
        reg_lambda: float = 0.0,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        max_bin: int = 255,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.engine = engine
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.max_bin = max_bin
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _inputs(self) -> dict[str, Any]:  # type: ignore[override]
        return {
            # XGBoost reads float32; validating as float32 refuses larger numbers, which XGBoost would read as infinite.
            "dtype": np.float32 if self.engine == "xgboost" else [np.float64, np.float32],
            "accept_sparse": "csr" if self.engine == "lightgbm" else False,
            "ensure_all_finite": "allow-nan",
        }

    def __getstate__(self) -> dict[str, Any]:
        """The state for a pickle or a saved file, with the Booster as text."""
        state: dict[str, Any] = super().__getstate__()
        return state | {"booster_": text_of(self.booster_, self.engine)} if "booster_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "booster_" in state:
            classes = len(state["classes_"])
            booster = booster_of(
                state["booster_"], state["engine"], features=int(state["n_features_in_"]), columns=1 if classes == 2 else classes
            )
            state = state | {"booster_": booster}
        super().__setstate__(state)

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        if weights is not None:  # a row of weight zero must not influence the bins of a feature
            positive = weights > 0
            X, targets, weights = X[positive], targets[positive], weights[positive]
        self._boost(X, targets, weights)

    def _learn_blocks(self, blocks: Blocks) -> int:
        rows = BoostingRows(blocks, np.float64 if self.engine == "lightgbm" else np.float32)
        self._boost(rows, *rows.targets())
        return len(blocks.parts)

    def _boost(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        """Learn from rows in memory, or that the engine reads in parts."""
        shares = np.average(targets, axis=0, weights=weights)
        binary = len(shares) == 2
        self.start_ = np.zeros(2) if binary else np.log(np.maximum(shares, SMALLEST_SHARE))
        train, _ = ENGINES[self.engine]
        with reported_as_ours(f"{self.engine} cannot be trained"):
            self.booster_ = train(self, X, np.ascontiguousarray(targets[:, 1]) if binary else targets, weights)

    def _probabilities(self, X: Any) -> Floats:
        _, predict = ENGINES[self.engine]
        with reported_as_ours(f"{self.engine} cannot answer these rows"):
            answers = np.asarray(predict(self, X))
        return two_columns(answers, "probabilities") if answers.ndim == 1 else softmax(answers + self.start_)


class SoftmaxObjective:
    """Cross-entropy of softmax scores against soft targets, as a custom objective of the engines.

    The gradient with respect to the scores is w (p - q); the diagonal of the Hessian is w p (1 - p). The engines'
    multiclass objectives ignore the off-diagonal entries and scale the diagonal up in return: LightGBM by K / (K - 1),
    XGBoost by 2.

    Args:
        targets: (rows, classes) probabilities, rows sum to one.
        weights: (rows,) row weights, or None.
        hessian_factor: the factor on the diagonal of the Hessian.
        order: memory layout of the scores; gradients and Hessians have the same, so that nothing is transposed.
    """

    def __init__(self, targets: Floats, weights: Floats | None, *, hessian_factor: float, order: Literal["C", "F"]) -> None:
        self.targets = np.asarray(targets, dtype=np.float32, order=order)
        self.weights = None if weights is None else weights.astype(np.float32)[:, None]
        self.hessian_factor = np.float32(hessian_factor)
        self.gradient = np.empty_like(self.targets)
        self.hessian = np.empty_like(self.targets)

    def __call__(self, scores: Floats, _data: Any = None) -> tuple[Floats, Floats]:
        """(rows, classes) scores -> gradients and Hessians, in buffers that the next call overwrites."""
        probabilities, hessian = self.gradient, self.hessian
        np.subtract(scores, scores.max(axis=1, keepdims=True), out=probabilities, casting="same_kind")
        np.exp(probabilities, out=probabilities)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        np.subtract(1, probabilities, out=hessian)
        hessian *= probabilities
        hessian *= self.hessian_factor
        np.maximum(hessian, np.float32(1e-16), out=hessian)
        probabilities -= self.targets  # now the gradient
        if self.weights is not None:
            probabilities *= self.weights
            hessian *= self.weights
        return probabilities, hessian


def _train_lightgbm(student: SoftBoosting, X: Any, targets: Floats, weights: Floats | None) -> Any:
    lightgbm = require("lightgbm")
    X = sequences(X) if isinstance(X, BoostingRows) else _as_matrix(X)
    settings = {
        "learning_rate": student.learning_rate,
        "num_leaves": student.num_leaves,
        "max_depth": max(student.max_depth or 0, 0) or -1,
        "min_sum_hessian_in_leaf": student.min_child_weight,
        "min_data_in_leaf": 0,
        "min_data_in_bin": 1,
        "lambda_l2": student.reg_lambda,
        "bagging_fraction": student.subsample,
        "bagging_freq": int(student.subsample < 1),
        "feature_fraction": student.colsample_bytree,
        "max_bin": student.max_bin,
        "num_threads": student.n_jobs or 0,
        "deterministic": True,
        "verbosity": -1,
        **({} if student.random_state is None else {"seed": student.random_state}),
    }
    if targets.ndim == 1:
        data = lightgbm.Dataset(X, targets, weight=weights)
        return lightgbm.train({**settings, "objective": "cross_entropy"}, data, student.n_estimators)
    classes = targets.shape[1]
    data = lightgbm.Dataset(X, np.zeros(len(targets)), init_score=np.repeat(student.start_[None], len(targets), axis=0))
    objective = SoftmaxObjective(targets, weights, hessian_factor=classes / (classes - 1), order="F")
    return lightgbm.train({**settings, "objective": objective, "num_class": classes}, data, student.n_estimators)


def _predict_lightgbm(student: SoftBoosting, X: Any) -> Any:
    return student.booster_.predict(_as_matrix(X), num_threads=student.n_jobs or 0)


def _as_matrix(X: Any) -> Any:
    sparse: bool = issparse(X)
    return csr_matrix(X) if sparse else X  # LightGBM does not accept SciPy's sparse arrays


def _train_xgboost(student: SoftBoosting, X: Any, targets: Floats, weights: Floats | None) -> Any:
    xgboost = require("xgboost")
    settings = {
        "learning_rate": student.learning_rate,
        "max_leaves": student.num_leaves,
        "grow_policy": "lossguide",
        "max_depth": max(student.max_depth or 0, 0),
        "min_child_weight": student.min_child_weight,
        "reg_lambda": student.reg_lambda,
        "subsample": student.subsample,
        "colsample_bytree": student.colsample_bytree,
        "max_bin": student.max_bin,
        "nthread": student.n_jobs or 0,
        "tree_method": "hist",
        "verbosity": 0,
        "seed": student.random_state or 0,
    }
    binary = targets.ndim == 1
    labels, row_weights, margin = (targets, weights, student.start_[:0]) if binary else (None, None, student.start_)
    with _xgboost_matrix(X, len(targets), labels=labels, weights=row_weights, margin=margin, max_bin=student.max_bin) as data:
        if binary:
            return xgboost.train({**settings, "objective": "binary:logistic"}, data, student.n_estimators)
        settings |= {"num_class": targets.shape[1], "base_score": 0.0, "disable_default_eval_metric": True}
        objective = SoftmaxObjective(targets, weights, hessian_factor=2, order="C")
        return xgboost.train(settings, data, student.n_estimators, obj=objective)


@contextmanager
def _xgboost_matrix(X: Any, rows: int, *, labels: Floats | None, weights: Floats | None, margin: Floats, max_bin: int) -> Iterator[Any]:
    """The rows as XGBoost takes them; arguments as for `external_matrix`."""
    if isinstance(X, BoostingRows):
        with external_matrix(X, labels=labels, weights=weights, margin=margin, max_bin=max_bin) as matrix:
            yield matrix
        return
    start = np.repeat(margin[None], rows, axis=0) if len(margin) else None
    yield require("xgboost").QuantileDMatrix(X, labels, weight=weights, base_margin=start, max_bin=max_bin)


def _predict_xgboost(student: SoftBoosting, X: Any) -> Any:
    return student.booster_.inplace_predict(X, predict_type="value" if len(student.classes_) == 2 else "margin")


ENGINES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "lightgbm": (_train_lightgbm, _predict_lightgbm),
    "xgboost": (_train_xgboost, _predict_xgboost),
}
