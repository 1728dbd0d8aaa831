"""A trained network as a student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage import engine
from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import ShapeError


class TorchStudent:
    """A trained network with its classes, as a scikit-learn user expects to meet it.

    Args:
        network: maps (batch, features) float32 to (batch, classes) logits at temperature 1.
        classes: the label of each logit, in order.
    """

    def __init__(self, network: nn.Module, classes: Sequence[Any]) -> None:
        self.network = network
        self.classes_: NDArray[Any] = np.asarray(list(classes))

    def predict_proba(self, inputs: NDArray[Any]) -> Floats:
        """(rows, features) -> (rows, classes) float32 probabilities at temperature 1.

        Raises:
            ShapeError: rows of another width than the network takes, or one logit too many or too few.
        """
        rows = torch.as_tensor(np.ascontiguousarray(inputs, dtype=np.float32))
        try:
            logits = engine.answers_of(self.network, rows).numpy()
        except RuntimeError as error:
            raise ShapeError(f"the network cannot take rows of shape {tuple(rows.shape[1:])} ({str(error).splitlines()[0]}).") from error
        if logits.shape[1:] != self.classes_.shape:
            raise ShapeError(f"the network gives {logits.shape[1:]} logits a row; expected one for each of {len(self.classes_)} classes.")
        return softmax(logits)

    def predict(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """(rows, features) -> (rows,) labels."""
        return np.asarray(self.classes_[self.predict_proba(inputs).argmax(axis=1)])
