"""Many students of the same architecture with the same rows, teacher and batches, trained as stacks if possible, else one by one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import Positions
from tutelage.core.answers import AnswerForm
from tutelage.core.engines.engines import started
from tutelage.core.engines.sending import sendable
from tutelage.core.engines.tasks import run_tasks
from tutelage.core.errors import BadInput, TutelageError, one_line
from tutelage.losses.objective import Objective
from tutelage.losses.shared_targets import with_shared_targets
from tutelage.training.arguments import checked_device
from tutelage.training.feeding.loader_feed import LoaderFeed
from tutelage.training.feeding.sources import training_data
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.stack import Stack, stack_of
from tutelage.training.stacks.stack_steps import DivergenceTolerant, StackSteps, at_rate
from tutelage.training.state import Fit
from tutelage.training.student import TorchStudent

ObjectiveFactory = Callable[[Any, Any], Objective]
"""(temperature, soft_weight) -> objective; both are numbers, or (copies, 1, 1) tensors for a stack."""

_Stacked = tuple[Stack, Objective]
LEARNT = ("network", "form", "classes_", "fit_", "projectors_")
"""What training gives a student."""

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
        form: of the answers of the student that was given; None if it was not given its classes.
        output: as in `TorchStudent`.
        predict_batch_size: as in `TorchStudent`.
    """

    objective: ObjectiveFactory
    fit_arguments: Mapping[str, Any]
    training: TrainingSettings
    form: AnswerForm | None = None
    output: Callable[[Any], Tensor] | None = None
    predict_batch_size: int | None = None

    def train(self, copies: Sequence[Copy], *, stack_size: int, on: Any = None) -> tuple[list[TorchStudent], str]:
        """Train every copy.

        Args:
            copies: the copies; those with the same learning rate are adjacent.
            stack_size: the largest number of copies in a stack.
            on: other processes, each of which trains a stack, or a copy that cannot be stacked, at a time; None for this one.

        Returns:
            A student with an ordinary network for every copy, in order; and the reason why they were not stacked, or "".
        """
        parts, why = self._parts(copies, stack_size)
        if on is not None:
            return self._train_elsewhere([part for part, _ in parts], on, stacked=not why), why
        return [student for part, stack in parts for student in self._train_part(part, stack)], why

    def _parts(self, copies: Sequence[Copy], stack_size: int) -> tuple[list[tuple[Sequence[Copy], _Stacked | None]], str]:
        """Copies that are trained together, as a stack; each without one, if there is a reason against stacks, which is returned."""
        found: list[tuple[Sequence[Copy], _Stacked | None]] = []
        why = "stack_size is 1" if stack_size == 1 else ""
        for start in range(0, len(copies), stack_size) if not why else ():
            stack, why = self._stacked(copies[start : start + stack_size])
            if stack is None:
                break
            found.append((copies[start : start + stack_size], stack))
        return ([([each], None) for each in copies], why) if why else (found, "")

    def _train_part(self, part: Sequence[Copy], stack: _Stacked | None) -> list[TorchStudent]:
        return [self._train_alone(each) for each in part] if stack is None else self._train_stack(part, *stack)

    def _train_elsewhere(self, parts: Sequence[Sequence[Copy]], on: Any, *, stacked: bool) -> list[TorchStudent]:
        """The students of all parts, trained by other processes.

        Raises:
            BadInput: something cannot be sent to them, or a part failed three times. Also what `TorchStudent.fit` raises there.
        """
        shared = {"student": parts[0][0].network, "objective": self.objective, "output": self.output, "training": self.training}
        for name, value in {**shared, **self.fit_arguments}.items():
            sendable(value, f"{name}=")
        content = pickle.dumps(self)
        found: dict[int, list[TorchStudent]] = {}

        def done(place: int, trained: list[dict[str, Any]] | TutelageError) -> None:
            if isinstance(trained, TutelageError):
                raise trained
            found[place] = [self._made(each, one) for each, one in zip(parts[place], trained, strict=True)]

        with started(on) as engine:
            given_up = run_tasks(
                engine, range(len(parts)), lambda attempt: (train_part, content, parts[attempt.task], stacked, attempt.number), done
            )
        if given_up:
            first = min(given_up)
            start = sum(len(part) for part in parts[:first])
            which = f"{start} to {start + len(parts[first]) - 1}" if stacked else f"{start}"
            raise BadInput(
                f"{len(given_up)} of {len(parts)} trainings failed three times in other processes. That of student {which}: "
                f"{given_up[first]}. Mend the cause, or leave on= out."
            )
        return [student for place in range(len(parts)) for student in found[place]]

    def _made(self, each: Copy, trained: Mapping[str, Any]) -> TorchStudent:
        """The student that another process trained."""
        student = self._student(trained["network"], self._objective_of(each), output=self.output)
        vars(student).update(trained)
        return student

    def _train_alone(self, each: Copy) -> TorchStudent:
        student = self._student(copy.deepcopy(each.network), self._objective_of(each), output=self.output)
        optimizer = at_rate(self._optimizer, each.lr)
        return student.fit(**self.fit_arguments, **self._settings(optimizer=optimizer), backend=DivergenceTolerant())

    def _student(self, network: nn.Module, objective: Objective, output: Callable[[Any], Tensor] | None = None) -> TorchStudent:
        student = TorchStudent(network, objective, output=output, predict_batch_size=self.predict_batch_size)
        if self.form is not None:
            student.set_form(self.form)
        return student

    def _train_stack(self, copies: Sequence[Copy], stack: Stack, objective: Objective) -> list[TorchStudent]:
        steps = StackSteps(self._optimizer, [each.lr for each in copies], clip_norm=self.training.clip_norm)
        whole = self._student(stack, objective)
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

    def _stacked(self, copies: Sequence[Copy]) -> tuple[_Stacked | None, str]:
        """A stack and its objective, and ""; or None, and the reason why there is none."""
        first = next(copies[0].network.parameters(), None)
        if first is None:
            return None, "the networks have no weights"
        if self._positions is not None:
            return None, f"answers to {self._positions} take no stack"
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

    @property
    def _positions(self) -> Positions | None:
        """What each answer belongs to, as the student, the labels, or rows with recorded answers say; None if that is a row."""
        forms = [self.form, *(getattr(self.fit_arguments.get(name), "form", None) for name in ("labels", "X"))]
        return next((form.positions for form in forms if isinstance(form, AnswerForm) and form.positions is not None), None)

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
            rows = feed.few(CHECK_ROWS) if isinstance(feed, LoaderFeed) else torch.arange(min(CHECK_ROWS, feed.rows))
            return next(iter(feed.batches(1, [rows]))).inputs

    def _settings(self, **changed: Any) -> dict[str, Any]:
        """The settings with an optimizer in which the learning rate is set."""
        return {field.name: getattr(self.training, field.name) for field in fields(self.training)} | {"lr": None} | changed


def train_part(content: bytes, copies: Sequence[Copy], stacked: bool, attempt: int) -> list[dict[str, Any]] | TutelageError:
    """Train copies in the process that this is called in.

    Args:
        content: their group, as a pickle.
        copies: that are trained together.
        stacked: whether as a stack, as the process found that sends them.
        attempt: its number, which makes the call another one than that before.

    Returns:
        What each learnt, by name; or the error that any process would raise.
    """
    group: StudentGroup = pickle.loads(content)  # noqa: S301 - from the process that sent the function
    try:
        stack, why = group._stacked(copies) if stacked else (None, "")
        if why:
            raise BadInput(f"this process cannot stack the networks, and the one that sent them could: {why}. Leave on= out.")
        students = group._train_part(copies, stack)
    except TutelageError as error:
        return error
    return [{name: vars(student)[name] for name in LEARNT if name in vars(student)} for student in students]


def _column(values: Sequence[float], where: torch.device) -> float | Tensor:
    """A number if all are equal, else (copies, 1, 1)."""
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(np.asarray(values, dtype=np.float32), device=where)[:, None, None]
