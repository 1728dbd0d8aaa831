"""Relational losses: they compare the relations between the rows of a batch, so that layers of any two widths can be matched.

The loss of row i is the difference in its relations to the rest of the batch. The mean over the batch is the published loss
(unless stated otherwise), and the value of a row depends on its batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.features import check_same_rows
from tutelage.losses.functional.numerics import divergence, normalise, upcast, with_unit_peak


def relational_distance(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Huber loss between pairwise distances: mean_j huber(d_s(i, j) - d_t(i, j)).

    d is the Euclidean distance, divided by the mean of the nonzero distances in the batch.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). If all rows are equal, d = 0.

    Raises:
        ShapeError: different numbers of rows.

    Source:
        Park et al. 2019 (RKD-D), arXiv 1904.05068; the mean over all pairs, including a row with itself, as in the authors' code.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
        >>> print(tl.losses.functional.relational_distance(teacher[:, :1], teacher).abs().round(decimals=3))  # equal up to scale
        tensor([0., 0., 0.])
        >>> print(tl.losses.functional.relational_distance(teacher.square(), teacher).round(decimals=3))
        tensor([0.0230, 0.0470, 0.0230])
    """
    student, teacher = _flattened(student_hidden, teacher_hidden)
    return _huber(_distances(student), _distances(teacher)).mean(dim=1)


def relational_angle(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Huber loss between angles: mean_jk huber(cos_s(j, i, k) - cos_t(j, i, k)), the angle at row i between rows j and k.

    It needs memory for tensors of batch^2 x units and of batch^3 numbers: 134 MB for each of the latter at a batch of 320.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). The cosine is 0 if row j or k equals row i.

    Raises:
        ShapeError: different numbers of rows.

    Source:
        Park et al. 2019 (RKD-A), arXiv 1904.05068.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> rotated = teacher.flip(1) * 5
        >>> print(tl.losses.functional.relational_angle(rotated, teacher).abs().round(decimals=3))
        tensor([0., 0., 0.])
        >>> print(tl.losses.functional.relational_angle(teacher * torch.tensor([1.0, 3.0]), teacher).round(decimals=3))
        tensor([0.0000, 0.0170, 0.0060])
    """
    student, teacher = _flattened(student_hidden, teacher_hidden)
    return _huber(_cosines_at(student), _cosines_at(teacher)).mean(dim=(1, 2))


def similarity_preserving(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Squared difference of similarities: mean_j (g_s(i, j) - g_t(i, j))^2, g the rows of F F' divided by their norms.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,). For a row of zeros, g = 0.

    Raises:
        ShapeError: different numbers of rows.

    Source:
        Tung, Mori 2019, arXiv 1907.09682.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> print(tl.losses.functional.similarity_preserving(2 * teacher, teacher).round(decimals=3))
        tensor([0., 0., 0.])
        >>> print(tl.losses.functional.similarity_preserving(teacher[:, :1], teacher).round(decimals=3))
        tensor([0.0000, 0.3330, 0.0000])
    """
    student, teacher = (with_unit_peak(rows[None])[0] for rows in _flattened(student_hidden, teacher_hidden))
    difference = normalise(student @ student.T, 1) - normalise(teacher @ teacher.T, 1)
    return difference.square().mean(dim=1)


def probabilistic_transfer(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Divergence of neighbourhood probabilities: KL(p_i || q_i), p(j | i) proportional to (1 + cos(i, j)) / 2.

    p is computed from the teacher's layer, q in the same way from the student's.

    Args:
        student_hidden: (batch, ...), flattened to (batch, units).
        teacher_hidden: (batch, ...), of any width.

    Returns:
        (batch,), in nats. The authors' code divides the mean over the batch by the batch size once more. A row of zeros has
        cosine 0 with every row. A row that is opposite in the teacher's layer (p = 0) contributes nothing.

    Raises:
        ShapeError: different numbers of rows.

    Source:
        Passalis, Tefas 2018 (PKT), arXiv 1803.10837; a row is a neighbour of itself, as in the authors' code.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> print(tl.losses.functional.probabilistic_transfer(3 * teacher, teacher).abs().round(decimals=4))
        tensor([0., 0., 0.])
        >>> print(tl.losses.functional.probabilistic_transfer(teacher[:, :1], teacher).round(decimals=4))
        tensor([0.0029, 0.0380, 0.0391])
    """
    student, teacher = _flattened(student_hidden, teacher_hidden)
    return divergence(_neighbour_log_probs(teacher), _neighbour_log_probs(student))


def _flattened(student_hidden: Tensor, teacher_hidden: Tensor) -> tuple[Tensor, Tensor]:
    check_same_rows(student_hidden, teacher_hidden)
    return upcast(student_hidden).flatten(1), upcast(teacher_hidden).flatten(1)


def _huber(student: Tensor, teacher: Tensor) -> Tensor:
    each: Tensor = torch.nn.functional.smooth_l1_loss(student, teacher, reduction="none")
    return each


def _distances(rows: Tensor) -> Tensor:
    """(batch, batch) scaled distances, computed from differences: with matrix products, small distances are lost to rounding."""
    distances: Tensor = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    nonzero = (distances > 0).sum().clamp_min(1)
    return distances / (distances.sum() / nonzero).clamp_min(1e-30)


def _cosines_at(rows: Tensor) -> Tensor:
    """(batch, batch, batch): [i, j, k] is the cosine at row i of the angle between rows j and k."""
    directions = normalise(rows[None] - rows[:, None], 2)
    return directions @ directions.transpose(1, 2)


def _neighbour_log_probs(rows: Tensor) -> Tensor:
    directions = normalise(rows, 1)
    similarity = (directions @ directions.T + 1) / 2
    return (similarity / similarity.sum(dim=1, keepdim=True)).clamp_min(1e-30).log()  # rounding can make a cosine less than -1
