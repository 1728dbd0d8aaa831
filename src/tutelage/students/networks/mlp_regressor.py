"""A small network for values, with scikit-learn's API, on `DenseNetwork`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from tutelage.core.arrays import check_weights
from tutelage.core.errors import BadInput, reported_as_ours
from tutelage.data.row_arrays import without_masks
from tutelage.students.checked import check_fitted, check_settings
from tutelage.students.networks.dense_network import INPUTS, DenseNetwork
from tutelage.students.networks.network_training import SQUARED_ERROR, standardising


class NetworkRegressor(RegressorMixin, DenseNetwork):  # type: ignore[misc]
    """A ReLU network for one or several values, trained on squared errors with Adam. Values are standardised for training.

    Args:
        hidden_layer_sizes, learning_rate, epochs, batch_size, l2, standardise, validation_fraction, random_state: as for `SoftMLP`.

    Attributes:
        coefs_, intercepts_, mean_, scale_, best_epoch_: as of `SoftMLP`; the last layer answers in the unit of the values.
        one_output_: whether `fit` was given (rows,) values.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> student = NetworkRegressor(hidden_layer_sizes=(8,), epochs=60, learning_rate=0.03, random_state=0).fit(X, 100 * np.abs(X[:, 0]))
        >>> student.predict([[-0.5], [0.5]]).round(-1).tolist()
        [50.0, 50.0]
    """

    one_output_: bool

    def fit(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from values.

        Args:
            X: (rows, features).
            y: (rows,) or (rows, outputs) values.
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            BadInput: rows or values that scikit-learn's validation refuses, or whose squares overflow. SelfCheckFailed: training diverges.
        """
        check_settings(self, self._settings)
        X, y = without_masks(X, y)
        with reported_as_ours():
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **INPUTS)
        given = check_weights(sample_weight, len(y))
        weights = np.ones(len(y)) if given is None else given / given.mean()
        self.one_output_ = y.ndim == 1
        values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        middle, deviation = standardising(values)
        layers = self._train(X, np.column_stack([weights, (values - middle) / deviation]), values.shape[1], SQUARED_ERROR)
        last_weights, last_biases = layers[-1]
        layers[-1] = ((last_weights * deviation).astype(np.float32), (last_biases * deviation + middle).astype(np.float32))
        self._store(layers)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, features) -> (rows,) or (rows, outputs) values.

        Raises:
            BadInput: rows that `fit` would refuse, or so far from those learnt from that numbers overflow. NotFitted: it was not fitted.
        """
        check_fitted(self)
        X, _ = without_masks(X)
        with reported_as_ours():
            X = validate_data(self, X, reset=False, **INPUTS)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            values = self._outputs(X)
        if not np.isfinite(values).all():
            raise BadInput(
                "some rows have no values: their numbers are too large for this student. Scale the features, in fit and here alike."
            )
        return values[:, 0] if self.one_output_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        return tags
