"""Many students of the same architecture with the same rows, teacher and batches, trained as stacks if possible, else one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import TutelageError, one_line
from tutelage.losses.objective import Objective
from tutelage.losses.shared_targets import with_shared_targets
from tutelage.training.arguments import checked_device
from tutelage.training.feeding.sources import training_data
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.stack import Stack, stack_of
from tutelage.training.stacks.stack_steps import DivergenceTolerant, StackSteps, at_rate
from tutelage.training.state import Fit
from tutelage.training.student import TorchStudent

ObjectiveFactory = Callable[[Any, Any], Objective]
"""(temperature, soft_weight) -> objective; both are numbers, or (copies, 1, 1) tensors for a stack."""

CHECK_ROWS = 8
"""Rows on which a stack must give the answers of its copies."""


@dataclass(frozen=True)
class Copy:
    """One student of a group.

    Attributes:
        network: the network with its initial weights; it is copied, not trained in place.
        temperature: the temperature of its objective.
        soft_weight: the weight of the soft labels in its objective.
        lr: its learning rate; None is the optimizer's default.
    """

    network: nn.Module
    temperature: float = 1.0
    soft_weight: float = 1.0
    lr: float | None = None


@dataclass(frozen=True)
class StudentGroup:
    """What the students of a group share.

    Attributes:
        objective: creates the objective of a copy.
        fit_arguments: X, labels, y, validation and device, as in `TorchStudent.fit`.
        training: the training settings; their seed draws the batches.
        classes: as in `TorchStudent`.
        output: as in `TorchStudent`.
        predict_batch_size: as in `TorchStudent`.
    """

    objective: ObjectiveFactory
    fit_arguments: Mapping[str, Any]
    training: TrainingSettings
    classes: Sequence[Any] | None = None
    output: Callable[[Any], Tensor] | None = None
    predict_batch_size: int = torch_runtime.BATCH_ROWS

    def train(self, copies: Sequence[Copy], *, stack_size: int) -> tuple[list[TorchStudent], str]:
        """Train every copy.

        Args:
            copies: the copies; those with the same learning rate are adjacent.
            stack_size: the largest number of copies in a stack.

        Returns:
            A student with an ordinary network for every copy, in order; and the reason why they were not stacked, or "".
        """
        parts = [copies[start : start + stack_size] for start in range(0, len(copies), stack_size)]
        if stack_size == 1:
            return [self._train_alone(each) for each in copies], "stack_size is 1"
        stacks: list[tuple[Stack, Objective]] = []
        for part in parts:
            stack, why = self._stacked(part)
            if stack is None:
                return [self._train_alone(each) for each in copies], why
            stacks.append(stack)
        return [student for part, stack in zip(parts, stacks, strict=True) for student in self._train_stack(part, *stack)], ""

    def _train_alone(self, each: Copy) -> TorchStudent:
        student = self._student(copy.deepcopy(each.network), self._objective_of(each), classes=self.classes, output=self.output)
        optimizer = at_rate(self._optimizer, each.lr)
        return student.fit(**self.fit_arguments, **self._settings(optimizer=optimizer), backend=DivergenceTolerant())

    def _student(self, network: nn.Module, objective: Objective, **given: Any) -> TorchStudent:
        return TorchStudent(network, objective, predict_batch_size=self.predict_batch_size, **given)

    def _train_stack(self, copies: Sequence[Copy], stack: Stack, objective: Objective) -> list[TorchStudent]:
        steps = StackSteps(self._optimizer, [each.lr for each in copies], clip_norm=self.training.clip_norm)
        whole = self._student(stack, objective, classes=self.classes)
        whole.fit(**self.fit_arguments, **self._settings(optimizer=steps.optimizer, clip_norm=None), backend=steps)
        return [self._student_of(whole, stack, index, each) for index, each in enumerate(copies)]

    def _student_of(self, whole: TorchStudent, stack: Stack, index: int, each: Copy) -> TorchStudent:
        student = self._student(stack.copy(index), self._objective_of(each), output=self.output)
        student.form = whole.form
        if hasattr(whole, "classes_"):
            student.classes_ = whole.classes_
        best, scores = whole.fit_.best_epoch[index : index + 1], whole.fit_.scores[:, index : index + 1]
        if self.training.patience is not None:
            scores = scores[: int(best[0]) + self.training.patience]  # trained alone, it would have stopped here
        student.fit_ = Fit(best, scores)
        return student

    def _stacked(self, copies: Sequence[Copy]) -> tuple[tuple[Stack, Objective] | None, str]:
        """A stack and its objective, and ""; or None, and the reason why there is none."""
        first = next(copies[0].network.parameters(), None)
        if first is None:
            return None, "the networks have no weights"
        inputs = self._check_inputs(copies[0].network)
        if not isinstance(inputs, Tensor):
            return None, "the networks take several inputs"
        device = self.fit_arguments.get("device")
        where = first.device if device is None else checked_device(device)
        objective, why = self._joint_objective(copies, where)
        if objective is None:
            return None, why
        networks = [each.network.to(where) for each in copies]
        stack, why = stack_of(networks, inputs.to(where), output=self.output)
        return (None, why) if stack is None else ((stack, objective), "")

    def _joint_objective(self, copies: Sequence[Copy], where: torch.device) -> tuple[Objective | None, str]:
        pairs = [(each.temperature, each.soft_weight) for each in copies]
        distinct = list(dict.fromkeys(pairs))
        which = torch.tensor([distinct.index(pair) for pair in pairs])
        try:
            whole, of_distinct = (
                self.objective(*(_column(values, where) for values in zip(*settings, strict=True))) for settings in (pairs, distinct)
            )
        except (TutelageError, RuntimeError, TypeError, ValueError) as error:
            return None, f"the objective cannot take tensors with a temperature and a weight for each copy ({one_line(error)})"
        for term in whole.terms:
            if not term.stacks:
                return None, f"{term.name} takes no stack"
        return with_shared_targets(whole, of_distinct, which), ""

    def _optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return self.training.optimizer_of(parameters, [])

    def _objective_of(self, each: Copy) -> Objective:
        return self.objective(each.temperature, each.soft_weight)

    def _check_inputs(self, network: nn.Module) -> Any:
        feed = training_data(self.fit_arguments["X"], None, None).feed(network, seed=self.training.seed)
        with torch_runtime.seeded(self.training.seed):
            return next(iter(feed.batches(1, [torch.arange(min(CHECK_ROWS, feed.rows))]))).inputs

    def _settings(self, **changed: Any) -> dict[str, Any]:
        """The settings with an optimizer in which the learning rate is set."""
        return {field.name: getattr(self.training, field.name) for field in fields(self.training)} | {"lr": None} | changed


def _column(values: Sequence[float], where: torch.device) -> float | Tensor:
    """A number if all are equal, else (copies, 1, 1)."""
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(np.asarray(values, dtype=np.float32), device=where)[:, None, None]
