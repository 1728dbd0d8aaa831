"""A torch network as a teacher: eval mode and no gradient guaranteed, its own modes given back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage import engine
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import require

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def form(self) -> AnswerForm:
        """Logits: softmax is applied once, by whoever needs probabilities."""
        return of_classes("logits", self.classes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the architecture as torch prints it and of every weight and buffer, as they are now."""
        digest = hashlib.sha256(repr(self.network).encode())
        for name, value in self.network.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(require("torch").uint8).numpy().data)
        return f"torch:{digest.hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
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
        return self.form.check(logits, len(rows), "the teacher's logits")
