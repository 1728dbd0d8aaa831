"""Training times of students on soft targets, each compared with an alternative in the same run.

Both alternatives have the same rows, rounds and settings. If both converge to the same optimum, this is checked.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from measure import ratio
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from tutelage.core.arrays import Floats, softmax
from tutelage.students.any_estimator import expand
from tutelage.students.boosting import SoftBoosting
from tutelage.students.linear import SoftLogistic
from tutelage.students.trees import SoftTree

CLASSES = 10
OPTIMUM = 1e-4


def rows_and_answers(rows: int, columns: int) -> tuple[Floats, Floats]:
    """Rows, and soft labels of 10 classes that are a nonlinear function of them with noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    hidden = np.tanh(X @ rng.normal(size=(columns, 32)) / np.sqrt(columns) * 2)
    return X, softmax(hidden @ rng.normal(size=(32, CLASSES)) / 2 + rng.normal(size=(rows, CLASSES)) / 2)


def boosting(rounds: int) -> None:
    """20 rounds of 31 leaves on 10 000 rows of 20 columns: soft targets compared with LightGBM's multiclass on their argmax."""
    import lightgbm

    X, answers = rows_and_answers(10_000, 20)
    labels = answers.argmax(axis=1)
    student = SoftBoosting(n_estimators=20, num_leaves=31)
    settings = {
        "objective": "multiclass",
        "num_class": CLASSES,
        "learning_rate": student.learning_rate,
        "num_leaves": student.num_leaves,
        "min_sum_hessian_in_leaf": student.min_child_weight,
        "min_data_in_leaf": 0,
        "min_data_in_bin": 1,
        "deterministic": True,
        "verbosity": -1,
    }
    hard = lambda: lightgbm.train(settings, lightgbm.Dataset(X, labels), student.n_estimators)  # noqa: E731
    _report("SoftBoosting / LightGBM on hard labels", ratio(lambda: student.fit(X, answers), hard, rounds=rounds), "at most 1.3")


def logistic(rounds: int) -> None:
    """10 000 rows of 30 columns, 10 classes: scikit-learn's with every row once per class, at the loosest tol that converges.

    One thread each: for products of such small matrices, waiting for a second thread takes longer than the computation,
    on a busy machine twenty times as long.
    """
    X, answers = rows_and_answers(10_000, 30)
    student = SoftLogistic()
    expanded = expand(answers)
    repeated = X[expanded.rows]

    def theirs(tol: float) -> Any:
        return LogisticRegression(C=student.C, tol=tol, max_iter=10_000).fit(repeated, expanded.columns, sample_weight=expanded.weights)

    best = SoftLogistic(tol=1e-10, max_iter=10_000).fit(X, answers)
    tol = next(tol for tol in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7) if _distance(theirs(tol), best) <= OPTIMUM)
    ours, other = student.fit(X, answers), theirs(tol)
    distances = f"ours {_distance(ours, best):.1e}, scikit-learn's {_distance(other, best):.1e} (tol={tol:g})"
    print(f"  largest distance of a coefficient from the optimum: {distances}")
    print(f"  objective: ours {_objective(ours, X, answers):.6f}, scikit-learn's {_objective(other, X, answers):.6f}")
    assert _distance(ours, best) <= OPTIMUM
    assert abs(_objective(ours, X, answers) - _objective(other, X, answers)) <= OPTIMUM
    found = ratio(lambda: theirs(tol), lambda: student.fit(X, answers), rounds=rounds)
    _report("rows repeated in LogisticRegression / SoftLogistic", found, "at least 3")


def tree(rounds: int) -> None:
    """20 000 rows of 20 columns, 10 classes, 32 and 256 leaves: scikit-learn's regression tree on the same targets."""
    X, answers = rows_and_answers(20_000, 20)
    for leaves in (32, 256):
        settings: dict[str, Any] = {"max_leaf_nodes": leaves, "random_state": 0}
        ours, theirs = SoftTree(**settings), DecisionTreeRegressor(**settings)
        found = ratio(lambda s=ours: s.fit(X, answers), lambda s=theirs: s.fit(X, answers), rounds=rounds)  # type: ignore[misc]
        assert np.allclose(ours.predict_proba(X), theirs.predict(X))
        _report(f"SoftTree / DecisionTreeRegressor, {leaves} leaves", found, "at most 1.1")


def _distance(model: Any, best: SoftLogistic) -> float:
    """The largest distance of a coefficient, centred over classes, because a constant added to all classes changes no answer."""
    return float(np.abs(model.coef_ - model.coef_.mean(axis=0) - best.coef_ + best.coef_.mean(axis=0)).max())


def _objective(model: Any, X: Floats, answers: Floats) -> float:
    """(C sum CE + ||W||^2 / 2) / rows."""
    logits = X @ model.coef_.T + model.intercept_
    logits -= logits.max(axis=1, keepdims=True)
    loss = np.log(np.exp(logits).sum(axis=1)) - (answers * logits).sum(axis=1)
    return float((loss.sum() + 0.5 * (model.coef_**2).sum()) / len(X))


def _report(title: str, found: Any, target: str) -> None:
    print(f"{title}: {found}; target {target}; {found.seconds[0]:.2f} s and {found.seconds[1]:.2f} s", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("error", ConvergenceWarning)
    rounds = 3 if "--quick" in sys.argv else 5
    tree(rounds)
    with threadpool_limits(1, user_api="blas"):
        logistic(rounds)
    boosting(rounds)
