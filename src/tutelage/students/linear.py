"""Logistic regression on soft targets: it minimises their cross-entropy directly, without repeating rows once per class."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
from tutelage.students.by_parts.blocks import Block, Blocks
from tutelage.students.checked import Check, a_number, a_whole, check_fitted
from tutelage.students.soft_classifier import SoftClassifier

WHITENED_FEATURES = 1024
"""Up to this many features, the problem is whitened with their covariance; above it, each feature is scaled separately."""

ROUNDED = 1e-13
"""A feature is equal to a sum of others up to rounding if no larger share of its variance is left."""

RANGE, SAMPLED = 2000, 2000
"""How much larger than usual a number in single precision may be before sums need double; rows that show what is usual."""


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
        self._take(*self._optimum([(X.astype(np.float64) if _needs_double(X) else X, targets, weights)]))

    def _learn_blocks(self, blocks: Blocks) -> int:
        start = None
        if not blocks.held:
            drawn = blocks.sample()
            if drawn[2] is None or drawn[2].any():
                start, *_ = self._optimum([drawn])  # near the optimum over all rows, to which it then takes fewer passes
        self._take(*self._optimum(blocks, start))
        return len(blocks.parts)

    def _optimum(self, blocks: Iterable[Block], start: Optimum | None = None) -> tuple[Optimum, int, np.dtype[Any]]:
        """The optimum over all rows of the blocks, the number of steps to it, and the dtype of the rows."""
        problem = _problem(_Weighed(blocks, self.C), fit_intercept=self.fit_intercept)
        result = _minimum(problem, problem.start() if start is None else problem.packed(*start), tol=self.tol, max_iter=self.max_iter)
        return problem.unpacked(result.x), max(1, int(result.nit)), problem.dtype

    def _take(self, optimum: Optimum, steps: int, dtype: np.dtype[Any]) -> None:
        coefficients, intercepts = optimum
        if intercepts.size > 1:
            intercepts -= intercepts.mean()  # a constant added to all of them changes nothing
        self.coef_ = np.ascontiguousarray(coefficients.T, dtype=dtype)
        self.intercept_ = intercepts.astype(dtype)
        self.n_iter_ = steps


Optimum = tuple[Floats, Floats]
"""(features, columns) coefficients and (columns,) intercepts."""


@dataclass(frozen=True)
class _Weighed:
    """Blocks of rows, their targets, one column per class, or only that of the second class for two classes, and C w_i of each row."""

    blocks: Iterable[Block]
    C: float
    _double: dict[int, bool] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Any, Floats, Floats]]:
        for place, (rows, targets, weights) in enumerate(self.blocks):
            if place not in self._double:
                self._double[place] = _needs_double(rows)
            X = rows.astype(np.float64) if self._double[place] else rows
            columns = targets[:, 1:] if targets.shape[1] == 2 else targets
            row_weights = np.full(X.shape[0], self.C) if weights is None else self.C * weights
            yield X, np.ascontiguousarray(columns, dtype=X.dtype), row_weights


def _needs_double(X: Any) -> bool:
    """Whether sums of rows in single precision lose what matters of them.

    They lose the small numbers of a feature beside large ones: its differences beside an offset, or all other rows beside one of 1e6.
    The usual size is a geometric mean, which a few large numbers do not move: of the distances from the median, or of the cells of
    sparse rows.
    """
    if X.dtype != np.float32 or not X.shape[0]:
        return False
    sparse: bool = issparse(X)
    if sparse:
        cells, features = np.abs(X.data[X.data != 0], dtype=np.float64), X.indices[X.data != 0]
        largest = np.zeros(X.shape[1])
        np.maximum.at(largest, features, cells)
        logs, counts = np.bincount(features, np.log(cells), X.shape[1]), np.bincount(features, minlength=X.shape[1])
    else:
        some = X[:: max(len(X) // SAMPLED, 1)].astype(np.float64)
        distances = np.abs(some - np.median(some, axis=0))
        largest = np.abs(X).max(axis=0)
        logs, counts = np.log(distances, where=distances > 0, out=np.zeros_like(distances)).sum(axis=0), (distances > 0).sum(axis=0)
    usual = np.exp(logs / np.maximum(counts, 1))
    return bool((largest > RANGE * usual)[counts > 0].any())


Change = Callable[[Floats], Floats]
"""(features, columns) numbers in other coordinates."""


@dataclass(frozen=True)
class _Problem:
    """The optimisation problem in whitened coordinates. Each sum over rows is one over blocks of them.

    Attributes:
        blocks: the rows, their targets and weights.
        dtype: that of the rows.
        means: (columns,) weighted means of the targets.
        centre: (features,) weighted means of the rows. The whitened intercept is that of centred rows.
        fit_intercept: whether an intercept is learnt.
        intercept_scale: factor from the whitened intercept to the intercept of centred rows.
        whiten: whitened (features, columns) -> coefficients. unwhiten: the inverse.
        whiten_back: gradients with respect to coefficients -> with respect to whitened coefficients.
    """

    blocks: _Weighed
    dtype: np.dtype[Any]
    means: Floats
    centre: Floats
    fit_intercept: bool
    intercept_scale: float
    whiten: Change
    unwhiten: Change
    whiten_back: Change

    def start(self) -> Floats:
        """The initial point, (1 + features, columns) raveled: zero coefficients, and intercepts that predict the mean target."""
        point = np.zeros((1 + len(self.centre), len(self.means)))
        if self.fit_intercept:
            means = self.means.clip(1e-6, 1 - 1e-6)
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

    def packed(self, coefficients: Floats, intercepts: Floats) -> Floats:
        """The point of these coefficients and intercepts."""
        first = (intercepts + self.centre @ coefficients) / self.intercept_scale if self.fit_intercept else np.zeros(len(intercepts))
        return np.vstack([first, self.unwhiten(coefficients)]).ravel()

    def value_and_gradient(self, point: Floats) -> tuple[float, Floats]:
        """The objective and its gradient with respect to `point`."""
        coefficients, intercepts = self.unpacked(point)
        value, by_intercept = 0.5 * float(np.vdot(coefficients, coefficients)), np.zeros(len(intercepts))
        by_coefficient = coefficients.copy()
        for X, targets, row_weights in self.blocks:
            logits = X @ coefficients.astype(X.dtype)
            logits += intercepts.astype(X.dtype)
            losses, residuals = (_sigmoid_loss if logits.shape[1] == 1 else _softmax_loss)(logits, targets)
            residuals *= row_weights.astype(X.dtype)[:, None]
            by_intercept += residuals.sum(axis=0, dtype=np.float64)
            by_coefficient += np.asarray(X.T @ residuals, dtype=np.float64)
            value += float(row_weights @ losses)
        gradient = np.zeros((1 + len(coefficients), len(intercepts)))
        if self.fit_intercept:
            by_coefficient -= np.outer(self.centre, by_intercept)
            gradient[0] = by_intercept * self.intercept_scale
        gradient[1:] = self.whiten_back(by_coefficient)
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


def _problem(blocks: _Weighed, *, fit_intercept: bool) -> _Problem:
    """Whiten with the Hessian at constant logits, H = c X'SX + I on centred rows, or with its diagonal where X is wide."""
    total = 0.0
    of_rows: Any = 0.0
    of_targets: Any = 0.0
    moments: Any = 0.0
    dtype: np.dtype[Any] | None = None
    for X, targets, row_weights in blocks:
        total += row_weights.sum()
        with np.errstate(over="ignore", invalid="ignore"):  # reported by `_refuse_overflow`
            of_rows = of_rows + np.asarray(X.T @ row_weights, dtype=np.float64)
            moments = moments + _moments(X, row_weights)
        of_targets = of_targets + np.einsum("ij,i->j", targets, row_weights, dtype=np.float64)
        dtype = X.dtype if dtype is None else np.result_type(dtype, X.dtype)
    means = np.asarray(of_targets / total)
    centre = np.asarray(of_rows / total) if fit_intercept else np.zeros(np.shape(of_rows))
    curvature = max(float((means * (1 - means)).mean()), 1e-6)
    with np.errstate(over="ignore", invalid="ignore"):
        changes = _whitening(np.asarray(curvature * moments), curvature * total, centre)
    return _Problem(blocks, np.dtype(dtype), means, centre, fit_intercept, 1 / np.sqrt(curvature * total), *changes)


