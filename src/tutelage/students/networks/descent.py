"""Learning batch by batch with Adam, in NumPy: all parameters lie in one vector, so that a step is a few operations on it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.errors import SelfCheckFailed

DECAY_OF_MEAN, DECAY_OF_SQUARE, SMALLEST = 0.9, 0.999, 1e-8
"""Adam's settings."""
Part = tuple[Any, Floats]
"""Rows and targets."""


class Adam:
    """A vector of parameters and its gradient.

    Args:
        size: number of parameters, which are zero at first.
        learning_rate: of Adam.

    Attributes:
        parameters, gradient: (size,) float32; their values are set through views.
    """

    def __init__(self, size: int, learning_rate: float) -> None:
        self.parameters, self.gradient, self._mean, self._square = (np.zeros(size, dtype=np.float32) for _ in range(4))
        self.learning_rate = learning_rate
        self._steps = 0

    def descend(self) -> None:
        """A step along the gradient."""
        self._steps += 1
        self._mean += (1 - DECAY_OF_MEAN) * (self.gradient - self._mean)
        self._square *= DECAY_OF_SQUARE
        self._square += (1 - DECAY_OF_SQUARE) * (self.gradient * self.gradient)
        rate = self.learning_rate / (1 - DECAY_OF_MEAN**self._steps)
        scale = np.sqrt(self._square)
        scale /= np.sqrt(1 - DECAY_OF_SQUARE**self._steps)
        scale += SMALLEST
        np.divide(self._mean, scale, out=scale)
        scale *= rate
        self.parameters -= scale


class Learner(Protocol):
    """What learns from batches."""

    parameters: Floats

    def step(self, rows: Any, targets: Floats) -> None:
        """Learn from a batch."""

    def loss(self, rows: Any, targets: Floats) -> float:
        """The loss, summed over rows."""

    def copy(self) -> Any:
        """What was learnt so far, as arrays of their own."""


def train(
    learner: Learner,
    rows: Any,
    targets: Floats,
    *,
    epochs: int,
    batch_size: int,
    random: np.random.Generator,
    validation: Part | None = None,
) -> tuple[Any, int]:
    """Show a learner all rows, epoch after epoch.

    Args:
        learner: learns from a batch.
        rows: (rows, ...), an array or sparse rows.
        targets: (rows, ...) as the learner takes them.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        random: draws the order of the rows.
        validation: rows and targets that choose the epoch; the last if there are none.

    Returns:
        The learner's copy at the epoch that was chosen, and that epoch, counted from 1.

    Raises:
        SelfCheckFailed: the parameters are not finite.
    """
    lowest, best = np.inf, (learner.copy(), epochs)
    if isinstance(rows, np.ndarray):
        rows = np.ascontiguousarray(rows)  # those of a frame lie column by column, and each batch would read all over them
    with np.errstate(all="ignore"):  # overflow is reported below
        for epoch in range(1, epochs + 1):
            order = random.permutation(len(targets))
            for start in range(0, len(targets), batch_size):
                batch = order[start : start + batch_size]
                learner.step(rows[batch], targets[batch])
            if not np.isfinite(learner.parameters).all():
                raise SelfCheckFailed(
                    f"the weights are not finite after epoch {epoch}. Lower the learning rate, or check the targets for extreme values."
                )
            score = float(-epoch) if validation is None else learner.loss(*validation)
            if score < lowest:
                lowest = score
                best = (learner.copy(), epoch) if validation is not None or epoch == epochs else best
    return best
