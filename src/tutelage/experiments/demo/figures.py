"""Pictures of classification runs, as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.report.records import Matrix


def mean_soft_labels(probabilities: Floats, labels: NDArray[Any], classes: Sequence[str], *, temperature: float) -> Matrix:
    """What the teacher knows: its mean soft label for the rows of each true class.

    Args:
        probabilities: (rows, classes) at `temperature`.
        labels: (rows,) class indices.
        classes: the name of each class.
        temperature: said in the title.
    """
    means = np.stack([probabilities[labels == c].mean(axis=0, dtype=np.float64) for c in range(len(classes))])
    return _matrix(
        f"What the teacher knows (temperature {temperature:g})",
        "Mean soft label of the training rows of each class: how much of another class the teacher sees in it.",
        means,
        classes,
        ("true class", "mean soft label"),
    )


def confusion(name: str, predictions: NDArray[Any], labels: NDArray[Any], classes: Sequence[str]) -> Matrix:
    """Share of each true class that is taken for each class, over all seeds.

    Args:
        name: the arm.
        predictions: (seeds, rows) class indices.
        labels: (rows,) class indices.
        classes: the name of each class.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.broadcast_to(labels, predictions.shape), predictions), 1)
    return _matrix(
        f"Confusion of {name}",
        "Share of the test rows of each true class (rows sum to 1), over all seeds.",
        counts / counts.sum(axis=1, keepdims=True),
        classes,
        ("true class", "predicted class"),
    )


def _matrix(title: str, caption: str, values: NDArray[Any], classes: Sequence[str], axes: tuple[str, str]) -> Matrix:
    return Matrix(
        title=title,
        caption=caption,
        rows_are=axes[0],
        columns_are=axes[1],
        labels=tuple(classes),
        values=tuple(tuple(row) for row in values.round(6).tolist()),
    )
