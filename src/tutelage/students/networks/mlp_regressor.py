"""A small network for values, with scikit-learn's API, on `DenseNetwork`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.arrays import Floats, check_weights
from tutelage.students.checked import check_settings
from tutelage.students.networks.dense_network import INPUTS, DenseNetwork
from tutelage.students.networks.network_training import SQUARED_ERROR, standardising
from tutelage.students.networks.value_network import ValueNetwork


class NetworkRegressor(ValueNetwork, DenseNetwork):
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

    _inputs: ClassVar[dict[str, Any]] = INPUTS

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
        X, values = self._checked_to_fit(X, y)
        given = check_weights(sample_weight, len(values))
        weights = np.ones(len(values)) if given is None else given / given.mean()
        middle, deviation = standardising(values)
        layers = self._train(X, np.column_stack([weights, (values - middle) / deviation]), values.shape[1], SQUARED_ERROR)
        last_weights, last_biases = layers[-1]
        layers[-1] = ((last_weights * deviation).astype(np.float32), (last_biases * deviation + middle).astype(np.float32))
        self._store(layers)
        return self

    def _values(self, X: Any) -> Floats:
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
