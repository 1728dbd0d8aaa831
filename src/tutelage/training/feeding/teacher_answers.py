"""The teacher's answers to a batch: targets prepared before training, or answers computed for each batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import tensor_array
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.row_names import Names, row_names
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.structures.structured import StructuredRows
from tutelage.losses.objective import Objective
from tutelage.losses.top_targets import TopTargets
from tutelage.training.feeding.feeds import Batch

TeacherSignals = Callable[[Batch], Mapping[str, Any]]
"""The teacher's answers to a batch, as fields of `Signals`: `teacher_answers`, and `prepared` targets if there are any."""
PREPARED_BYTES = 2**26
"""Answers of more bytes are not prepared before training, so that a second copy does not fill the memory."""
PREPARED_CELLS = 2**17
"""Rows times columns prepared at a time; this bounds the memory of intermediate results."""
ALWAYS_REMEDY = "A Dataset or a collate function that changes rows needs a live teacher, or Views."


def _no_check(batch: Batch) -> None:
    """For answers that were matched with these rows when they were loaded."""


@dataclass(frozen=True)
class PreparedAnswers:
    """Recorded answers, with targets that the objective prepared before training; a batch is an index into them.

    Attributes:
        answers: (answers, columns) logits, log-probabilities or values, on the device; None if the objective reads prepared
            targets only.
        prepared: the prepared targets, by term.
        check: raises an error for a batch that was not recorded.
    """

    answers: Tensor | None
    prepared: dict[str, Tensor]
    check: Callable[[Batch], None] = _no_check

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The teacher's answers to a batch."""
        self.check(batch)
        rows = batch.answer_places
        return {
            "teacher_answers": None if self.answers is None else self.answers.index_select(0, rows.to(self.answers.device)),
            "prepared": {name: targets.index_select(-2, rows.to(targets.device)) for name, targets in self.prepared.items()},
        }


@dataclass(frozen=True)
class BatchAnswers:
    """Answers from which the objective computes its targets batch by batch.

    Attributes:
        answers: gives the answers to a batch, (batch, columns) or the most probable classes, from a live teacher or from recorded answers.
        form: the form of the answers.
        device: the device of the network.
        check: as in `PreparedAnswers`.
    """

    answers: Callable[[Batch], NDArray[Any] | TopAnswers]
    form: AnswerForm
    device: torch.device
    check: Callable[[Batch], None] = _no_check

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The teacher's answers to a batch."""
        self.check(batch)
        return {"teacher_answers": _loss_inputs(self.answers(batch), self.form, self.device)}


def live_answers(teacher: Teacher, device: torch.device) -> BatchAnswers:
    """Answers of a teacher that is called on each batch, with the rows that the student gets, in the dtype that they have in the data."""
    form = teacher.form

    def answers(batch: Batch) -> NDArray[Any] | TopAnswers:
        given = batch.as_in_data
        asked = given if isinstance(given, StructuredRows) else tensor_array(given)
        found = checked_answers(form, teacher.answer(asked), asked, len(batch.rows))
        if isinstance(found, PositionAnswers):
            return found.values if batch.kept is None else found.values[batch.kept.numpy()]
        return found

    return BatchAnswers(answers, form.of_each_position, device)


def read_answers(form: AnswerForm, device: torch.device) -> BatchAnswers:
    """Recorded answers that are read together with the rows of each batch."""

    def answers(batch: Batch) -> NDArray[Any] | TopAnswers:
        found: Any = batch.recorded
        return found.values[batch.answer_places.numpy()] if isinstance(found, PositionAnswers) else found

    return BatchAnswers(answers, form.of_each_position, device)


