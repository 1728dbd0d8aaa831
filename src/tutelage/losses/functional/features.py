"""Losses between two hidden layers, row by row: hints and attention maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.numerics import normalise, upcast, with_unit_peak


def hint(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Mean squared difference of two layers: mean_u (s_u - t_u)^2.

    The paper uses half the sum, 1/2 sum_u. The mean does not grow with the size of the layer.

    Args:
        student_hidden: (batch, units), (batch, tokens, units) or (batch, channels, height, width), projected first if
            the teacher has another number of units or channels.
        teacher_hidden: the same kind; of two feature maps, the larger is average-pooled to the size of the smaller.

    Returns:
        (batch,).

    Raises:
        ShapeError: the shapes of the layers do not match.

    Source:
        Romero et al. 2015 (FitNets), arXiv 1412.6550.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> print(tl.losses.functional.hint(student, teacher))
        tensor([2., 1.])
    """
    student, teacher = same_size(upcast(student_hidden), upcast(teacher_hidden))
    if student.shape != teacher.shape:
        raise ShapeError(f"hidden layers {tuple(student.shape)} and {tuple(teacher.shape)} differ in shape; project the student's layer.")
    return (student - teacher).square().flatten(1).mean(dim=1)


def cosine_distance(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """One minus the cosine of the angle between two vectors: 1 - s't / (|s| |t|).

    Args:
        student_hidden: (..., units), such as embeddings (batch, units), or tokens (batch, tokens, units).
        teacher_hidden: the same shape; project the student's vectors first if the teacher's have another width.

    Returns:
        (...), from 0 to 2. A vector of zeros has cosine 0, without gradient.

    Raises:
        ShapeError: the shapes differ.

    Source:
        Sanh et al. 2019 (DistilBERT), arXiv 1910.01108, for hidden states.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> print(tl.losses.functional.cosine_distance(student, teacher))
        tensor([0., 1.])
    """
    student, teacher = upcast(student_hidden), upcast(teacher_hidden)
    if student.shape != teacher.shape:
        raise ShapeError(f"vectors {tuple(student.shape)} and {tuple(teacher.shape)} differ in shape; project the student's.")
    return 1 - (normalise(student, -1) * normalise(teacher, -1)).sum(dim=-1)


def attention_transfer(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    """Mean squared difference of attention maps: mean_x (a_s(x) - a_t(x))^2, a = A / |A|, A(x) = mean_c F_c(x)^2.

    It compares at which positions the layers are active, not their features, so that the numbers of channels may differ. The
    paper states the norm of the difference; the authors' code, followed here, computes its mean square.

    Args:
        student_maps: (batch, channels, height, width).
        teacher_maps: the same; of two sizes, the larger is average-pooled to the smaller.

    Returns:
        (batch,). For a feature map of zeros, a = 0.

    Raises:
        ShapeError: layers that are not feature maps, or different numbers of rows.

    Source:
        Zagoruyko, Komodakis 2017, arXiv 1612.03928.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> maps = torch.zeros(2, 3, 4, 4)
        >>> maps[:, :, 1, 2] = 1.0
        >>> more_channels = maps.repeat(1, 2, 1, 1)
        >>> print(tl.losses.functional.attention_transfer(maps, more_channels))  # active at the same position
        tensor([0., 0.])
        >>> print(tl.losses.functional.attention_transfer(maps, more_channels.flip(-1)).round(decimals=3))
        tensor([0.1250, 0.1250])
    """
    for side, maps in (("student", student_maps), ("teacher", teacher_maps)):
        if maps.ndim != 4:
            raise ShapeError(f"the {side}'s layer has shape {tuple(maps.shape)}; expected feature maps (batch, channels, height, width).")
    check_same_rows(student_maps, teacher_maps)
    student, teacher = same_size(upcast(student_maps), upcast(teacher_maps))
    return (_attention(student) - _attention(teacher)).square().mean(dim=1)


def _attention(maps: Tensor) -> Tensor:
    return normalise(with_unit_peak(maps).square().mean(dim=1).flatten(1), 1)


def projector(student_hidden: Tensor, teacher_hidden: Tensor) -> nn.Module:
    """A linear map from the student's units (or channels, at each position) to the teacher's; the identity if they are as many.

    It is trained together with the student but is not part of it.

    Args:
        student_hidden: (batch, units), (batch, tokens, units) or (batch, channels, height, width).
        teacher_hidden: the same kind.

    Raises:
        ShapeError: layers of two kinds, of another kind, or with different numbers of rows.
    """
    check_same_rows(student_hidden, teacher_hidden)
    if student_hidden.ndim != teacher_hidden.ndim or student_hidden.ndim not in (2, 3, 4):
        raise ShapeError(
            f"no projector from {tuple(student_hidden.shape)} to {tuple(teacher_hidden.shape)}; expected two layers of the same kind: "
            "(batch, units), (batch, tokens, units) or (batch, channels, height, width)."
        )
    maps = student_hidden.ndim == 4
    student_units, teacher_units = (hidden.shape[1 if maps else -1] for hidden in (student_hidden, teacher_hidden))
    if student_units == teacher_units:
        layer: nn.Module = torch.nn.Identity()
    else:
        layer = torch.nn.Conv2d(student_units, teacher_units, 1) if maps else torch.nn.Linear(student_units, teacher_units)
    return layer.to(student_hidden.device, upcast(student_hidden).dtype)


def shares(places: Tensor, size: Sequence[int]) -> Tensor:
    """(batch, height, width) of a size: the share of each place of a smaller or larger picture that counts.

    Args:
        places: (batch, height, width) bool, which pixels count.
        size: height and width.
    """
    return torch.nn.functional.adaptive_avg_pool2d(places[:, None].float(), (size[0], size[1]))[:, 0]


def check_same_rows(student_hidden: Tensor, teacher_hidden: Tensor) -> None:
    """Check that both layers have the same number of rows.

    Raises:
        ShapeError: they do not.
    """
    if len(student_hidden) != len(teacher_hidden):
        raise ShapeError(f"hidden layers of {len(student_hidden)} and {len(teacher_hidden)} rows; expected the same batch for both.")


def same_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool feature maps to a common size, the smaller of the two along each side."""
    if student.ndim != 4 or teacher.ndim != 4 or student.shape[2:] == teacher.shape[2:]:
        return student, teacher
    size = min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3])
    pool = torch.nn.functional.adaptive_avg_pool2d
    return pool(student, size), pool(teacher, size)
