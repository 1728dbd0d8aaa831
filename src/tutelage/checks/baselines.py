"""Plain models that preflight measures a teacher and its data by: a few seconds of scikit-learn, no tuning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.errors import BadInput

FOLDS = 3


def readable(inputs: Any) -> Any:
    """Rows as a plain model takes them: texts, a sparse matrix, a pandas frame or a (rows, features) float array.

    Raises:
        BadInput: rows that are none of these.
    """
    if isinstance(inputs, list) and isinstance(inputs[0], str):
        return inputs
    if hasattr(inputs, "tocsr"):
        return inputs.tocsr()
    frame = inputs.to_pandas() if hasattr(inputs, "to_pandas") else inputs
    if hasattr(frame, "iloc"):
        return frame if frame.ndim == 2 else frame.to_frame()
    array = np.asarray(inputs.detach().cpu() if hasattr(inputs, "detach") else inputs)
    if array.dtype.kind not in "biuf":
        raise BadInput(f"rows of type {type(inputs).__name__} that are no numbers, texts or frame columns; no plain model reads them.")
    flat = array.reshape(len(array), -1).astype(np.float64)
    return np.where(np.isfinite(flat), flat, np.nan)


def features(inputs: Any) -> Any:
    """An unfitted step that turns `readable` rows into numbers."""
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
    """Categories, dates, truth values and missing ones as texts, which one encoder takes together."""
    return frame.astype(object).map(str)


@contextmanager
def _plainly() -> Iterator[None]:
    """Stopping short of the optimum is meant here: these models are a yardstick."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def classifier_probabilities(inputs: Any, labels: NDArray[Any], seed: int) -> dict[str, NDArray[Any]]:
    """What plain classifiers say of each row, trained on the other folds: (rows,) labels by the model's name."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    models = {
        "logistic regression": LogisticRegression(max_iter=200),
        "tree of 32 leaves": DecisionTreeClassifier(max_leaf_nodes=32, random_state=seed),
    }
    with _plainly():
        return {
            name: np.asarray(cross_val_predict(make_pipeline(features(inputs), model), inputs, labels, cv=folds))
            for name, model in models.items()
        }


def regressor_values(inputs: Any, values: NDArray[Any], seed: int) -> dict[str, NDArray[Any]]:
    """What plain regressors say of each row, trained on the other folds: arrays shaped as `values`."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    models = {"ridge regression": Ridge(), "tree of 32 leaves": DecisionTreeRegressor(max_leaf_nodes=32, random_state=seed)}
    return {
        name: np.asarray(cross_val_predict(make_pipeline(features(inputs), model), inputs, values, cv=folds)).reshape(values.shape)
        for name, model in models.items()
    }


def second_share(inputs: Any, second: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """(rows,) how likely a plain model, trained on the other folds, thinks each row is of the second of two sets.

    A forest on numbers, which sees more than a shift of means; logistic regression on texts and sparse matrices.
    """
    wide = isinstance(inputs, list) or hasattr(inputs, "tocsr")
    model = LogisticRegression(max_iter=200) if wide else RandomForestClassifier(50, min_samples_leaf=5, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with _plainly():
        said = cross_val_predict(make_pipeline(features(inputs), model), inputs, second, cv=folds, method="predict_proba")
    return np.asarray(said[:, 1], dtype=np.float64)
