"""Soft labels with a weight per row, and soft labels without a teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.classification import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.functional.divergences import kl_divergence
from tutelage.losses.functional.numerics import check_shapes, softmax, upcast


def weighted_soft_labels(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float | Tensor = 2.0) -> Tensor:
    """Soft cross-entropy times a weight per row: w_i = 1 - exp(-CE(student_i, y_i) / CE(teacher_i, y_i)).

    A row on which the student is better than the teacher (a small ratio) has a small weight. Weights carry no gradient.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_logits: the same shape, or without the copies axis; -inf marks an impossible class, and if that is the true
            class, the weight is 0.
        labels: (batch,) ground truth y, integers.
        temperature: a number, or (copies, 1, 1), of the soft cross-entropy; the weights are computed at temperature 1.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ.

    Source:
        Zhou et al. 2021, arXiv 2102.00650; 1e-7 is added to the teacher's loss, as in the authors' code.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, y = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0])
        >>> teacher = torch.tensor([[4.0, 0.0], [-4.0, 0.0]])  # right on the first row, wrong on the second
        >>> print(tl.losses.functional.weighted_soft_labels(student, teacher, y, temperature=2.0).round(decimals=2))
        tensor([2.1300, 0.2700])
    """
    check_shapes(student_logits, teacher_logits, "teacher logits")
    soft = soft_cross_entropy(student_logits, softmax(teacher_logits, temperature), temperature=temperature)
    return row_weights(student_logits, hard_cross_entropy(teacher_logits, labels), labels) * soft


def row_weights(student_logits: Tensor, teacher_losses: Tensor, labels: Tensor) -> Tensor:
    """The weights of `weighted_soft_labels`, without gradient.

    Args:
        student_logits: (..., batch, classes).
        teacher_losses: (..., batch) the teacher's cross-entropy against the ground truth.
        labels: (batch,) ground truth, integers.
    """
    weight: Tensor = -torch.expm1(-hard_cross_entropy(student_logits.detach(), labels) / (teacher_losses + 1e-7))
    return weight


def virtual_teacher(student_logits: Tensor, labels: Tensor, *, temperature: float = 20.0, correct: float = 0.99) -> Tensor:
    """Divergence of the student at temperature 1 from a virtual teacher, softmax(u / t), which is not trained.

    u is `correct` for the true class and (1 - correct) / (classes - 1) for every other class.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        labels: (batch,) ground truth y, integers.
        temperature: softens u. The paper's equation also divides the student's logits by it; the authors' code, which
            produced their results, does not, and does not multiply by t^2. In both respects the code is followed here.
        correct: value of u for the true class.

    Returns:
        (..., batch), in nats. The authors' code also divides by the number of classes, because it averages over all
        elements, and multiplies by a constant: for their weights, divide those used here by the number of classes.

    Raises:
        ShapeError: not one label per row.

    Source:
        Yuan et al. 2020 (Tf-KD_reg), arXiv 1909.11723. Their other variant, Tf-KD_self, is soft_cross_entropy with
        a trained copy of the student as teacher.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, y = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 0])
        >>> print(tl.losses.functional.virtual_teacher(student, y).round(decimals=3))
        tensor([0.1090, 0.4860])
    """
    student_logits, classes = upcast(student_logits), student_logits.shape[-1]
    if classes < 2:
        raise ShapeError(f"virtual_teacher is undefined for {classes} class; expected two or more.")
    one_hot = torch.nn.functional.one_hot(labels, classes).to(student_logits.dtype)
    virtual = one_hot * correct + (1 - one_hot) * ((1 - correct) / (classes - 1))
    return kl_divergence(student_logits, softmax(virtual, temperature))
