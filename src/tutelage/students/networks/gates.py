"""The tree of a `SoftDecisionTree`: gates that share each row out among leaves, and how they are learnt.

Nodes are numbered level by level: node i leads to 2i + 1 on its left and to 2i + 2 on its right. Arrays are (nodes, rows), so that those of
a level lie together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax

from tutelage.core.arrays import Floats, Integers, softmax
from tutelage.students.networks.descent import Adam

LEAST_SHARE = 1e-300
"""The least probability with which a gate sends a row to either side, so that its logarithm is a number."""
CERTAIN = 1e-6
"""How close to 0 or 1 the mean of a gate counts in the penalty."""


@dataclass(frozen=True)
class Learnt:
    """What a tree learnt.

    Attributes:
        weights: (gates, features) float32.
        intercepts: (gates,) float32.
        leaves: (leaves, classes) float64 probabilities.
    """

    weights: Floats
    intercepts: Floats
    leaves: Floats


def path_places(depth: int) -> Integers:
    """(leaves, depth) the branches on the path to each leaf: gate i counts as branch i where it sends a row right, and as i + gates left.

    Example:
        >>> path_places(2).tolist()
        [[3, 4], [3, 1], [0, 5], [0, 2]]
    """
    gates, leaves = 2**depth - 1, np.arange(2**depth)[:, None]
    levels = np.arange(depth)
    nodes = 2**levels - 1 + (leaves >> (depth - levels))
    right = (leaves >> (depth - levels - 1)) & 1
    return np.where(right == 1, nodes, nodes + gates)


def log_paths(scores: Floats, depth: int) -> Floats:
    """(rows, leaves) logarithms of the probability of each path, from (rows, gates) log odds of going right."""
    branches = np.log(np.clip(expit(np.concatenate([scores, -scores], axis=1)), LEAST_SHARE, 1.0))
    places = path_places(depth)
    total = branches[:, places[:, 0]]
    for level in range(1, depth):
        total += branches[:, places[:, level]]
    return np.asarray(total)


class Gates(Adam):
    """Gates and leaves that learn from batches: the mean over leaves of the cross-entropy, weighted by the probability of the path.

    Args:
        features, classes: of rows and targets.
        depth: levels of gates.
        sharpness: what the log odds of a gate are multiplied by.
        penalty: on gates that send most rows to one side, of the root; half of it on each level below.
        learning_rate: of Adam.
        random: draws the weights.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        depth: int,
        sharpness: float,
        penalty: float,
        learning_rate: float,
        random: np.random.Generator,
    ) -> None:
        gates, leaves = 2**depth - 1, 2**depth
        super().__init__(gates * features + gates + leaves * classes, learning_rate)
        self.depth, self.sharpness, self.penalty = depth, np.float32(sharpness), penalty
        shapes = ((gates, features), (gates,), (leaves, classes))
        self._weights, self._intercepts, self._logits = _views(self.parameters, shapes)
        self._of_weights, self._of_intercepts, self._of_logits = _views(self.gradient, shapes)
        bound = 1 / np.sqrt(max(features, 1))
        self._weights[:], self._logits[:] = random.uniform(-bound, bound, self._weights.shape), random.normal(0, 0.1, self._logits.shape)
        self._reached, self._right = np.zeros(gates), np.zeros(gates)
        self._of_level = 0.5 ** np.floor(np.log2(np.arange(1, gates + 1)))

    def copy(self) -> Learnt:
        """The tree so far, as arrays of its own."""
        return Learnt(self._weights.copy(), self._intercepts.copy(), softmax(self._logits.astype(np.float64)))

    def loss(self, rows: Floats, targets: Floats) -> float:
        """The loss without the penalty, summed over rows."""
        paths = self._paths(self._gates(rows))[-1]
        return -float(np.vdot(paths, log_softmax(self._logits, axis=1) @ targets.T))

    def step(self, rows: Floats, targets: Floats) -> None:
        """Learn from one batch; (rows, classes) targets sum to the weight of each row."""
        count, mass = np.float32(len(rows)), targets.sum(axis=1)
        gates = self._gates(rows)
        *levels, paths = self._paths(gates)
        matched = paths @ targets / count
        np.subtract(softmax(self._logits) * matched.sum(axis=1, keepdims=True), matched, out=self._of_logits)
        # What a unit of probability costs at each node: a leaf its cross-entropy, a gate the mean of both sides.
        cost = log_softmax(self._logits, axis=1) @ targets.T / -count
        reaching, slopes = np.concatenate(levels), np.empty_like(gates)
        if self.penalty:
            pull, mean = self._balance(gates, reaching, mass)
            pulled = pull * mass
        for level in reversed(range(self.depth)):
            nodes = _level(level)
            left, right = cost[0::2], cost[1::2]
            slopes[nodes] = right - left
            cost = left + gates[nodes] * slopes[nodes]
            if self.penalty:
                slopes[nodes] += pulled[nodes]
                cost += pulled[nodes] * (gates[nodes] - mean[nodes])
        slopes *= reaching
        slopes *= gates
        slopes *= 1 - gates
        slopes *= self.sharpness
        np.matmul(slopes, rows, out=self._of_weights)
        np.sum(slopes, axis=1, out=self._of_intercepts)
        self.descend()

    def _gates(self, rows: Floats) -> Floats:
        """(gates, rows) the probability of going right."""
        scores = self._weights @ rows.T
        scores += self._intercepts[:, None]
        scores *= self.sharpness
        return np.asarray(expit(scores, out=scores))

    def _paths(self, gates: Floats) -> list[Floats]:
        """For each level, and the leaves, (nodes, rows) the probability of reaching each node."""
        levels = [np.ones((1, gates.shape[1]), dtype=gates.dtype)]
        for level in range(self.depth):
            right = levels[-1] * gates[_level(level)]
            levels.append(np.stack([levels[-1] - right, right], axis=1).reshape(-1, gates.shape[1]))
        return levels

    def _balance(self, gates: Floats, reaching: Floats, mass: Floats) -> tuple[Floats, Floats]:
        """(gates, 1) the derivative of the penalty by what is sent right, and the mean share sent right: moving averages.

        The deeper a gate, the fewer rows of a batch reach it, and the longer the average: over about 2^level batches.
        """
        pace = self._of_level if self._steps else 1.0
        self._reached += pace * (reaching @ mass / len(mass) - self._reached)
        self._right += pace * ((reaching * gates) @ mass / len(mass) - self._right)
        reached = np.maximum(self._reached, 1e-30)
        mean = np.clip(self._right / reached, CERTAIN, 1 - CERTAIN)
        slope = -self.penalty * self._of_level * (1 / mean - 1 / (1 - mean)) / 2
        return (slope / (reached * len(mass))).astype(np.float32)[:, None], mean.astype(np.float32)[:, None]


def _level(level: int) -> slice:
    """The gates of a level."""
    return slice(2**level - 1, 2 ** (level + 1) - 1)


def _views(vector: Floats, shapes: tuple[tuple[int, ...], ...]) -> list[Floats]:
    """Parts of a vector, in their shapes."""
    borders = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    return [vector[start:stop].reshape(shape) for start, stop, shape in zip(borders[:-1], borders[1:], shapes, strict=True)]
