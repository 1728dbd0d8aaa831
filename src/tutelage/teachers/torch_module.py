"""A torch network as a teacher: eval mode and no gradient guaranteed, its own modes given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage import engine
from tutelage.core.arrays import Floats, check_finite
from tutelage.core.contracts import AnswerKind
from tutelage.core.errors import ShapeError, require

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TorchTeacher:
    """Asks a network for logits.

    Attributes:
        network: maps (batch, ...) float32 to (batch, classes) logits.
        classes: the label of each logit.
        batch_size: rows per call; bounds the memory that activations take.
    """

    network: nn.Module
    classes: tuple[Any, ...]
    batch_size: int = 1000

    @property
    def kind(self) -> AnswerKind:
        """Always "logits": softmax is applied once, by whoever needs probabilities."""
        return "logits"

    def answer(self, inputs: NDArray[Any]) -> Floats:
        """Logits of every row.

        Args:
            inputs: (rows, ...), any real dtype; taken as float32.

        Returns:
            (rows, classes) float32.

        Raises:
            ShapeError: the network does not give one logit a class. BadInput: an answer is NaN or infinite.
        """
        torch = require("torch")
        rows = torch.as_tensor(np.ascontiguousarray(inputs, dtype=np.float32))
        logits = engine.answers_of(self.network, rows, batch_size=self.batch_size).numpy()
        if logits.shape != (len(rows), len(self.classes)):
            raise ShapeError(f"the teacher answered {logits.shape}; expected ({len(rows)}, {len(self.classes)}), one logit a class.")
        return check_finite(logits, "the teacher's logits")
