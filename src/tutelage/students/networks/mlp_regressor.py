"""A small network for values, with scikit-learn's API, trained and stored as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from tutelage.core.arrays import Floats, check_weights
from tutelage.core.errors import BadInput, reported_as_ours
from tutelage.students.checked import Check, a_number, a_whole, check_fitted, check_settings, layer_sizes, random_seed
from tutelage.students.networks.network_training import SQUARED_ERROR, forward, standardising, train_layers


class NetworkRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A ReLU network for one or several values, trained on squared errors with Adam. Features and values are standardised for training.

    Args:
        hidden_layer_sizes, learning_rate, epochs, batch_size, l2, random_state: as for `SoftMLP`.

    Attributes:
        coefs_, intercepts_, mean_, scale_: as of `SoftMLP`; the last layer answers in the unit of the values.
        one_output_: whether `fit` was given (rows,) values.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> student = NetworkRegressor(hidden_layer_sizes=(8,), epochs=60, learning_rate=0.03, random_state=0).fit(X, 100 * np.abs(X[:, 0]))
        >>> student.predict([[-0.5], [0.5]]).round(-1).tolist()
        [50.0, 50.0]
    """

    _settings: ClassVar[Mapping[str, Check]] = {
        "hidden_layer_sizes": layer_sizes,
        "learning_rate": a_number(above=0, most=1e30),
        "epochs": a_whole(1),
        "batch_size": a_whole(1),
        "l2": a_number(least=0, most=1e30),
        "random_state": random_seed,
    }

    coefs_: list[Floats]
    intercepts_: list[Floats]
    mean_: Floats
    scale_: Floats
    one_output_: bool

    def __init__(
        self,
        *,
        hidden_layer_sizes: Sequence[int] = (64,),
        learning_rate: float = 3e-3,
        epochs: int = 100,
        batch_size: int = 64,
        l2: float = 0.0,
        random_state: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.random_state = random_state

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
        with reported_as_ours():
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=[np.float64, np.float32])
        given = check_weights(sample_weight, len(X))
        weights = np.ones(len(X)) if given is None else given / given.mean()
        self.one_output_ = y.ndim == 1
        values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_, self.scale_ = standardising(X)
        middle, deviation = standardising(values)
        rows = np.asarray((X - self.mean_) / self.scale_, dtype=np.float32)
        layers, _ = train_layers(
            rows,
            np.column_stack([weights, (values - middle) / deviation]).astype(np.float32),
            [rows.shape[1], *self.hidden_layer_sizes, values.shape[1]],
            SQUARED_ERROR,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            l2=self.l2,
            seed=seed,
        )
        last_weights, last_biases = layers[-1]
        layers[-1] = ((last_weights * deviation).astype(np.float32), (last_biases * deviation + middle).astype(np.float32))
        self.coefs_, self.intercepts_ = [weight for weight, _ in layers], [bias for _, bias in layers]
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, features) -> (rows,) or (rows, outputs) values.

        Raises:
            BadInput: rows that `fit` would refuse, or so far from those learnt from that numbers overflow. NotFitted: it was not fitted.
        """
        check_fitted(self)
        with reported_as_ours():
            X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            values = forward(list(zip(self.coefs_, self.intercepts_, strict=True)), (X - self.mean_) / self.scale_)
        if not np.isfinite(values).all():
            raise BadInput(
                "some rows have no values: their numbers are too large for this student. Scale the features, in fit and here alike."
            )
        return values[:, 0] if self.one_output_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
