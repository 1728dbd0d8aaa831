"""A soft decision tree for probabilities: every row goes to every leaf, with the probability of the path."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, Literal

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import check_random_state

from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import require
from tutelage.students.checked import Check, a_number, a_whole, one_of, random_seed, thread_count
from tutelage.students.networks.descent import train
from tutelage.students.networks.gates import Gates, log_paths
from tutelage.students.networks.network_training import standardising
from tutelage.students.soft_classifier import SoftClassifier

DEEPEST = 12
"""The most levels of gates: a level more has twice as many weights."""
Answer = Literal["leaf", "mixture"]


class SoftDecisionTree(SoftClassifier):
    """A soft decision tree of Frosst and Hinton: gates that weigh all features share a row out among leaves.

    Gate i sends a row to its right with the probability sigmoid(sharpness * (w_i x + b_i)), and each leaf has one distribution over the
    classes. Trained by gradient descent (Adam, in NumPy) on the mean over leaves of

        probability of the path * cross-entropy of the leaf's distribution against the soft target,

    plus the penalty - penalty * 2^-level * (log a + log(1 - a)) / 2 for each gate, where a is the share of the rows reaching the gate that
    it sends right, by moving averages over about 2^level batches: gates use both sides. The answer is the distribution of the leaf with
    the most probable path.

    `SoftTree` is another student: each of its splits compares one feature with a threshold, it is grown greedily (CART), and it reads
    gaps. A soft decision tree is of fixed depth, learns all gates together, and can separate classes by sums of many features, such as
    pixels. A person follows one path of `depth` weighted sums in it.

    Args:
        depth: levels of gates, from 1 to 12: 2^depth leaves.
        sharpness: the inverse temperature of the gates (beta in the paper); more makes decisions harder from the start.
        penalty: of gates that send most rows to one side (lambda); 0 for none.
        answer: "leaf" answers with the leaf of the most probable path, as the paper; "mixture" with the mean of all leaves by the
            probabilities of their paths, which is smoother, mostly more accurate, and no longer one path.
        learning_rate: learning rate of Adam.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        standardise: shift and scale each feature to mean 0 and standard deviation 1 first; for pixels, which have one scale, rather not.
        n_jobs: threads of the matrix products; None for as many as NumPy has, 1 to train several students side by side.
        random_state: seed of the initial weights and of the shuffling.

    Attributes:
        coef_: (features, gates) weights, level by level; gate i leads to gate 2i + 1 on its left and to 2i + 2 on its right.
        intercept_: (gates,).
        leaves_: (leaves, classes) the distribution of each leaf, from left to right.
        mean_: (features,) subtracted from the features.
        scale_: (features,) by which the shifted features are divided.

    Source:
        Frosst, Hinton 2017, sections 2 to 4, arXiv 1711.09784.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftDecisionTree(depth=2, epochs=60, learning_rate=0.05, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
        >>> student.coef_.shape, student.leaves_.shape
        ((4, 3), (4, 3))
    """

    _settings: ClassVar[Mapping[str, Check]] = {
        "depth": a_whole(1, DEEPEST),
        "sharpness": a_number(above=0, most=1e6),
        "penalty": a_number(least=0, most=1e6),
        "answer": one_of("leaf", "mixture"),
        "learning_rate": a_number(above=0, most=1e30),
        "epochs": a_whole(1),
        "batch_size": a_whole(1),
        "standardise": flag,
        "n_jobs": thread_count,
        "random_state": random_seed,
    }

    coef_: Floats
    intercept_: Floats
    leaves_: Floats
    mean_: Floats
    scale_: Floats

    def __init__(
        self,
        *,
        depth: int = 8,
        sharpness: float = 1.0,
        penalty: float = 0.1,
        answer: Answer = "leaf",
        learning_rate: float = 3e-3,
        epochs: int = 40,
        batch_size: int = 64,
        standardise: bool = True,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.depth = depth
        self.sharpness = sharpness
        self.penalty = penalty
        self.answer = answer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.standardise = standardise
        self.n_jobs = n_jobs
        self.random_state = random_state

    def answer_with(self, X: Any, targets: Floats, weights: Floats | None = None) -> bool:
        """Replace the distribution of each leaf by the mean of the targets, weighted by the probabilities of its path."""
        paths = np.exp(self._log_paths(self._checked(X, reset=False)))
        paths = paths if weights is None else paths * weights[:, None]
        reached = paths.sum(axis=0)
        leaves = paths.T @ targets
        self.leaves_ = np.where(reached[:, None] > 0, leaves / np.maximum(reached, np.finfo(np.float64).tiny)[:, None], self.leaves_)
        return True

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        if weights is not None:
            positive = weights > 0
            X, targets, weights = X[positive], targets[positive], weights[positive]
            targets = targets * (weights / weights.mean())[:, None]  # the loss is linear in the targets
        self.mean_, self.scale_ = standardising(X) if self.standardise else (np.zeros(X.shape[1]), np.ones(X.shape[1]))
        random = np.random.default_rng(int(check_random_state(self.random_state).randint(2**31 - 1)))
        gates = Gates(
            X.shape[1],
            targets.shape[1],
            depth=self.depth,
            sharpness=self.sharpness,
            penalty=self.penalty,
            learning_rate=self.learning_rate,
            random=random,
        )
        rows = np.asarray((X - self.mean_) / self.scale_, dtype=np.float32)
        limits = require("threadpoolctl").threadpool_limits
        with nullcontext() if self.n_jobs is None else limits(effective_n_jobs(self.n_jobs), user_api="blas"):
            learnt, _ = train(gates, rows, targets.astype(np.float32), epochs=self.epochs, batch_size=self.batch_size, random=random)
        self.coef_, self.intercept_, self.leaves_ = np.ascontiguousarray(learnt.weights.T), learnt.intercepts, learnt.leaves

    def _log_paths(self, X: Any) -> Floats:
        """(rows, leaves) logarithms of the probability of each path."""
        with np.errstate(all="ignore"):  # numbers that are too large are reported by `predict_proba`
            scores = ((X - self.mean_) / self.scale_) @ self.coef_ + self.intercept_
            return log_paths(scores * self.sharpness, self.depth)

    def _probabilities(self, X: Any) -> Floats:
        paths = self._log_paths(X)
        if self.answer == "mixture":
            return np.asarray(softmax(paths) @ self.leaves_)
        answers = self.leaves_[paths.argmax(axis=1)]
        answers[np.isnan(paths).any(axis=1)] = np.nan
        return np.asarray(answers)
