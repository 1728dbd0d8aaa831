"""The public losses of hidden layers, as objectives of one term (see `terms.py`).

Layers are named by module path, as `named_modules()` lists them; the teacher's has the student's name unless another is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tutelage.core.errors import BadInput
from tutelage.losses.functional import features, relations
from tutelage.losses.functional.numerics import upcast
from tutelage.losses.objective import EVERY_TASK, Objective, Term
from tutelage.losses.signals import Signals
from tutelage.losses.targets import check_temperature

if TYPE_CHECKING:
    from torch import Tensor, nn


def hint(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match a layer unit by unit, through a projector that trains with the student where sizes differ (see `features.hint`).

    Args:
        student_layer: of units, tokens or maps.
        teacher_layer: of the same kind.
    """
    return _at_layers("hint", _projected_hint, student_layer, teacher_layer, build=_projector)


def attention_transfer(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match where maps look, not what they see there (see `features.attention_transfer`).

    Args:
        student_layer: of maps, (batch, channels, height, width).
        teacher_layer: the same, of any size.
    """
    return _at_layers("attention_transfer", features.attention_transfer, student_layer, teacher_layer)


def relational_distance(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match how far the rows of a batch lie from one another (see `relations.relational_distance`).

    Args:
        student_layer: of any shape.
        teacher_layer: of any shape.
    """
    return _at_layers("relational_distance", relations.relational_distance, student_layer, teacher_layer)


def relational_angle(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the angles between the rows of a batch, three by three (see `relations.relational_angle`).

    Args:
        student_layer: of any shape.
        teacher_layer: of any shape.
    """
    return _at_layers("relational_angle", relations.relational_angle, student_layer, teacher_layer)


def similarity_preserving(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match which rows of a batch excite a layer alike (see `relations.similarity_preserving`).

    Args:
        student_layer: of any shape.
        teacher_layer: of any shape.
    """
    return _at_layers("similarity_preserving", relations.similarity_preserving, student_layer, teacher_layer)


def probabilistic_transfer(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match which rows of a batch are neighbours, as probabilities (see `relations.probabilistic_transfer`).

    Args:
        student_layer: of any shape.
        teacher_layer: of any shape.
    """
    return _at_layers("probabilistic_transfer", relations.probabilistic_transfer, student_layer, teacher_layer)


def contrastive(
    student_layer: str,
    teacher_layer: str | None = None,
    *,
    embedding: int = 128,
    negatives: int = 1024,
    temperature: float = 0.07,
    momentum: float = 0.5,
) -> Objective:
    """Tell a row's own pair of answers from pairs of two rows, with a memory of all rows (CRD; see `contrast.ContrastiveMemory`).

    Args:
        student_layer: of any shape.
        teacher_layer: of any shape.
        embedding: how many numbers both are embedded in.
        negatives: how many rows each row is compared with.
        temperature: sharpens likeness.
        momentum: how much of the old stays in the memory, from 0 to below 1.
    """
    if embedding < 1 or negatives < 1 or not 0 <= momentum < 1:
        raise BadInput(
            f"embedding {embedding}, negatives {negatives} and momentum {momentum}; expected 1 or more, 1 or more, and from 0 to below 1."
        )
    settings = {"embedding": embedding, "negatives": negatives, "temperature": check_temperature(temperature), "momentum": momentum}
    build = partial(_memory, settings=settings)
    return _at_layers("contrastive", _remembered, student_layer, teacher_layer, build=build, settings=settings, more=("index",))


Build = Callable[[str, str, Signals, int], "nn.Module"]


def _at_layers(
    name: str,
    loss: Callable[..., Tensor],
    student_layer: str,
    teacher_layer: str | None,
    *,
    build: Build | None = None,
    settings: dict[str, Any] | None = None,
    more: tuple[str, ...] = (),
) -> Objective:
    teacher = student_layer if teacher_layer is None else teacher_layer
    term = Term(
        f"{name} {student_layer.replace('.', '/')}",  # a module of this name cannot hold dots
        loss,
        (f"student:{student_layer}", f"teacher:{teacher}", *more),
        settings or {},
        build=None if build is None else partial(build, student_layer, teacher),
        tasks=EVERY_TASK,
        stacks=False,
    )
    return Objective((term,))


def _projector(student_layer: str, teacher_layer: str, signals: Signals, rows: int) -> nn.Module:
    return features.projector(signals.student_hidden[student_layer], signals.teacher_hidden[teacher_layer])


def _projected_hint(project: nn.Module, student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    return features.hint(project(upcast(student_hidden)), teacher_hidden)  # the projector is no part of the autocast network


def _memory(student_layer: str, teacher_layer: str, signals: Signals, rows: int, *, settings: dict[str, Any]) -> nn.Module:
    from tutelage.losses.functional.contrast import ContrastiveMemory

    student, teacher = signals.student_hidden[student_layer], signals.teacher_hidden[teacher_layer]
    memory = ContrastiveMemory(student[0].numel(), teacher[0].numel(), rows=rows, **settings)
    return memory.to(student.device)


def _remembered(memory: nn.Module, student_hidden: Tensor, teacher_hidden: Tensor, index: Tensor, **settings: Any) -> Tensor:
    """The module holds the settings; they are with the term for whoever describes it."""
    loss: Tensor = memory(student_hidden, teacher_hidden, index)
    return loss
