"""Contrastive representation distillation: distinguish pairs of one row's embeddings from pairs of two rows, with a memory bank."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tutelage.core.errors import LabelMismatch


class ContrastiveMemory(nn.Module):
    """Contrastive loss (CRD): two linear embeddings, and a memory bank with the latest embedding of every row on each side.

    Calling the module returns the loss of each row, l_s + l_t, one part for the student and one for the teacher. With u the
    embedding of row i on one side, e the stored embeddings of the other side, and h(j) = exp(e_j u / temperature) / Z:

        l = -log(h(i) / (h(i) + n / rows)) - sum over n others j of log((n / rows) / (h(j) + n / rows))

    Z normalises the mean of h to 1 / rows and is fixed at the first batch. Everything is computed from log h, which stays
    finite at any temperature. In training mode, the memory bank is updated with
    the new embeddings after the loss is computed; in eval mode it is not changed.

    Args:
        student_units: number of units in the student's layer, flattened.
        teacher_units: number of units in the teacher's layer, flattened.
        rows: number of rows in the data; the memory bank takes 2 x rows x embedding float32 numbers.
        embedding: dimension of the embeddings.
        negatives: n, the number of negatives per row, drawn from all rows including row i itself. The default is 1 024
            (16 384 in the paper). The paper's variant that draws from rows of other classes is not implemented.
        temperature: the lower, the sharper h.
        momentum: weight of the old embedding when the memory bank is updated, in [0, 1).

    Source:
        Tian, Krishnan, Isola 2020 (CRD), arXiv 1910.10699, with the constants of the authors' code.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> contrast = tl.losses.functional.ContrastiveMemory(4, 6, rows=50, embedding=8, negatives=16)
        >>> loss = contrast(torch.randn(5, 4), torch.randn(5, 6), index=torch.arange(5))
        >>> loss.shape
        torch.Size([5])
        >>> contrast.student_memory.shape
        torch.Size([50, 8])
    """

    student_memory: Tensor
    teacher_memory: Tensor
    log_scales: Tensor

    def __init__(
        self,
        student_units: int,
        teacher_units: int,
        *,
        rows: int,
        embedding: int = 128,
        negatives: int = 1024,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        super().__init__()
        self.rows, self.negatives, self.temperature, self.momentum = rows, negatives, temperature, momentum
        self.embed_student = nn.Linear(student_units, embedding)
        self.embed_teacher = nn.Linear(teacher_units, embedding)
        bound = (3 / embedding) ** 0.5  # so that the initial embeddings have length one on average
        for side in ("student_memory", "teacher_memory"):
            self.register_buffer(side, torch.empty(rows, embedding).uniform_(-bound, bound))
        self.register_buffer("log_scales", torch.full((2,), torch.nan))  # not known before the first batch

    def forward(self, student_hidden: Tensor, teacher_hidden: Tensor, index: Tensor) -> Tensor:
        """The loss of each row.

        Args:
            student_hidden: (batch, ...), flattened to (batch, student_units).
            teacher_hidden: (batch, ...), flattened to (batch, teacher_units).
            index: (batch,) integers, the position of each row in the data.

        Returns:
            (batch,).

        Raises:
            LabelMismatch: an index beyond the rows of the memory bank.
        """
        if int(index.max()) >= self.rows:
            raise LabelMismatch(
                f"index {int(index.max())} is beyond the memory bank of {self.rows} rows; create it with rows= all rows of the data."
            )
        dtype = self.embed_student.weight.dtype
        student = nn.functional.normalize(self.embed_student(student_hidden.to(dtype).flatten(1)), dim=1)
        teacher = nn.functional.normalize(self.embed_teacher(teacher_hidden.to(dtype).flatten(1)), dim=1)
        drawn = torch.randint(self.rows, (len(index), self.negatives), device=index.device)
        pairs = torch.cat([index[:, None], drawn], dim=1)
        loss = self._loss_of_side(student, self.teacher_memory, pairs, side=0)
        loss = loss + self._loss_of_side(teacher, self.student_memory, pairs, side=1)
        if self.training:
            _update(self.student_memory, student.detach(), index, self.momentum)
            _update(self.teacher_memory, teacher.detach(), index, self.momentum)
        return loss

    def _loss_of_side(self, embeddings: Tensor, memory: Tensor, pairs: Tensor, *, side: int) -> Tensor:
        """(batch,) loss of one side's embeddings against the other side's memory; column 0 of `pairs` is the row itself."""
        similarity = torch.einsum("bnd,bd->bn", memory[pairs], embeddings) / self.temperature
        if self.log_scales[side].isnan():
            log_mean = similarity.detach().logsumexp(dim=(0, 1)) - math.log(similarity.numel())
            self.log_scales[side] = log_mean + math.log(self.rows)
        log_h = similarity - self.log_scales[side].clone()  # cloned, because the scale of the other side may still be set in place
        log_noise = math.log(self.negatives / self.rows)
        positive, others = log_h[:, 0], log_h[:, 1:]
        return nn.functional.softplus(log_noise - positive) + nn.functional.softplus(others - log_noise).sum(dim=1)


def _update(memory: Tensor, new: Tensor, index: Tensor, momentum: float) -> None:
    memory[index] = nn.functional.normalize(momentum * memory[index] + (1 - momentum) * new, dim=1)
