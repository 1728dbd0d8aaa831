"""Small fully connected networks, trained with NumPy: for networks this small, several times faster than calling a framework per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import log_softmax

from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput
from tutelage.students.networks.descent import Adam, Part, train

Layers = list[tuple[Floats, Floats]]
"""Weights (inputs, outputs) and biases (outputs,) of each layer."""


@dataclass(frozen=True)
class Loss:
    """What a network minimises, a mean over rows.

    Attributes:
        gradient: (outputs, targets) -> its gradient at each row's outputs, which it may overwrite.
        total: (outputs, targets) -> the loss summed over rows.
    """

    gradient: Callable[[Floats, Floats], Floats]
    total: Callable[[Floats, Floats], float]


def _cross_entropy_gradient(logits: Floats, targets: Floats) -> Floats:
    probabilities = softmax(logits)
    probabilities *= targets.sum(axis=1, keepdims=True)
    probabilities -= targets
    return probabilities


def _squared_gradient(values: Floats, targets: Floats) -> Floats:
    weights, wanted = targets[:, :1], targets[:, 1:]
    return np.asarray(weights * (values - wanted))


def _squared_total(values: Floats, targets: Floats) -> float:
    return float((targets[:, :1] * (values - targets[:, 1:]) ** 2).sum() / 2)


CROSS_ENTROPY = Loss(_cross_entropy_gradient, lambda logits, targets: -float(np.vdot(targets, log_softmax(logits, axis=1))))
"""Of logits against (rows, classes) probabilities, each row multiplied by its weight."""
SQUARED_ERROR = Loss(_squared_gradient, _squared_total)
"""Half the squared error of values against (rows, 1 + outputs) targets: the weight of each row, then its values."""


def is_sparse(rows: Any) -> bool:
    """Whether rows are a sparse matrix of SciPy."""
    return bool(issparse(rows))


def standardising(rows: Any) -> tuple[Floats, Floats]:
    """(features,) means and standard deviations, 1 where a feature is constant.

    Sparse rows have means of 0, and for all features the root mean square of the cells that are not zero: shifted they would be dense,
    and by their own deviation features that are rare would be large.

    Raises:
        BadInput: numbers whose squares overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is reported below
        if is_sparse(rows):
            cells = np.asarray(rows.data[rows.data != 0], dtype=np.float64)
            shift, deviation = np.zeros(rows.shape[1]), np.full(rows.shape[1], np.sqrt(np.square(cells).mean()) if len(cells) else 0.0)
        else:
            shift, deviation = (found(axis=0, dtype=np.float64) for found in (rows.mean, rows.std))  # sums of float32 drift
    if not np.isfinite(deviation).all():
        raise BadInput("X holds numbers whose squares overflow, so it cannot be standardised; scale the features first.")
    return np.asarray(shift), np.where(deviation > 0, deviation, 1)


def held_out(rows: Any, targets: Floats, share: float, *, seed: int) -> tuple[Part, Part | None]:
    """Rows to train on, and rows that choose the epoch; None if the share is 0.

    Raises:
        BadInput: the share holds out all rows.
    """
    every = len(targets)
    count = round(share * every)
    if count == 0:
        return (rows, targets), None
    if count == every:
        raise BadInput(f"validation_fraction holds out all {count} rows; expected rows left to train on. Lower validation_fraction.")
    order = np.random.default_rng(seed).permutation(every)
    training, validation = np.sort(order[count:]), np.sort(order[:count])
    return (rows[training], targets[training]), (rows[validation], targets[validation])


def forward(layers: Layers, rows: Any) -> Floats:
    """(rows, features), sparse or not -> (rows, outputs) of the last layer; the layers before it end in a ReLU."""
    for weights, biases in layers[:-1]:
        rows = np.maximum(rows @ weights + biases, 0)
    return np.asarray(rows @ layers[-1][0] + layers[-1][1])


