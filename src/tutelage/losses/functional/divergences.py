"""Reverse Kullback-Leibler divergence and generalised Jensen-Shannon divergence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutelage.core.arguments import number
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.losses.functional.numerics import check_shapes, divergence, log_softmax, squared, upcast


def kl_divergence(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Kullback-Leibler divergence of the student from soft targets: t^2 sum_c p_c (log p_c - log softmax(z / t)_c).

    It equals `soft_cross_entropy` minus the entropy of the targets: it has the same gradient, and is zero if the student
    matches the targets.

    Args:
        student_logits: (..., batch, classes), unnormalised, any float dtype.
        target_probs: the same shape, or without the copies axis: the teacher's probabilities at this temperature. A class
            with p = 0 contributes nothing.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), torch.tensor([[2.0, 0.0, -2.0], [0.0, 4.0, 0.0]])
        >>> targets = torch.softmax(teacher / 4, dim=1)
        >>> print(tl.losses.functional.kl_divergence(student, targets, temperature=4.0).round(decimals=2).abs())
        tensor([0.6800, 0.0000])
    """
    entropy: Tensor = torch.special.entr(upcast(target_probs)).sum(dim=-1)
    return soft_cross_entropy(student_logits, target_probs, temperature=temperature) - entropy * squared(temperature)


def reverse_kl(student_logits: Tensor, teacher_log_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Kullback-Leibler divergence of the teacher from the student: t^2 sum_c q_c (log q_c - log p_c), q = softmax(z / t).

    It is mode-seeking: a student with too little capacity for the teacher's whole distribution concentrates on classes that
    the teacher considers likely, whereas `kl_divergence` makes it cover all of them.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_log_probs: the same shape, or without the copies axis: log softmax(v / t) at this temperature.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats; infinite if the teacher gives a class probability zero.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Agarwal et al. 2024 (GKD), section 2, arXiv 2306.13649; t^2 as in Hinton, Vinyals, Dean 2015.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([[2.0, 2.0, -5.0], [0.0, 0.0, 0.0]])
        >>> print(tl.losses.functional.reverse_kl(student, torch.log_softmax(teacher, dim=1)).round(decimals=2).abs())
        tensor([1.2000, 0.0000])
    """
    check_shapes(student_logits, teacher_log_probs, "teacher log-probabilities")
    return divergence(log_softmax(student_logits, temperature), teacher_log_probs) * squared(temperature)


def jensen_shannon(
    student_logits: Tensor, teacher_log_probs: Tensor, *, temperature: float | Tensor = 1.0, teacher_share: float = 0.5
) -> Tensor:
    """Generalised Jensen-Shannon divergence: t^2 (s KL(p || m) + (1 - s) KL(q || m)), m = s p + (1 - s) q.

    It is bounded, and finite even if the teacher gives a class probability zero. Divided by s, it approaches `kl_divergence` as
    s approaches 0; divided by 1 - s, it approaches `reverse_kl` as s approaches 1.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_log_probs: the same shape, or without the copies axis: log softmax(v / t) at this temperature.
        temperature: a number, or (copies, 1, 1).
        teacher_share: s, the teacher's weight in the mixture, strictly between 0 and 1 (beta in the paper).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ.
        BadInput: a share that is not strictly between 0 and 1.

    Source:
        Agarwal et al. 2024 (GKD), section 2, arXiv 2306.13649; t^2 as in Hinton, Vinyals, Dean 2015.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> student, teacher = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[2.0, 2.0, -torch.inf]])
        >>> print(tl.losses.functional.jensen_shannon(student, torch.log_softmax(teacher, dim=1)).round(decimals=2))
        tensor([0.1000])
    """
    check_shapes(student_logits, teacher_log_probs, "teacher log-probabilities")
    share = check_share(teacher_share)
    log_q, log_p = log_softmax(student_logits, temperature), teacher_log_probs
    log_m = torch.logaddexp(log_p + math.log(share), log_q + math.log1p(-share))
    return (share * divergence(log_p, log_m) + (1 - share) * divergence(log_q, log_m)) * squared(temperature)


def check_share(share: float) -> float:
    """Return a teacher share after checking that it is strictly between 0 and 1.

    Raises:
        BadInput: it is not.
    """
    return number("teacher_share", share, above=0, below=1, hint="(for 0 use kl_divergence, for 1 reverse_kl)")
