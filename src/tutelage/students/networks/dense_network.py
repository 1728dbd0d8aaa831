"""What the small networks for probabilities and for values have in common: their settings, how they are trained, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats
from tutelage.students.checked import Check, a_number, a_whole, layer_sizes, random_seed
from tutelage.students.networks.network_training import Layers, Loss, forward, held_out, is_sparse, standardising, train_layers

BLOCK_ROWS = 4096
"""Rows that are scaled at a time."""
INPUTS: dict[str, Any] = {"dtype": [np.float64, np.float32], "accept_sparse": "csr"}
"""How scikit-learn's validation takes rows."""


class DenseNetwork(BaseEstimator):  # type: ignore[misc]
    """A ReLU network whose layers are NumPy arrays, trained with Adam. Its arguments and attributes are those of `SoftMLP`."""

    _settings: ClassVar[Mapping[str, Check]] = {
        "hidden_layer_sizes": layer_sizes,
        "learning_rate": a_number(above=0, most=1e30),
        "epochs": a_whole(1),
        "batch_size": a_whole(1),
        "l2": a_number(least=0, most=1e30),
        "standardise": flag,
        "validation_fraction": a_number(least=0, below=1, hint="(a share of the rows)"),
        "random_state": random_seed,
    }

    coefs_: list[Floats]
    intercepts_: list[Floats]
    mean_: Floats
    scale_: Floats
    best_epoch_: int

    def __init__(
        self,
        *,
        hidden_layer_sizes: Sequence[int] = (64,),
        learning_rate: float = 3e-3,
        epochs: int = 100,
        batch_size: int = 64,
        l2: float = 0.0,
        standardise: bool = True,
        validation_fraction: float = 0.0,
        random_state: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.standardise = standardise
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _train(self, X: Any, targets: Floats, outputs: int, loss: Loss) -> Layers:
        """The layers that are learnt; what is done to rows before them, and the epoch, are stored.

        Args:
            X: (rows, features), an array or sparse rows.
            targets: (rows, ...) as the loss takes them.
            outputs: number of outputs.
            loss: what is minimised.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        features = X.shape[1]
        self.mean_, self.scale_ = standardising(X) if self.standardise else (np.zeros(features), np.ones(features))
        training, validation = held_out(self._scaled(X, np.float32), targets.astype(np.float32), self.validation_fraction, seed=seed)
        layers, self.best_epoch_ = train_layers(
            *training,
            [features, *self.hidden_layer_sizes, outputs],
            loss,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            l2=self.l2,
            seed=seed,
            validation=validation,
        )
        return layers

    def _store(self, layers: Layers) -> None:
        self.coefs_, self.intercepts_ = [weight for weight, _ in layers], [bias for _, bias in layers]

    def _outputs(self, X: Any) -> Floats:
        """(rows, features) -> (rows, outputs) of the last layer."""
        return forward(list(zip(self.coefs_, self.intercepts_, strict=True)), self._scaled(X))

    def _scaled(self, X: Any, dtype: Any = np.float64) -> Any:
        """Rows as the first layer takes them; sparse ones stay sparse unless a network of dense rows shifts them."""
        if is_sparse(X) and not self.mean_.any():
            return X.multiply(1 / self.scale_).tocsr().astype(dtype)
        rows = X.toarray() if is_sparse(X) else X
        scaled = np.empty(rows.shape, dtype=dtype)
        for start in range(0, len(rows), BLOCK_ROWS):  # in double precision, of which there are few at a time
            some = slice(start, start + BLOCK_ROWS)
            scaled[some] = (rows[some] - self.mean_) / self.scale_
        return scaled
