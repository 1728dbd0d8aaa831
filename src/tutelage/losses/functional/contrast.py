"""Contrastive representation distillation: tell a row's own pair of answers from pairs of two rows, by a memory of all rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutelage.core.errors import LabelMismatch
from tutelage.losses.functional.numerics import wide


class ContrastiveMemory(nn.Module):
    """Two linear embeddings, and for every row of the data where each side's embedding last lay.

    Calling it gives the loss of each row, l_s + l_t. With e the other side's remembered embeddings, u one's own and
    h(j) = exp(e_j u / temperature) / Z:

        l = -log(h(i) / (h(i) + n / rows)) - sum over n others j of log((n / rows) / (h(j) + n / rows))

    Z makes the mean of h 1 / rows, fixed at the first batch. In training mode the memory then moves
    towards the new embeddings; in eval mode it is left alone.

    Args:
        student_units: of the student's layer, flattened.
        teacher_units: of the teacher's.
        rows: of the data; memory takes 2 x rows x embedding float32.
        embedding: how many numbers an embedding has.
        negatives: n, drawn for each row among all rows, its own included (the paper has 16 384, here 1 024 by default, and
            its variant that draws among rows of other classes is not offered).
        temperature: sharpens h.
        momentum: how much of the old stays in the memory.

    Source:
        Tian, Krishnan, Isola 2020 (CRD), arXiv 1910.10699, with the constants of the authors' code.
    """

    student_memory: Tensor
    teacher_memory: Tensor
    scales: Tensor

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
        bound = (3 / embedding) ** 0.5  # so that a remembered embedding starts with length one on average
        for side in ("student_memory", "teacher_memory"):
            self.register_buffer(side, torch.empty(rows, embedding).uniform_(-bound, bound))
        self.register_buffer("scales", torch.zeros(2))

    def forward(self, student_hidden: Tensor, teacher_hidden: Tensor, index: Tensor) -> Tensor:
        """(batch, ...), (batch, ...) and the places of the rows, (batch,), to (batch,).

        Raises:
            LabelMismatch: a place beyond the rows for which there is memory.
        """
        if int(index.max()) >= self.rows:
            raise LabelMismatch(f"row {int(index.max())} has no place in a memory of {self.rows} rows; build it for all rows of the data.")
        student = nn.functional.normalize(self.embed_student(wide(student_hidden).flatten(1)), dim=1)
        teacher = nn.functional.normalize(self.embed_teacher(wide(teacher_hidden).flatten(1)), dim=1)
        drawn = torch.randint(self.rows, (len(index), self.negatives), device=index.device)
        pairs = torch.cat([index[:, None], drawn], dim=1)
        loss = self._told_apart(student, self.teacher_memory, pairs, side=0) + self._told_apart(teacher, self.student_memory, pairs, side=1)
        if self.training:
            _move(self.student_memory, student.detach(), index, self.momentum)
            _move(self.teacher_memory, teacher.detach(), index, self.momentum)
        return loss

    def _told_apart(self, own: Tensor, memory: Tensor, pairs: Tensor, *, side: int) -> Tensor:
        likeness = torch.einsum("bnd,bd->bn", memory[pairs], own)
        h = (likeness / self.temperature).exp()
        if self.scales[side] == 0:
            self.scales[side] = h.detach().mean() * self.rows
        h = h / self.scales[side].clone()  # the other side may yet be fixed, in place
        chance = self.negatives / self.rows
        positive, others = h[:, 0], h[:, 1:]
        return (1 + chance / positive).log() + (1 + others / chance).log().sum(dim=1)


def _move(memory: Tensor, new: Tensor, index: Tensor, momentum: float) -> None:
    memory[index] = nn.functional.normalize(momentum * memory[index] + (1 - momentum) * new, dim=1)
