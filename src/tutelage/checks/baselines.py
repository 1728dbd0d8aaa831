"""Baseline models that preflight compares a teacher and its data with: a few seconds of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import StructuredRows

FOLDS = 3

STRENGTHS = [0.01, 1.0, 100.0]
"""Regularisation of a linear model, among which each training fold chooses."""

WIDE, DIRECTIONS = 100, 40
"""Matrices with more columns are reduced to so many directions before trees learn from them."""

LEAVES = [4, 16, 64]
"""Leaves of a tree, among which each training fold chooses."""


def readable(inputs: Any) -> Any:
    """Rows as a baseline model takes them: texts, a sparse matrix, a pandas frame or a (rows, features) float array.

    Raises:
        BadInput: rows of another type.
    """
    if isinstance(inputs, StructuredRows):
        raise BadInput("rows of several inputs are no matrix, which a baseline model takes.")
    if isinstance(inputs, list) and isinstance(inputs[0], str):
        return inputs
    if hasattr(inputs, "tocsr"):
        return inputs.tocsr()
    frame = inputs.to_pandas() if hasattr(inputs, "to_pandas") else inputs
    if hasattr(frame, "iloc"):
        return frame if frame.ndim == 2 else frame.to_frame()
    array = np.asarray(inputs.detach().cpu() if hasattr(inputs, "detach") else inputs)
    if array.dtype.kind not in "biuf":
        raise BadInput(
            f"the rows are a {type(inputs).__name__} of {array.dtype}; a baseline model takes numbers, texts or a frame. Convert them."
        )
    flat = array.reshape(len(array), -1).astype(np.float64)
    return np.where(np.isfinite(flat), flat, np.nan)


def features(inputs: Any) -> Any:
    """An unfitted transformer from `readable` rows to numbers."""
    if isinstance(inputs, list):
        return TfidfVectorizer(max_features=5000)
    if hasattr(inputs, "tocsr"):
        return MaxAbsScaler()
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    if not hasattr(inputs, "iloc"):
        return numbers
    texts = make_pipeline(FunctionTransformer(_as_texts), OneHotEncoder(handle_unknown="ignore", max_categories=20))
    numeric = make_column_selector(dtype_include="number")
    return make_column_transformer((numbers, numeric), (texts, make_column_selector(dtype_exclude="number")))


def _as_texts(frame: Any) -> Any:
    """Categories, dates, booleans and missing values as texts, so that one encoder can take all of them."""
    return frame.astype(object).map(str)


@contextmanager
def _without_convergence_warnings() -> Iterator[None]:
    """Ignore ConvergenceWarning: the baselines stop early on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _tuned(model: Any, setting: str, values: Sequence[float]) -> Any:
    """A model whose setting is chosen on a third of the rows that it is fitted on."""
    return GridSearchCV(model, {setting: values}, cv=ShuffleSplit(1, test_size=1 / 3, random_state=0))


def predicted_labels(inputs: Any, labels: NDArray[Any], seed: int) -> dict[str, NDArray[Any]]:
    """Cross-validated predictions of the baseline classifiers: (rows,) labels by the name of the model."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    models = {
        "tuned logistic regression": _tuned(LogisticRegression(max_iter=200), "C", STRENGTHS),
        "tuned tree": _tuned(DecisionTreeClassifier(random_state=seed), "max_leaf_nodes", LEAVES),
    }
    with _without_convergence_warnings():
        return {
            name: np.asarray(cross_val_predict(make_pipeline(features(inputs), model), inputs, labels, cv=folds))
            for name, model in models.items()
        }


def predicted_values(inputs: Any, values: NDArray[Any], seed: int) -> dict[str, NDArray[Any]]:
    """Cross-validated predictions of the baseline regressors: arrays of the shape of `values`, by the name of the model."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    models = {
        "tuned ridge regression": _tuned(Ridge(), "alpha", [1 / strength for strength in STRENGTHS]),
        "tuned tree": _tuned(DecisionTreeRegressor(random_state=seed), "max_leaf_nodes", LEAVES),
    }
    return {
        name: np.asarray(cross_val_predict(make_pipeline(features(inputs), model), inputs, values, cv=folds)).reshape(values.shape)
        for name, model in models.items()
    }


def held_out_values(inputs: Any, values: Floats, seed: int) -> Floats:
    """(rows,) cross-validated predictions of numbers by the best of a ridge regression, a forest and boosted trees."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    found: list[Floats] = [np.asarray(cross_val_predict(model, inputs, values, cv=folds)) for model in _regressors(inputs, seed)]
    return min(found, key=lambda predicted: float(((values - predicted) ** 2).sum()))


def imitated_values(others: Any, answers: Floats, inputs: Any, target: Floats, seed: int) -> Floats:
    """(rows,) predictions for rows by the one of the same models that imitates a teacher best, after its answers to other rows.

    Args:
        others: `readable` rows.
        answers: the teacher's to these.
        inputs: the rows that are predicted.
        target: the teacher's answers there, by which the model is chosen.
        seed: of the models.
    """
    found: list[Floats] = [np.asarray(model.fit(others, answers).predict(inputs)) for model in _regressors(inputs, seed)]
    return min(found, key=lambda predicted: float(((target - predicted) ** 2).sum()))


def _regressors(inputs: Any, seed: int) -> list[Any]:
    """Unfitted models of numbers, behind the features of the rows; of very many features, their main directions."""
    models = (
        _tuned(Ridge(), "alpha", [1 / strength for strength in STRENGTHS]),
        RandomForestRegressor(30, min_samples_leaf=2, max_features=0.5, random_state=seed),
        HistGradientBoostingRegressor(max_iter=60, random_state=seed),
    )
    return [make_pipeline(features(inputs), FunctionTransformer(_as_dense), _Directions(), model) for model in models]


def _as_dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


class _Directions(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The first principal components of a matrix with more columns than models of trees take in a second."""

    def fit(self, X: Any, y: Any = None) -> _Directions:
        """Find the directions."""
        self.found_ = PCA(DIRECTIONS, svd_solver="randomized", random_state=0).fit(X) if X.shape[1] > WIDE and len(X) > DIRECTIONS else None
        return self

    def transform(self, X: Any) -> Any:
        """The rows along them."""
        return X if self.found_ is None else self.found_.transform(X)


def second_set_probabilities(inputs: Any, second: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """(rows,) cross-validated probability that each row comes from the second of two sets.

    The model is a forest for numbers, which detects more than a shift of the means, and logistic regression for texts and
    sparse matrices.
    """
    wide = isinstance(inputs, list) or hasattr(inputs, "tocsr")
    model = LogisticRegression(max_iter=200) if wide else RandomForestClassifier(50, min_samples_leaf=5, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with _without_convergence_warnings():
        probabilities = cross_val_predict(make_pipeline(features(inputs), model), inputs, second, cv=folds, method="predict_proba")
    return np.asarray(probabilities[:, 1], dtype=np.float64)
