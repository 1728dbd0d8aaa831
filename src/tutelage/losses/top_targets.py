"""A teacher's most probable classes of a batch as tensors: the losses compare them, and the rest as one more class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.numerics import upcast

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class TopTargets:
    """The k most probable classes of each row, and the probability of the rest, as one more class that stands for all others.

    Teacher and student are both reduced to these k + 1 classes, so that no numbers of the teacher for all classes are needed.

    Attributes:
        ids: (batch, k) int64, columns of classes, each once.
        log_probs: (batch, k) their log-probabilities at temperature 1, float32.
        rest: (batch,) the log-probability of all other classes together, float32; -inf where they have none.
        columns: the number of classes.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> top = tl.losses.TopTargets(torch.tensor([[2, 0]]), torch.tensor([[0.6, 0.3]]).log(), torch.tensor([0.1]).log(), columns=4)
        >>> batch = tl.losses.Signals(torch.tensor([[0.3, 0.05, 0.6, 0.05]]).log(), teacher_answers=top)
        >>> print(tl.losses.kl_divergence()(batch).total.abs().round(decimals=4))
        tensor([0.])
    """

    ids: Tensor
    log_probs: Tensor
    rest: Tensor
    columns: int

    @property
    def others(self) -> int:
        """The number of classes that share the rest."""
        return self.columns - self.ids.shape[-1]

    def to(self, device: torch.device) -> TopTargets:
        """The same on a device."""
        return TopTargets(self.ids.to(device), self.log_probs.to(device), self.rest.to(device), self.columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Tensor) -> TopTargets:
        """Some of the rows, by a mask or by their numbers."""
        return TopTargets(self.ids[rows], self.log_probs[rows], self.rest[rows], self.columns)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.ids.device

    def with_truth(self, labels: Tensor) -> tuple[TopTargets, Tensor]:
        """The same answers with the true class of each row among the named ones, and its place among them.

        A row that does not name its true class takes it out of the rest, with its equal part of it; a row that does takes another.

        Args:
            labels: (batch,) class codes.
        """
        if not self.others:
            return self, self._place(labels)
        candidates = torch.arange(self.ids.shape[-1] + 1, device=self.device)
        free = (candidates[:, None] != self.ids[:, None, :]).all(dim=-1).int().argmax(dim=-1)  # the first that is not named
        added = torch.where((self.ids == labels[:, None]).any(dim=-1), free, labels)
        each = self.rest - math.log(self.others)
        rest = each + math.log(self.others - 1) if self.others > 1 else torch.full_like(each, -torch.inf)
        ids, log_probs = (torch.cat([named, more[:, None]], dim=-1) for named, more in ((self.ids, added), (self.log_probs, each)))
        whole = TopTargets(ids, log_probs, rest, self.columns)
        return whole, whole._place(labels)

    def _place(self, labels: Tensor) -> Tensor:
        return (self.ids == labels[:, None]).int().argmax(dim=-1)

    def logits(self, temperature: float | Tensor = 1.0) -> Tensor:
        """(batch, k + 1) logits of the teacher, to be divided by the temperature; (copies, batch, k + 1) for one per copy.

        At a temperature, the other classes count as if they shared the rest in equal parts.
        """
        if not self.others:
            return self.log_probs
        rest = self.rest[:, None] + (temperature - 1) * math.log(self.others)
        named = self.log_probs.expand(*rest.shape[:-1], self.log_probs.shape[-1])
        return torch.cat([named, rest], dim=-1)

    def of_student(self, student_logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
        """(..., batch, k + 1) logits of the student, to be divided by the temperature: those of the classes, and of all others together.

        Args:
            student_logits: (..., batch, classes).
            temperature: a number, or (copies, 1, 1).

        Raises:
            ShapeError: another number of classes or rows.
        """
        if student_logits.shape[-2:] != (len(self), self.columns):
            raise ShapeError(
                f"student {tuple(student_logits.shape)} and the teacher's answers to {len(self)} rows among {self.columns} classes differ "
                "in shape; expected the same rows and classes."
            )
        logits = upcast(student_logits)
        ids = self.ids.expand(*logits.shape[:-1], self.ids.shape[-1])
        named = logits.gather(-1, ids)
        if not self.others:
            return named
        others = logits.scatter(-1, ids, -torch.inf) / temperature
        return torch.cat([named, others.logsumexp(dim=-1, keepdim=True) * temperature], dim=-1)
