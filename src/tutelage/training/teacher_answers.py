"""What the teacher says of a batch: targets that were prepared beforehand, or answers as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch
from tutelage.data.row_names import Names, row_names
from tutelage.losses.objective import Objective
from tutelage.training.feeds import Batch

Answering = Callable[[Batch], Mapping[str, Any]]
"""What the teacher says of a batch: the fields of `Signals` that speak of it."""
PREPARED_BYTES = 2**26
"""Answers of more bytes are not prepared: they stay as they are, and there is no second copy of what can be most of the memory."""
PREPARED_CELLS = 2**17
"""Answers, times columns, prepared at a time: what is in between takes the memory of so many, and not of all."""


def _nothing_to_prove(batch: Batch) -> None:
    """Whoever found the answers proved that they belong to these rows."""


@dataclass(frozen=True)
class PreparedAnswers:
    """Kept answers of which the objective made its targets beforehand, one index away.

    Attributes:
        answers: (answers, columns) logits, log-probabilities or values, on the device; None where all that is read of
            them was prepared.
        prepared: what the objective made of them, by term.
        proof: refuses a batch that is not what was recorded.
    """

    answers: Tensor | None
    prepared: dict[str, Tensor]
    proof: Callable[[Batch], None] = _nothing_to_prove

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """What the teacher says of a batch."""
        self.proof(batch)
        rows = batch.answer_rows
        return {
            "teacher_answers": None if self.answers is None else self.answers.index_select(0, rows.to(self.answers.device)),
            "prepared": {name: targets.index_select(-2, rows.to(targets.device)) for name, targets in self.prepared.items()},
        }


@dataclass(frozen=True)
class BatchAnswers:
    """Answers of which the objective makes its targets batch by batch.

    Attributes:
        said: (batch, columns) what was said of a batch: by a teacher that is asked about it, or from answers that were kept.
        form: of what is said.
        device: where it is needed.
        proof: as `PreparedAnswers`.
    """

    said: Callable[[Batch], NDArray[Any]]
    form: AnswerForm
    device: torch.device
    proof: Callable[[Batch], None] = _nothing_to_prove

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """What the teacher says of a batch."""
        self.proof(batch)
        return {"teacher_answers": _as_learnt(self.said(batch), self.form, self.device)}


def live(teacher: Teacher, device: torch.device) -> BatchAnswers:
    """A teacher that is asked about each batch, as the student sees it."""
    return BatchAnswers(lambda batch: teacher.answer(batch.inputs.detach().cpu().numpy()), teacher.form, device)


def recorded(
    answers: NDArray[Any], form: AnswerForm, objective: Objective, device: torch.device, *, unproven: Names | None = None
) -> PreparedAnswers | BatchAnswers:
    """Answers as the loop needs them: prepared once, and dropped if nothing else reads them; or batch by batch if there are very many.

    Args:
        answers: (answers, columns).
        form: of them.
        objective: what reads them.
        device: where.
        unproven: (answers,) names of the rows they belong to, where rows are made as they are shown.
    """
    proof = _nothing_to_prove if unproven is None else partial(_prove, unproven)
    if answers.nbytes > PREPARED_BYTES:
        for part in _parts(answers):
            objective.prepare(
                _as_learnt(answers[part], form, device)
            )  # refuses now, and not in the middle of an epoch, what it cannot take
        return BatchAnswers(lambda batch: answers[batch.answer_rows.numpy()], form, device, proof)
    tensor = _as_learnt(answers, form, device)
    prepared = _prepared(objective, tensor)
    raw = any("teacher" in term.reads and term.name not in prepared for term in objective.terms)
    return PreparedAnswers(tensor if raw else None, prepared, proof)


def _prepared(objective: Objective, answers: Tensor) -> dict[str, Tensor]:
    """What the objective makes of the answers, part by part."""
    whole: dict[str, Tensor] = {}
    for part in _parts(answers):
        for name, made in objective.prepare(answers[part]).items():
            if name not in whole:
                whole[name] = made.new_empty((*made.shape[:-2], len(answers), made.shape[-1]))
            whole[name][..., part, :] = made
    return whole


def _parts(answers: NDArray[Any] | Tensor) -> list[slice]:
    rows = max(1, PREPARED_CELLS // answers.shape[1])
    return [slice(start, start + rows) for start in range(0, len(answers), rows)]


def _as_learnt(answers: NDArray[Any], form: AnswerForm, device: torch.device) -> Tensor:
    """Logits or values in single precision; of a file that is only to be read, a copy, for torch's tensors can be written."""
    said = answers if form.kind == "values" else form.logits(answers)
    return torch.from_numpy(np.require(said, np.float32, ["C", "W"])).to(device)


def _prove(unproven: Names, batch: Batch) -> None:
    """Prove that each answer belongs to what is shown with it the first time it is used. Proven names become 0.

    Raises:
        LabelMismatch: what is shown is not what was recorded.
    """
    rows = batch.answer_rows.numpy()
    if not unproven[rows].any():
        return
    other = (unproven[rows] != 0) & (unproven[rows] != row_names(batch.inputs))
    if other.any():
        first = int(batch.rows[int(np.flatnonzero(other)[0])])
        raise LabelMismatch(
            f"{int(other.sum())} of {len(rows)} views in a batch are not those that were recorded (first: row {first}). "
            "Record again on the same Views: same data, augmentation, count and seed."
        )
    unproven[rows] = 0