def _moments(X: Any, row_weights: Floats) -> Floats:
    """(features, features) weighted sums of products, or where X is wide (features,) of squares."""
    sparse: bool = issparse(X)
    if X.shape[1] > WHITENED_FEATURES:
        return np.asarray(X.multiply(X).T @ row_weights if sparse else np.einsum("ij,ij,i->j", X, X, row_weights))
    weighted = X.multiply(row_weights[:, None]).tocsr() if sparse else X * row_weights.astype(X.dtype)[:, None]
    moments = X.T @ weighted
    return np.asarray(moments.toarray() if sparse else moments, dtype=np.float64)


def _whitening(moments: Floats, total: float, centre: Floats) -> tuple[Change, Change, Change]:
    """`whiten`, `unwhiten` and `whiten_back` of the problem."""
    squares = moments
    if moments.ndim == 2:
        hessian = moments - total * np.outer(centre, centre)
        hessian[np.diag_indices_from(hessian)] += 1
        _refuse_overflow(hessian)
        with suppress(LinAlgError):  # features equal up to rounding: scale each one separately
            factor = cholesky(hessian, lower=False)
            if (factor.diagonal() ** 2 < ROUNDED * hessian.diagonal()).any():
                raise LinAlgError("what is left of a feature beside those before it is a rounding error")
            return (lambda v: solve_triangular(factor, v)), (lambda w: factor @ w), (lambda g: solve_triangular(factor, g, trans="T"))
        squares = np.diag(moments)
    _refuse_overflow(squares)
    scale = 1 / np.sqrt(np.maximum(squares - total * centre**2, 0) + 1)[:, None]
    return (lambda v: v * scale), (lambda w: w / scale), (lambda g: g * scale)


def _refuse_overflow(squares: Floats) -> None:
    if not np.isfinite(squares).all():
        raise BadInput("X holds numbers whose squares overflow; scale the features first, for example with StandardScaler.")


def _minimum(problem: _Problem, start: Floats, *, tol: float, max_iter: int) -> OptimizeResult:
    """Run L-BFGS until the whitened gradient is below `tol` or the objective changes by no more than rounding errors."""
    rounding = 64 * np.finfo(problem.dtype).eps if problem.dtype == np.float64 else 1e-9
    options: Any = {"maxiter": max_iter, "gtol": tol, "ftol": rounding, "maxcor": 10, "maxls": 50, "maxfun": 20 * max_iter}
    objective: Any = problem.value_and_gradient
    result: OptimizeResult[Any] = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    steepest = float(np.abs(result.jac).max())
    if result.nit >= max_iter or (not result.success and steepest > 100 * tol):
        warnings.warn(
            f"SoftLogistic took {result.nit} steps and its gradient is {steepest:.2g}, above tol={tol}. "
            "Raise max_iter, scale the features or strengthen the penalty (a smaller C).",
            ConvergenceWarning,
            stacklevel=5,
        )
    return result
