"""A small network with scikit-learn's API, trained and stored as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, softmax
from tutelage.students.checked import Check, a_number, a_whole, layer_sizes, random_seed
from tutelage.students.networks.network_training import CROSS_ENTROPY, forward, held_out, standardising, train_layers
from tutelage.students.soft_classifier import SoftClassifier


class SoftMLP(SoftClassifier):
    """A ReLU network with a softmax output, trained on probabilities with Adam.

    It is trained with NumPy: while networks are this small, that is several times faster than a framework's steps.

    Args:
        hidden_layer_sizes: number of units of each hidden layer.
        learning_rate: learning rate of Adam.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        l2: penalty l2 ||W||^2 / 2 on the weights of the layers (not the biases), added to the mean loss of each batch.
        standardise: shift and scale each feature to mean 0 and standard deviation 1 first.
        validation_fraction: share of the rows held out to choose the epoch whose weights are used; 0 uses the last epoch.
        random_state: seed of the initial weights, the shuffling and the held-out rows.

    Attributes:
        coefs_: weights of each layer, (inputs, outputs), float32.
        intercepts_: biases of each layer, (outputs,), float32.
        mean_: (features,) subtracted from the features.
        scale_: (features,) by which the shifted features are divided.
        best_epoch_: the epoch, counted from 1, whose weights are used.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.SoftMLP(hidden_layer_sizes=(8,), epochs=30, learning_rate=0.03, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
        >>> [weights.shape for weights in student.coefs_]
        [(4, 8), (8, 3)]
    """

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

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        if weights is not None:
            positive = weights > 0
            X, targets, weights = X[positive], targets[positive], weights[positive]
            targets = targets * (weights / weights.mean())[:, None]  # the cross-entropy is linear in its target
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_, self.scale_ = standardising(X) if self.standardise else (np.zeros(X.shape[1]), np.ones(X.shape[1]))
        rows, targets = np.asarray((X - self.mean_) / self.scale_, dtype=np.float32), np.asarray(targets, dtype=np.float32)
        (rows, targets), validation = held_out(rows, targets, self.validation_fraction, seed=seed)
        layers, self.best_epoch_ = train_layers(
            rows,
            targets,
            [rows.shape[1], *self.hidden_layer_sizes, targets.shape[1]],
            CROSS_ENTROPY,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            l2=self.l2,
            seed=seed,
            validation=validation,
        )
        self.coefs_, self.intercepts_ = [weight for weight, _ in layers], [bias for _, bias in layers]

    def _probabilities(self, X: Any) -> Floats:
        return softmax(forward(list(zip(self.coefs_, self.intercepts_, strict=True)), (X - self.mean_) / self.scale_))