def recorded_answers(
    answers: NDArray[Any] | TopAnswers,
    form: AnswerForm,
    objective: Objective,
    device: torch.device,
    *,
    unverified: Names | None = None,
    always: bool = False,
) -> PreparedAnswers | BatchAnswers:
    """Recorded answers for the training loop: prepared once, or batch by batch if they take more than `PREPARED_BYTES`.

    The raw answers are dropped if the objective reads prepared targets only. The most probable classes are few numbers, which are
    not prepared.

    Args:
        answers: (answers, columns), or the most probable classes of each.
        form: the form of the answers.
        objective: the objective that reads them.
        device: the device of the network.
        unverified: (answers,) names of the rows that were recorded, to be compared with each batch; None if the answers were matched
            with the rows before.
        always: compare every batch, since the rows may differ each time; otherwise each row is compared once.

    Raises:
        BadInput: answers that a term of the objective cannot use.
    """
    check = _no_check if unverified is None else partial(_check_names, unverified, always)
    if isinstance(answers, TopAnswers):
        top = answers
        for term in objective.terms:
            term.check_top(top.top_k, top.columns)
        return BatchAnswers(lambda batch: top[batch.answer_places.numpy()], form, device, check)
    if answers.nbytes > PREPARED_BYTES:
        for part in _parts(answers):
            objective.prepare(_numbers(answers[part], form, device))  # so that unusable answers raise an error before training
        return BatchAnswers(lambda batch: answers[batch.answer_places.numpy()], form, device, check)
    tensor = _numbers(answers, form, device)
    prepared = _prepared(objective, tensor)
    raw = any("teacher" in term.reads and term.name not in prepared for term in objective.terms)
    return PreparedAnswers(tensor if raw else None, prepared, check)


def _prepared(objective: Objective, answers: Tensor) -> dict[str, Tensor]:
    """The targets that the objective prepares, computed part by part."""
    whole: dict[str, Tensor] = {}
    for part in _parts(answers):
        for name, targets in objective.prepare(answers[part]).items():
            if name not in whole:
                whole[name] = targets.new_empty((*targets.shape[:-2], len(answers), targets.shape[-1]))
            whole[name][..., part, :] = targets
    return whole


def _parts(answers: NDArray[Any] | Tensor) -> list[slice]:
    rows = max(1, PREPARED_CELLS // answers.shape[1])
    return [slice(start, start + rows) for start in range(0, len(answers), rows)]


def _loss_inputs(answers: NDArray[Any] | TopAnswers, form: AnswerForm, device: torch.device) -> Tensor | TopTargets:
    return top_targets(answers, device) if isinstance(answers, TopAnswers) else _numbers(answers, form, device)


def _numbers(answers: NDArray[Any], form: AnswerForm, device: torch.device) -> Tensor:
    """Logits or values in float32; a read-only array is copied, since torch has no read-only tensors."""
    values = answers if form.kind == "values" else form.logits(answers)
    return torch.from_numpy(np.require(values, np.float32, ["C", "W"])).to(device)


def top_targets(answers: TopAnswers, device: torch.device) -> TopTargets:
    """The most probable classes as the losses take them."""
    ids, log_probs, rest = (
        torch.from_numpy(np.require(array, dtype, ["C", "W"])).to(device)
        for array, dtype in ((answers.ids, np.int64), (answers.log_probs, np.float32), (answers.rest, np.float32))
    )
    return TopTargets(ids, log_probs, rest, answers.columns)


def _check_names(unverified: Names, always: bool, batch: Batch) -> None:
    """Check that the rows of a batch are those that were recorded: always, or the first time each is used.

    The names of rows that are checked once become 0.

    Raises:
        LabelMismatch: rows that differ from those that were recorded.
    """
    rows = batch.answer_rows.numpy()
    if not unverified[rows].any():
        return
    other = (unverified[rows] != 0) & (unverified[rows] != row_names(batch.as_in_data))
    if other.any():
        what, remedy = ("rows", ALWAYS_REMEDY) if always else ("views", "Record again on the same Views: same data, count and seed.")
        first = int(batch.rows[int(np.flatnonzero(other)[0])])
        raise LabelMismatch(
            f"{int(other.sum())} of {len(rows)} {what} in a batch are not those that were recorded (first: row {first}). {remedy}"
        )
    if not always:
        unverified[rows] = 0
