"""Figures of classification runs, as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.report.records import Matrix


def mean_soft_labels(probabilities: Floats, labels: NDArray[Any], classes: Sequence[str], *, temperature: float) -> Matrix:
    """The teacher's mean soft label for the rows of each true class.

    Args:
        probabilities: (rows, classes) of the teacher at `temperature`.
        labels: (rows,) indices of the true classes.
        classes: the name of each class.
        temperature: shown in the title.
    """
    means = np.stack([probabilities[labels == c].mean(axis=0, dtype=np.float64) for c in range(len(classes))])
    return _matrix(
        f"Mean soft labels of the teacher (temperature {temperature:g})",
        "Mean probability that the teacher gives to each class, for the training rows of each true class.",
        means,
        classes,
        ("true class", "mean soft label"),
    )


def confusion(name: str, predictions: NDArray[Any], labels: NDArray[Any], classes: Sequence[str]) -> Matrix:
    """Confusion matrix: the share of the rows of each true class for which each class is predicted, over all seeds.

    Args:
        name: name of the arm.
        predictions: (seeds, rows) class indices.
        labels: (rows,) indices of the true classes.
        classes: the name of each class.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.broadcast_to(labels, predictions.shape), predictions), 1)
    return _matrix(
        f"Confusion matrix of {name}",
        "Share of the test rows of each true class for which each class is predicted (rows sum to 1), over all seeds.",
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