def train_layers(
    rows: Any,
    targets: Floats,
    sizes: Sequence[int],
    loss: Loss,
    *,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    l2: float,
    seed: int,
    validation: Part | None = None,
) -> tuple[Layers, int]:
    """Train a network with Adam.

    Args:
        rows: (rows, features), float32, an array or sparse rows.
        targets: (rows, ...) as the loss takes them, float32.
        sizes: number of features, of the units of each hidden layer, and of outputs.
        loss: what is minimised.
        learning_rate: of Adam.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        l2: penalty l2 ||W||^2 / 2 on the weights, not the biases.
        seed: of the initial weights and of the order of the rows.
        validation: rows and targets that choose the epoch; the last if there are none.

    Returns:
        The layers, float32, and the epoch, counted from 1, that they are from.

    Raises:
        SelfCheckFailed: the weights are not finite.

    Example:
        >>> X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
        >>> targets = np.hstack([np.ones_like(X), np.abs(X)])
        >>> settings = {"learning_rate": 0.03, "epochs": 60, "batch_size": 16, "l2": 0.0, "seed": 0}
        >>> layers, epoch = train_layers(X, targets, [1, 8, 1], SQUARED_ERROR, **settings)
        >>> epoch, bool(np.abs(forward(layers, X) - np.abs(X)).mean() < 0.05)
        (60, True)
    """
    random = np.random.default_rng(seed)
    network = _Network(sizes, random, loss, learning_rate, l2)
    return train(network, rows, targets, epochs=epochs, batch_size=batch_size, random=random, validation=validation)


class _Network(Adam):
    """Layers whose numbers lie in one vector."""

    def __init__(self, sizes: Sequence[int], random: np.random.Generator, loss: Loss, learning_rate: float, l2: float) -> None:
        shapes = list(pairwise(sizes))
        super().__init__(sum(inputs * outputs + outputs for inputs, outputs in shapes), learning_rate)
        self._loss, self._l2, self._is_weight = loss, np.float32(l2), np.zeros_like(self.parameters)
        self.layers, self._gradients = _views(self.parameters, shapes), _views(self.gradient, shapes)
        for (weights, biases), (are_weights, _) in zip(self.layers, _views(self._is_weight, shapes), strict=True):
            bound = 1 / np.sqrt(max(len(weights), 1))
            weights[:], biases[:] = random.uniform(-bound, bound, weights.shape), random.uniform(-bound, bound, biases.shape)
            are_weights[:] = 1

    def copy(self) -> Layers:
        """The layers as arrays of their own."""
        return [(weights.copy(), biases.copy()) for weights, biases in self.layers]

    def loss(self, rows: Any, targets: Floats) -> float:
        """The loss, summed over rows."""
        return self._loss.total(forward(self.layers, rows), targets)

    def step(self, rows: Any, targets: Floats) -> None:
        """Learn from one batch."""
        hidden: list[Any] = [rows]
        for weights, biases in self.layers[:-1]:
            units = hidden[-1] @ weights
            units += biases
            hidden.append(np.maximum(units, 0, out=units))
        weights, biases = self.layers[-1]
        delta = self._loss.gradient(hidden[-1] @ weights + biases, targets)
        delta /= len(targets)
        for place in range(len(self.layers) - 1, -1, -1):
            of_weights, of_biases = self._gradients[place]
            if place == 0 and is_sparse(rows):
                of_weights[:] = rows.T @ delta
            else:
                np.matmul(hidden[place].T, delta, out=of_weights)
            np.sum(delta, axis=0, out=of_biases)
            if place:
                delta = delta @ self.layers[place][0].T
                delta *= hidden[place] > 0
        if self._l2:
            self.gradient += self._l2 * self._is_weight * self.parameters
        self.descend()


def _views(vector: Any, shapes: Sequence[tuple[int, int]]) -> Layers:
    """Weights and biases of each layer as views of one vector."""
    found, place = [], 0
    for inputs, outputs in shapes:
        border = place + inputs * outputs
        found.append((vector[place:border].reshape(inputs, outputs), vector[border : border + outputs]))
        place = border + outputs
    return found
