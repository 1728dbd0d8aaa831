"""Logistic regression on soft targets: it minimises their cross-entropy directly, without repeating rows once per class."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import OptimizeResult, minimize
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from tutelage.core.answers import two_columns
from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput
from tutelage.students.checked import Check, a_number, a_whole, check_fitted
from tutelage.students.soft_classifier import SoftClassifier

WHITENED_FEATURES = 1024
"""Up to this many features, the problem is whitened with their covariance; above it, each feature is scaled separately."""


class SoftLogistic(SoftClassifier):
    """Multinomial logistic regression whose targets are probabilities.

    Minimises C * sum_i w_i CE(q_i, softmax(W x_i + b)) + ||W||^2 / 2; the intercept b is not penalised. With two
    classes, a single vector w separates them through a sigmoid, and only it is penalised. These are scikit-learn's
    objectives: on class labels, the coefficients are those of LogisticRegression.

    Features are not rescaled: the penalty applies to them as given. The solver whitens the problem internally, which
    changes the path to the optimum but not the optimum. Sparse X stays sparse.

    Args:
        C: inverse strength of the penalty, above 0.
        fit_intercept: learn b; otherwise it is 0.
        tol: stopping tolerance on the norm of the whitened gradient, which is about the distance of the coefficients
            from the optimum where the penalty and the rows leave them free.
        max_iter: maximum number of L-BFGS steps; a ConvergenceWarning is issued if they are not enough.

    Attributes:
        coef_: (classes, features), or (1, features) for two classes; in the float dtype of X.
        intercept_: (classes,) or (1,).
        n_iter_: number of L-BFGS steps.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftLogistic(C=10.0).fit(X, soft_targets, classes=["setosa", "versicolor", "virginica"])
        >>> student.predict(X[[0, 75, 149]]).tolist()
        ['setosa', 'versicolor', 'virginica']
        >>> student.coef_.shape
        (3, 4)
    """

    _settings: ClassVar[Mapping[str, Check]] = {
        "C": a_number(above=0, hint="(smaller is a stronger penalty)"),
        "fit_intercept": flag,
        "tol": a_number(least=0, most=1),
        "max_iter": a_whole(1),
    }
    _inputs: ClassVar[dict[str, Any]] = {"dtype": [np.float64, np.float32], "accept_sparse": "csr"}

    coef_: Floats
    intercept_: Floats
    n_iter_: int

    def __init__(self, *, C: float = 1.0, fit_intercept: bool = True, tol: float = 1e-5, max_iter: int = 1000) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def decision_function(self, X: Any) -> Floats:
        """(rows, features) -> (rows, classes) logits; for two classes (rows,), where positive numbers mean the second class."""
        check_fitted(self)
        logits = self._logits(self._checked(X, reset=False))
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def _logits(self, X: Any) -> Floats:
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def _probabilities(self, X: Any) -> Floats:
        logits = self._logits(X)
        return two_columns(expit(logits[:, 0]), "probabilities") if logits.shape[1] == 1 else softmax(logits)

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        columns = targets[:, 1:] if targets.shape[1] == 2 else targets
        row_weights = np.full(X.shape[0], self.C) if weights is None else self.C * weights
        problem = _problem(X, np.ascontiguousarray(columns, dtype=X.dtype), row_weights, fit_intercept=self.fit_intercept)
        result = _minimum(problem, tol=self.tol, max_iter=self.max_iter)
        coefficients, intercepts = problem.unpacked(result.x)
        if intercepts.size > 1:
            intercepts -= intercepts.mean()  # a constant added to all of them changes nothing
        self.coef_ = np.ascontiguousarray(coefficients.T, dtype=X.dtype)
        self.intercept_ = intercepts.astype(X.dtype)
        self.n_iter_ = max(1, int(result.nit))


@dataclass(frozen=True)
class _Problem:
    """The optimisation problem in whitened coordinates.

    Attributes:
        X: (rows, features).
        targets: (rows, columns) in X's dtype: one column per class, or only that of the second class for two classes.
        row_weights: (rows,) C w_i.
        centre: (features,) weighted means. The whitened intercept is that of centred rows.
        fit_intercept: whether an intercept is learnt.
        intercept_scale: factor from the whitened intercept to the intercept of centred rows.
        whiten: whitened (features, columns) -> coefficients.
        whiten_back: gradients with respect to coefficients -> with respect to whitened coefficients.
    """

    X: Any
    targets: Floats
    row_weights: Floats
    centre: Floats
    fit_intercept: bool
    intercept_scale: float
    whiten: Callable[[Floats], Floats]
    whiten_back: Callable[[Floats], Floats]

    def start(self) -> Floats:
        """The initial point, (1 + features, columns) raveled: zero coefficients, and intercepts that predict the mean target."""
        point = np.zeros((1 + len(self.centre), self.targets.shape[1]))
        if self.fit_intercept:
            means = np.average(self.targets, axis=0, weights=self.row_weights).clip(1e-6, 1 - 1e-6)
            logits = np.log(means) - (np.log1p(-means) if len(means) == 1 else np.log(means).mean())
            point[0] = logits / self.intercept_scale
        return point.ravel()

    def unpacked(self, point: Floats) -> tuple[Floats, Floats]:
        """(features, columns) coefficients and (columns,) intercepts for rows that are not centred."""
        matrix = point.reshape(1 + len(self.centre), -1)
        coefficients = self.whiten(matrix[1:])
        if not self.fit_intercept:
            return coefficients, np.zeros(matrix.shape[1])
        return coefficients, matrix[0] * self.intercept_scale - self.centre @ coefficients

    def value_and_gradient(self, point: Floats) -> tuple[float, Floats]:
        """The objective and its gradient with respect to `point`."""
        coefficients, intercepts = self.unpacked(point)
        dtype = self.targets.dtype
        logits = self.X @ coefficients.astype(dtype)
        logits += intercepts.astype(dtype)
        losses, residuals = (_sigmoid_loss if logits.shape[1] == 1 else _softmax_loss)(logits, self.targets)
        residuals *= self.row_weights.astype(dtype)[:, None]
        by_intercept = residuals.sum(axis=0, dtype=np.float64)
        by_coefficient = np.asarray(self.X.T @ residuals, dtype=np.float64) + coefficients
        gradient = np.zeros((1 + len(coefficients), len(intercepts)))
        if self.fit_intercept:
            by_coefficient -= np.outer(self.centre, by_intercept)
            gradient[0] = by_intercept * self.intercept_scale
        gradient[1:] = self.whiten_back(by_coefficient)
        value = float(self.row_weights @ losses) + 0.5 * float(np.vdot(coefficients, coefficients))
        return value, gradient.ravel()


def _softmax_loss(logits: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """(rows,) cross-entropies and (rows, classes) probabilities minus targets; the latter overwrite the logits."""
    logits -= logits.max(axis=1, keepdims=True)
    of_targets = np.einsum("ij,ij->i", targets, logits)
    np.exp(logits, out=logits)
    sums = logits.sum(axis=1)
    logits /= sums[:, None]
    logits -= targets
    return np.log(sums) - of_targets, logits


def _sigmoid_loss(logits: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """The same for two classes, from (rows, 1) logits and probabilities of the second class."""
    losses = np.logaddexp(0, logits[:, 0]) - targets[:, 0] * logits[:, 0]
    expit(logits, out=logits)
    logits -= targets
    return losses, logits


def _problem(X: Any, targets: Floats, row_weights: Floats, *, fit_intercept: bool) -> _Problem:
    """Whiten with the Hessian at constant logits, H = c X'SX + I on centred rows, or with its diagonal where X is wide."""
    total = row_weights.sum()
    centre = np.asarray(X.T @ (row_weights / total)) if fit_intercept else np.zeros(X.shape[1])
    means = np.average(targets, axis=0, weights=row_weights)
    curvature = max(float((means * (1 - means)).mean()), 1e-6)
    with np.errstate(over="ignore", invalid="ignore"):  # reported by `_refuse_overflow`
        whiten, whiten_back = _whitening(X, curvature * row_weights, centre)
    return _Problem(X, targets, row_weights, centre, fit_intercept, 1 / np.sqrt(curvature * total), whiten, whiten_back)


