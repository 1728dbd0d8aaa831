"""A small network for probabilities, with scikit-learn's API."""

from __future__ import annotations

from typing import Any, ClassVar

from tutelage.core.arrays import Floats, softmax
from tutelage.students.networks.dense_network import INPUTS, DenseNetwork
from tutelage.students.networks.network_training import CROSS_ENTROPY
from tutelage.students.soft_classifier import SoftClassifier


class SoftMLP(DenseNetwork, SoftClassifier):
    """A ReLU network with a softmax output, trained on probabilities with Adam.

    It is trained with NumPy: while networks are this small, that is several times faster than a framework's steps.

    Args:
        hidden_layer_sizes: number of units of each hidden layer.
        learning_rate: learning rate of Adam.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        l2: penalty l2 ||W||^2 / 2 on the weights of the layers (not the biases), added to the mean loss of each batch.
        standardise: shift and scale each feature to mean 0 and standard deviation 1 first. Sparse rows are scaled by one number, so that
            they stay sparse and rare features small.
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

    _inputs: ClassVar[dict[str, Any]] = INPUTS

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        if weights is not None:
            positive = weights > 0
            X, targets, weights = X[positive], targets[positive], weights[positive]
            targets = targets * (weights / weights.mean())[:, None]  # the cross-entropy is linear in its target
        self._store(self._train(X, targets, targets.shape[1], CROSS_ENTROPY))

    def _probabilities(self, X: Any) -> Floats:
        return softmax(self._outputs(X))
