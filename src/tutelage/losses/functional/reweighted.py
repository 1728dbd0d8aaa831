"""Soft labels that are weighed row by row, or made without a teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.losses.functional.classification import hard_cross_entropy, kl_divergence, soft_cross_entropy
from tutelage.losses.functional.numerics import fitting, softmax


def weighted_soft_labels(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float | Tensor = 2.0) -> Tensor:
    """w_i times the soft cross-entropy, w_i = 1 - exp(-CE(student_i, y_i) / CE(teacher_i, y_i)), without gradient of its own.

    A row that the student knows better than the teacher (a small ratio) is left to the labels.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_logits: the same shape, or without the axis of copies; -inf is a class that cannot be, and where that is the
            label the weight is 0.
        labels: (batch,) integers.
        temperature: a number, or (copies, 1, 1); of the soft cross-entropy, the weights are taken at 1.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: shapes differ.

    Source:
        Zhou et al. 2021, arXiv 2102.00650; 1e-7 beside the teacher's loss, as in the authors' code.
    """
    fitting(student_logits, teacher_logits, "teacher logits")
    ratio = hard_cross_entropy(student_logits.detach(), labels) / (hard_cross_entropy(teacher_logits, labels) + 1e-7)
    soft = soft_cross_entropy(student_logits, softmax(teacher_logits, temperature), temperature=temperature)
    weight: Tensor = -torch.expm1(-ratio)
    return weight * soft


def virtual_teacher(student_logits: Tensor, labels: Tensor, *, temperature: float = 20.0, correct: float = 0.99) -> Tensor:
    """Divergence of the student at temperature 1 from a teacher that is made, not trained: softmax(u / t).

    u is `correct` for the label and (1 - correct) / (classes - 1) for every other class.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        labels: (batch,) integers.
        temperature: softens u; the authors' code divides neither the student by it nor multiplies by t^2, though the paper
            equation softens both. This is the code, which gave their figures.
        correct: what the made teacher gives to the label.

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: not one label a row.

    Source:
        Yuan et al. 2020 (Tf-KD_reg), arXiv 1909.11723. Their other form, Tf-KD_self, is soft_cross_entropy with
        a trained copy of the student as teacher.
    """
    classes = student_logits.shape[-1]
    one_hot = torch.nn.functional.one_hot(labels, classes).to(student_logits.dtype)
    made = one_hot * correct + (1 - one_hot) * ((1 - correct) / (classes - 1))
    return kl_divergence(student_logits, softmax(made, temperature))
