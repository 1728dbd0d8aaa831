"""The arguments of a student and of its `fit`, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import flag, path
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, one_line, shown
from tutelage.data.row_arrays import target_array
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.losses.value_terms import hard_bernoulli, soft_bernoulli, squared_error
from tutelage.softlabels.streaming.parts import Parts
from tutelage.teachers.adapt import as_teacher
from tutelage.training.backend import Backend


def check_student(network: Any, objective: Any, output: Any, *, classes: Any, positions: Any) -> None:
    """Check the arguments of a `TorchStudent`.

    Raises:
        BadInput: not a network, an objective or a function; positions without classes.
    """
    if not isinstance(network, nn.Module):
        raise BadInput(f"the network is a {_kind(network)}; expected a torch Module, such as tutelage.training.mlp((4, 8, 3)).")
    if objective is not None and not isinstance(objective, Objective):
        raise BadInput(
            f"the objective is a {_kind(objective)}; expected one of tutelage.losses, a sum of them, or None. A loss of your own is a Term."
        )
    if output is not None and not callable(output):
        raise BadInput(f"output is a {_kind(output)}; expected a function from what the network returns to its answers.")
    if positions is not None and classes is None:
        raise BadInput(
            f"positions={shown(positions)} is given without classes=, and only with them do they say what the network answers; pass both, "
            "or neither where a teacher's answers say it."
        )


def network_teacher(network: nn.Module, form: AnswerForm | None) -> Teacher:
    """A torch network as the teacher of a student: its answers mean what those of the student do, as far as that is known."""
    return (
        as_teacher(network) if form is None else as_teacher(network, task=form.task, classes=form.classes or None, positions=form.positions)
    )


def default_objective(teacher: Teacher | None, y: Any, form: AnswerForm | None) -> Objective:
    """What is minimised if the user says nothing: by the task, against the teacher's answers, or without a teacher against y.

    Args:
        teacher: None if there is none.
        y: the ground truth, or None.
        form: of the student's answers, if it was given its classes.

    Raises:
        ShapeError: rows of y of unequal length. BadInput: a masked array that hides cells.
    """
    if teacher is not None:
        soft: Mapping[str, Callable[[], Objective]] = {"multilabel": soft_bernoulli, "regression": squared_error}
        return soft.get(teacher.form.task, soft_cross_entropy)()
    if form is not None or y is None:
        return hard_cross_entropy()
    truth = target_array(y)
    if truth.dtype.kind == "f" and (truth[np.isfinite(truth)] % 1 != 0).any():
        return squared_error(against="labels")
    return hard_bernoulli() if truth.ndim == 2 and truth.shape[1] > 1 else hard_cross_entropy()


def check_fit(*, backend: Any, checkpoints: Any, callbacks: Any, advance: Any, progress: Any) -> None:
    """Check the arguments of `TorchStudent.fit` that are neither data nor training settings.

    Raises:
        BadInput: an argument of another kind.
    """
    if backend is not None and not isinstance(backend, Backend):
        raise BadInput(f"backend is a {_kind(backend)}; expected tutelage.training.Accelerated(accelerator), or None.")
    if checkpoints is not None:
        path("checkpoints", checkpoints)
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise BadInput(f"callbacks is a {_kind(callbacks)}; expected a list of functions, each called with a Report after each epoch.")
    if not callable(advance):
        raise BadInput(f"advance is a {_kind(advance)}; expected a function without arguments, called after each step.")
    flag("progress", progress)


def parts_to_learn(parts: Parts, labels: Any, y: Any, *, class_weight: Any, processes: int) -> tuple[Parts, Any]:
    """Rows that are read in parts, as one of several processes reads them, and their recorded answers.

    Raises:
        BadInput: answers or a ground truth beside those that they have; weights of classes for answers with positions; or rows that
            were interleaved for another number of processes.
    """
    for name, value in (("labels", labels), ("y", y)):
        if value is not None:
            raise BadInput(f"parts hold their answers and their ground truth, and {name} is given too; pass it to parts(), and fit(parts).")
    if class_weight is not None and parts.form.positions is not None:
        raise BadInput(
            f"class_weight weighs each position ({parts.form.positions}) by its class, and those of parts are read with their batches; "
            "pass the weight of each row as sample_weight, or rows in memory."
        )
    if parts.streams % processes and parts.streams > 1:
        raise BadInput(
            f"the rows are interleaved from {parts.streams} streams, which {processes} processes cannot share evenly; leave interleaved() "
            "out, or pass a multiple of the number of processes."
        )
    return parts.interleaved(max(parts.streams, processes)), parts.labels


def check_shared(objective: Objective, *, processes: int, accumulate: int) -> None:
    """Check that every term of an objective can be computed from a part of the rows of a step.

    Raises:
        BadInput: a term relates the rows of a step.
    """
    related = [term.name for term in objective.terms if term.relates_rows]
    if related and processes > 1:
        raise BadInput(
            f"{related[0]} relates the rows of a batch, and each of {processes} processes has a share of them; train in one "
            "process, or leave the term out."
        )
    if related and accumulate > 1:
        raise BadInput(
            f"{related[0]} relates the rows of a step to each other, and accumulate={accumulate} computes them in that many batches; "
            "use accumulate=1, or leave the term out."
        )


def placed(network: nn.Module, device: Any) -> nn.Module:
    """The network on a device; None leaves it where it is.

    Raises:
        BadInput: the network has no weights that are trained, or there is no such device.
    """
    parameters = list(network.parameters())
    if not parameters:
        raise BadInput(f"this {type(network).__name__} has no parameters; expected a network with weights to train.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise BadInput(
            f"all {len(parameters)} parameter tensors of this {type(network).__name__} are frozen (requires_grad is False), so there is "
            "nothing to train; unfreeze some."
        )
    return network if device is None else network.to(checked_device(device))


def checked_device(device: Any) -> torch.device:
    """A device of this machine.

    Raises:
        BadInput: there is no such device.
    """
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
        return found
    except Exception as error:  # whatever its backend raises
        raise BadInput(
            f"cannot train on device {shown(device)} ({one_line(error)}); expected a device of this machine, such as 'cpu'."
        ) from error


def _kind(value: Any) -> str:
    return type(value).__name__
