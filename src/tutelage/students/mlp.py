"""A small network with scikit-learn's API, trained with torch where it is installed and stored as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from tutelage.core import torch_runtime
from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput, SelfCheckFailed, require
from tutelage.students.any_estimator import expand
from tutelage.students.checked import Check, a_number, a_whole, layer_sizes, random_seed
from tutelage.students.soft_classifier import SoftClassifier


class SoftMLP(SoftClassifier):
    """A ReLU network with a softmax output, trained on probabilities with Adam.

    It is trained with torch if torch is installed, and otherwise with scikit-learn's MLPClassifier on rows repeated once
    per class. In both cases the fitted network consists of NumPy arrays, and predictions do not need torch.

    Args:
        hidden_layer_sizes: number of units of each hidden layer.
        learning_rate: learning rate of Adam.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        l2: penalty l2 ||W||^2 / 2 on the weights of the layers (not the biases), added to the mean loss of each batch.
        standardise: shift and scale each feature to mean 0 and standard deviation 1 first.
        validation_fraction: share of the rows held out to choose the epoch whose weights are used; 0 uses the last epoch.
        random_state: seed of the initial weights, the shuffling and the held-out rows. Torch's global random state is
            neither used nor changed.

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
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is reported below
            shift, deviation = (X.mean(axis=0), X.std(axis=0)) if self.standardise else (np.zeros(X.shape[1]), np.ones(X.shape[1]))
        if not np.isfinite(deviation).all():
            raise BadInput("X holds numbers whose squares overflow, so it cannot be standardised; scale the features first.")
        self.mean_, self.scale_ = np.asarray(shift), np.where(deviation > 0, deviation, 1)
        rows = np.asarray((X - self.mean_) / self.scale_, dtype=np.float32)
        data = _FitData.of(rows, targets, weights, held_out=round(self.validation_fraction * len(rows)), seed=seed)
        train = _by_torch if find_spec("torch") else _by_sklearn
        layers, self.best_epoch_ = train(self, data, seed)
        self.coefs_, self.intercepts_ = [weight for weight, _ in layers], [bias for _, bias in layers]

    def _probabilities(self, X: Any) -> Floats:
        return softmax(_forward(self.coefs_, self.intercepts_, (X - self.mean_) / self.scale_))


Layers = list[tuple[Floats, Floats]]


@dataclass(frozen=True)
class _FitData:
    """Training rows, and validation rows that choose the epoch; float32. Targets are multiplied by the weight of their row."""

    rows: Floats
    targets: Floats
    validation_rows: Floats
    validation_targets: Floats

    @classmethod
    def of(cls, rows: Floats, targets: Floats, weights: Floats | None, *, held_out: int, seed: int) -> _FitData:
        """Split the rows. Weights are scaled to mean one, so that they do not change the effective learning rate."""
        if weights is not None:  # the cross-entropy is linear in its target
            targets = targets * (weights / weights.mean())[:, None]
        targets = np.asarray(targets, dtype=np.float32)
        if held_out == 0:
            return cls(rows, targets, rows[:0], targets[:0])
        if held_out == len(rows):
            raise BadInput(f"validation_fraction holds out all {held_out} rows; expected rows left to train on. Lower validation_fraction.")
        order = np.random.default_rng(seed).permutation(len(rows))
        training, validation = np.sort(order[held_out:]), np.sort(order[:held_out])
        return cls(rows[training], targets[training], rows[validation], targets[validation])


def _forward(coefs: Sequence[Floats], intercepts: Sequence[Floats], rows: Floats) -> Floats:
    """(rows, features) -> (rows, classes) logits."""
    for weight, bias in zip(coefs[:-1], intercepts[:-1], strict=True):
        rows = np.maximum(rows @ weight + bias, 0)
    return np.asarray(rows @ coefs[-1] + intercepts[-1])


def _sizes(student: SoftMLP, data: _FitData) -> list[int]:
    return [data.rows.shape[1], *student.hidden_layer_sizes, data.targets.shape[1]]


def _by_torch(student: SoftMLP, data: _FitData, seed: int) -> tuple[Layers, int]:
    torch = require("torch")
    from tutelage.losses.functional.classification import soft_cross_entropy
    from tutelage.training.loop import fit
    from tutelage.training.stacks.networks import mlp
    from tutelage.training.validation import Validation

    inputs, targets, validation_inputs, validation_targets = map(
        torch.from_numpy, (data.rows, data.targets, data.validation_rows, data.validation_targets)
    )
    with torch_runtime.seeded(seed):
        network = mlp(_sizes(student, data))
        linears = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        groups = [
            {"params": [layer.weight for layer in linears], "weight_decay": student.l2},
            {"params": [layer.bias for layer in linears], "weight_decay": 0.0},
        ]
        fitted = fit(
            network,
            soft_cross_entropy,
            inputs=inputs,
            targets=targets,
            optimizer=torch.optim.Adam(groups, lr=student.learning_rate),
            epochs=student.epochs,
            batch_size=student.batch_size,
            validation=Validation(validation_inputs, validation_targets, by="loss") if len(validation_inputs) else None,
        )
    layers = [(np.ascontiguousarray(layer.weight.detach().numpy().T), layer.bias.detach().numpy().copy()) for layer in linears]
    return layers, int(fitted.best_epoch[0])


def _by_sklearn(student: SoftMLP, data: _FitData, seed: int) -> tuple[Layers, int]:
    if not has_fit_parameter(MLPClassifier, "sample_weight"):  # scikit-learn below 1.7: only torch can train it
        require("torch")
    row_weights = data.targets.sum(axis=1, dtype=np.float64)
    expanded = expand(data.targets / row_weights[:, None])
    rows, weights = data.rows[expanded.rows], expanded.weights * row_weights[expanded.rows]
    batch_size = min(round(student.batch_size * len(rows) / len(row_weights)), len(rows))
    network = MLPClassifier(
        hidden_layer_sizes=tuple(student.hidden_layer_sizes),
        learning_rate_init=student.learning_rate,
        batch_size=batch_size,
        alpha=student.l2 * student.batch_size,  # scikit-learn divides it by the weights of a batch
        random_state=seed,
    )
    lowest = np.inf
    best: tuple[Layers, int] = ([], 0)
    for epoch in range(1, student.epochs + 1):
        network.partial_fit(rows, expanded.columns, classes=np.arange(data.targets.shape[1]), sample_weight=weights)
        if not np.isfinite(network.loss_):
            raise SelfCheckFailed(
                f"the loss of epoch {epoch} is {network.loss_}, expected a finite number; lower the learning rate, or check the targets."
            )
        layers = _layers_of(network)
        score = _loss(layers, data) if len(data.validation_rows) else -epoch
        if score < lowest:
            lowest, best = score, (layers, epoch)
    return best


def _layers_of(network: MLPClassifier) -> Layers:
    """Copies of the weights. For two classes, the single output becomes two, the first of which is always 0."""
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in zip(network.coefs_, network.intercepts_, strict=True)]
    weight, bias = layers[-1]
    if len(bias) == 1:
        layers[-1] = np.hstack([np.zeros_like(weight), weight]), np.r_[np.float32(0), bias]
    return layers


def _loss(layers: Layers, data: _FitData) -> float:
    """The cross-entropy summed over the validation rows."""
    logits = _forward([weight for weight, _ in layers], [bias for _, bias in layers], data.validation_rows)
    return -float(np.vdot(data.validation_targets, log_softmax(logits, axis=1)))
