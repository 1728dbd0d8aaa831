"""What both MNIST protocols share: the rows and their split, the teacher's network, and the scoring of an arm of networks.

The teacher's network and the published figures are those of the original demo, tsitsimis/neural-network-distillation on
GitHub, https://github.com/tsitsimis/neural-network-distillation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.arrays import Floats
from tutelage.data.datasets import Images
from tutelage.data.fingerprint import fingerprint
from tutelage.experiments.demo.figures import confusion, mean_soft_labels
from tutelage.experiments.scorecard import Measured
from tutelage.experiments.teaching import Network
from tutelage.losses.targets import soften
from tutelage.report.records import Figures
from tutelage.training.stacks.networks import parameter_count
from tutelage.training.stacks.stack import Stack
from tutelage.training.validation import Validation

CLASSES = 10
SIDES = (28, 28)
"""Height and width of the pictures."""
TRAIN_ROWS = 50_000  # the last 10 000 of the 60 000 validate
PUBLISHED_ERRORS = {"teacher": 248, "student-hard": 1366, "student-soft": 696}


@dataclass(frozen=True)
class Split:
    """Pixels in [0, 1] and true classes, split into training, validation and test rows.

    Attributes:
        images: the images of the data set.
        train_rows: number of training rows, from the start of the training images.
        epochs: number of epochs of the students.
        held_out: number of validation rows, from the end of the training images.
        every: use every test row, or one in this many.
    """

    images: Images
    train_rows: int
    epochs: int
    held_out: int = 10_000
    every: int = 1

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """(train_rows, 784) pixels."""
        return pixels(self.images.train_images[: self.train_rows])

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(train_rows,) true classes."""
        return self.images.train_labels[: self.train_rows]

    @cached_property
    def validation(self) -> Validation:
        """The validation rows and their true classes."""
        images, labels = self.images.train_images[-self.held_out :], self.images.train_labels[-self.held_out :]
        return Validation(torch.from_numpy(pixels(images)), torch.from_numpy(labels))

    @cached_property
    def test_inputs(self) -> NDArray[np.float32]:
        """(test rows, 784) pixels."""
        return pixels(self.images.test_images[:: self.every])

    @cached_property
    def test_labels(self) -> NDArray[np.int64]:
        """(test rows,) true classes."""
        return self.images.test_labels[:: self.every]

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the training and validation rows and their true classes."""
        return fingerprint(
            self.images.train_images[: self.train_rows], self.images.train_labels, self.images.train_images[-self.held_out :]
        )


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels from 0 to 255 as (rows, 784) float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


CONVOLUTION = "1"
"""Name of the teacher's only convolution, by its position."""


def teacher_network() -> nn.Sequential:
    """The original demo's teacher: 32 convolutions of 3 x 3, two layers of 1200, dropout; 27.4 million weights."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 26 * 26, 1200),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1200, 1200),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1200, CLASSES),
    )


def glorot_weights(network: Network) -> Network:
    """Initialise a network in place as Keras does, with Glorot-uniform weights and zero biases, and return it.

    All copies of a stack get the same weights.

    Source: Glorot, Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif isinstance(network, Stack):
                parameter.copy_(nn.init.xavier_uniform_(torch.empty_like(parameter[0])).expand_as(parameter))
            else:
                nn.init.xavier_uniform_(parameter)
    return network


def measured_network(
    name: str,
    meaning: str,
    seeds: tuple[int, ...],
    predictions: Mapping[str, NDArray[Any]],
    models: Mapping[str, tuple[Any, ...]],
    *,
    chosen: Mapping[str, Any] | None = None,
) -> Measured:
    """One arm of networks, with the original demo's published figure if there is one."""
    errors = next((count for stem, count in PUBLISHED_ERRORS.items() if name in (stem, f"{stem}-784-10-10", f"{stem}-as-published")), None)
    return Measured(
        name=name,
        meaning=meaning,
        seeds=seeds,
        predictions=predictions[name],
        parameters=tuple(parameter_count(model.network) for model in models[name]),
        published=None if errors is None else {"test_errors": errors, "test_accuracy": 1 - errors / 10_000},
        chosen=chosen or {},
    )


def described(split: Split) -> dict[str, Any]:
    """The description of the data in the run's record."""
    return {
        "name": split.images.name,
        "attribution": split.images.attribution,
        "training rows": split.train_rows,
        "validation rows": len(split.validation.targets),
        "test rows": len(split.test_labels),
        "fingerprint of the training rows": split.fingerprint,
    }


def pictures(split: Split, logits: Floats, predictions: Mapping[str, NDArray[Any]]) -> Figures:
    """The figures: the teacher's mean soft labels at two temperatures, and confusion matrices.

    Args:
        split: the data.
        logits: (train_rows, classes) logits of the teacher.
        predictions: for each arm, (seeds, test rows) class indices.
    """
    classes = split.images.classes
    return Figures(
        matrices=(
            *(mean_soft_labels(soften(logits, t), split.labels, classes, temperature=t) for t in (1.0, 4.0)),
            *(confusion(name, predicted, split.test_labels, classes) for name, predicted in predictions.items()),
        )
    )
