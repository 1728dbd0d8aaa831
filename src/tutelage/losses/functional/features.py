"""Matching one hidden layer with another: hints and attention maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.numerics import unit, wide


def hint(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Mean squared difference of two layers, mean_u (s_u - t_u)^2.

    The paper has half the sum, 1/2 sum_u: the mean keeps its size when the layer grows.

    Args:
        student_hidden: (batch, units), (batch, tokens, units) or (batch, channels, height, width), through `projector` if
            the teacher has another number of units or channels.
        teacher_hidden: the same; of two maps the larger is averaged down to the smaller.

    Returns:
        (batch,).

    Raises:
        ShapeError: layers that do not fit each other.

    Source:
        Romero et al. 2015 (FitNets), arXiv 1412.6550.
    """
    student, teacher = _level(wide(student_hidden), wide(teacher_hidden))
    if student.shape != teacher.shape:
        raise ShapeError(f"hidden layers {tuple(student.shape)} and {tuple(teacher.shape)} differ in shape; project the student's.")
    return (student - teacher).square().flatten(1).mean(dim=1)


def attention_transfer(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    """Mean squared difference of attention maps: mean_x (a_s(x) - a_t(x))^2, a = A / |A|, A(x) = mean_c F_c(x)^2.

    Where a layer looks, not what it sees there: numbers of channels need not agree. The paper writes the norm of the
    difference; the authors' code, followed here, has its mean square.

    Args:
        student_maps: (batch, channels, height, width).
        teacher_maps: the same; of two sizes the larger is averaged down to the smaller.

    Returns:
        (batch,). A map of zeros looks nowhere: a = 0.

    Raises:
        ShapeError: layers that are not maps, or of other rows.

    Source:
        Zagoruyko, Komodakis 2017, arXiv 1612.03928.
    """
    for side, maps in (("student", student_maps), ("teacher", teacher_maps)):
        if maps.ndim != 4:
            raise ShapeError(f"the {side}'s layer gives {tuple(maps.shape)}; attention needs (batch, channels, height, width).")
    same_rows(student_maps, teacher_maps)
    student, teacher = _level(wide(student_maps), wide(teacher_maps))
    return (_attention(student) - _attention(teacher)).square().mean(dim=1)


def _attention(maps: Tensor) -> Tensor:
    return unit(maps.square().mean(dim=1).flatten(1), 1)


def projector(student_hidden: Tensor, teacher_hidden: Tensor) -> nn.Module:
    """A linear map from the student's units (or channels, place by place) to the teacher's; nothing where they agree.

    It trains with the student and is no part of it.

    Args:
        student_hidden: (batch, units), (batch, tokens, units) or (batch, channels, height, width).
        teacher_hidden: the same kind.

    Raises:
        ShapeError: two kinds, or another.
    """
    same_rows(student_hidden, teacher_hidden)
    if student_hidden.ndim != teacher_hidden.ndim or student_hidden.ndim not in (2, 3, 4):
        raise ShapeError(
            f"no projector from {tuple(student_hidden.shape)} to {tuple(teacher_hidden.shape)}; expected two layers of one kind: "
            "(batch, units), (batch, tokens, units) or (batch, channels, height, width)."
        )
    maps = student_hidden.ndim == 4
    narrow, broad = (hidden.shape[1 if maps else -1] for hidden in (student_hidden, teacher_hidden))
    if narrow == broad:
        made: nn.Module = torch.nn.Identity()
    else:
        made = torch.nn.Conv2d(narrow, broad, 1) if maps else torch.nn.Linear(narrow, broad)
    return made.to(student_hidden.device)


def same_rows(student_hidden: Tensor, teacher_hidden: Tensor) -> None:
    """Prove that both layers spoke about as many rows.

    Raises:
        ShapeError: they did not.
    """
    if len(student_hidden) != len(teacher_hidden):
        raise ShapeError(f"hidden layers of {len(student_hidden)} and {len(teacher_hidden)} rows; both must see the same batch.")


def _level(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of one size: the larger is averaged down, side by side."""
    if student.ndim != 4 or teacher.ndim != 4 or student.shape[2:] == teacher.shape[2:]:
        return student, teacher
    size = min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3])
    pool = torch.nn.functional.adaptive_avg_pool2d
    return pool(student, size), pool(teacher, size)