def _whitening(X: Any, row_weights: Floats, centre: Floats) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    total = row_weights.sum()
    sparse: bool = issparse(X)
    if X.shape[1] <= WHITENED_FEATURES:
        weighted = X.multiply(row_weights[:, None]).tocsr() if sparse else X * row_weights.astype(X.dtype)[:, None]
        moments = X.T @ weighted
        hessian = np.asarray(moments.toarray() if sparse else moments, dtype=np.float64)
        hessian -= total * np.outer(centre, centre)
        hessian[np.diag_indices_from(hessian)] += 1
        _refuse_overflow(hessian)
        with suppress(LinAlgError):  # features equal up to rounding: scale each one separately
            factor = cholesky(hessian, lower=False)
            return (lambda v: solve_triangular(factor, v)), (lambda g: solve_triangular(factor, g, trans="T"))
    squares = X.multiply(X).T @ row_weights if sparse else np.einsum("ij,ij,i->j", X, X, row_weights)
    _refuse_overflow(squares)
    scale = 1 / np.sqrt(np.maximum(np.asarray(squares) - total * centre**2, 0) + 1)[:, None]
    return (lambda v: v * scale), (lambda g: g * scale)


def _refuse_overflow(squares: Floats) -> None:
    if not np.isfinite(squares).all():
        raise BadInput("X holds numbers whose squares overflow; scale the features first, for example with StandardScaler.")


def _minimum(problem: _Problem, *, tol: float, max_iter: int) -> OptimizeResult:
    """Run L-BFGS until the whitened gradient is below `tol` or the objective changes by no more than rounding errors."""
    rounding = 64 * np.finfo(problem.targets.dtype).eps if problem.targets.dtype == np.float64 else 1e-9
    options: Any = {"maxiter": max_iter, "gtol": tol, "ftol": rounding, "maxcor": 10, "maxls": 50, "maxfun": 20 * max_iter}
    objective: Any = problem.value_and_gradient
    result: OptimizeResult[Any] = minimize(objective, problem.start(), jac=True, method="L-BFGS-B", options=options)
    if result.nit >= max_iter:
        warnings.warn(
            f"SoftLogistic took {result.nit} steps and its gradient is {np.abs(result.jac).max():.2g}, above tol={tol}. "
            "Raise max_iter, scale the features or strengthen the penalty (a smaller C).",
            ConvergenceWarning,
            stacklevel=4,
        )
    return result
