"""Matching how the rows of a batch lie to one another, so that layers of any two widths compare.

Each loss gives row i what its relations to the rest of the batch differ by: the mean over the batch is the published
loss (unless it says otherwise), and a row's value depends on its batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.features import same_rows
from tutelage.losses.functional.numerics import divergence, unit, wide


def relational_distance(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """mean_j huber(d_s(i, j) - d_t(i, j)), d the Euclidean distance over the mean of those that are not zero.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). Where all rows are the same, d = 0.

    Raises:
        ShapeError: other rows.

    Source:
        Park et al. 2019 (RKD-D), arXiv 1904.05068; the mean over all pairs, a row with itself included, as in the authors' code.
    """
    student, teacher = _flat(student_hidden, teacher_hidden)
    return _huber(_distances(student), _distances(teacher)).mean(dim=1)


def relational_angle(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """mean_jk huber(cos_s(j, i, k) - cos_t(j, i, k)), the angle at row i between rows j and k.

    Takes memory for batch^2 x units and batch^3 numbers: 134 MB for each of the latter at a batch of 320.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). At a row that lies where another does, the cosine is 0.

    Raises:
        ShapeError: other rows.

    Source:
        Park et al. 2019 (RKD-A), arXiv 1904.05068.
    """
    student, teacher = _flat(student_hidden, teacher_hidden)
    return _huber(_cosines_at(student), _cosines_at(teacher)).mean(dim=(1, 2))


def similarity_preserving(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """mean_j (g_s(i, j) - g_t(i, j))^2, g the rows of F F' divided by their norms.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). A row of zeros is similar to nothing: g = 0.

    Raises:
        ShapeError: other rows.

    Source:
        Tung, Mori 2019, arXiv 1907.09682.
    """
    student, teacher = _flat(student_hidden, teacher_hidden)
    gap = unit(student @ student.T, 1) - unit(teacher @ teacher.T, 1)
    return gap.square().mean(dim=1)


def probabilistic_transfer(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """KL(p_i || q_i), p(j | i) proportional to (1 + cos(i, j)) / 2 of the teacher, q of the student.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,), in nats. The authors' code divides the mean over the batch once more by the batch. A row of zeros has
        cosine 0 with all; what the teacher finds opposite (p = 0) counts nothing.

    Raises:
        ShapeError: other rows.

    Source:
        Passalis, Tefas 2018 (PKT), arXiv 1803.10837; a row is a neighbour of itself, as in the authors' code.
    """
    student, teacher = _flat(student_hidden, teacher_hidden)
    return divergence(_neighbour_log_probs(teacher), _neighbour_log_probs(student))


def _flat(student_hidden: Tensor, teacher_hidden: Tensor) -> tuple[Tensor, Tensor]:
    same_rows(student_hidden, teacher_hidden)
    return wide(student_hidden).flatten(1), wide(teacher_hidden).flatten(1)


def _huber(student: Tensor, teacher: Tensor) -> Tensor:
    each: Tensor = torch.nn.functional.smooth_l1_loss(student, teacher, reduction="none")
    return each


def _distances(rows: Tensor) -> Tensor:
    """(batch, batch); by differences, for products of rows lose the small ones to rounding."""
    distances: Tensor = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    apart = (distances > 0).sum().clamp_min(1)
    return distances / (distances.sum() / apart).clamp_min(1e-30)


def _cosines_at(rows: Tensor) -> Tensor:
    """(batch, batch, batch): [i, j, k] is the cosine at row i of the angle between rows j and k."""
    towards = unit(rows[None] - rows[:, None], 2)
    return towards @ towards.transpose(1, 2)


def _neighbour_log_probs(rows: Tensor) -> Tensor:
    lengthless = unit(rows, 1)
    near = (lengthless @ lengthless.T + 1) / 2
    return (near / near.sum(dim=1, keepdim=True)).clamp_min(1e-30).log()  # rounding may take a cosine below -1
