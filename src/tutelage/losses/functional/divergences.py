"""Divergences that look from the student's side: reverse Kullback-Leibler and generalised Jensen-Shannon."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutelage.core.errors import BadInput
from tutelage.losses.functional.numerics import divergence, fitting, log_softmax, squared


def reverse_kl(student_logits: Tensor, teacher_log_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Divergence of the teacher from the student: t^2 sum_c q_c (log q_c - log p_c), q = softmax(z / t).

    It seeks a mode: a student too small to say all that the teacher says keeps to what the teacher finds likely,
    where `kl_divergence` would spread over everything.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_log_probs: the same shape, or without the axis of copies: log softmax(v / t) at this temperature.
        temperature: a number, or (copies, 1, 1).

    Returns:
        (..., batch), in nats; infinite where the teacher rules a class out.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Agarwal et al. 2024 (GKD), section 2, arXiv 2306.13649; t^2 as in Hinton, Vinyals, Dean 2015.
    """
    fitting(student_logits, teacher_log_probs, "teacher log-probabilities")
    return divergence(log_softmax(student_logits, temperature), teacher_log_probs) * squared(temperature)


def jensen_shannon(
    student_logits: Tensor, teacher_log_probs: Tensor, *, temperature: float | Tensor = 1.0, teacher_share: float = 0.5
) -> Tensor:
    """Generalised Jensen-Shannon divergence: t^2 (s KL(p || m) + (1 - s) KL(q || m)), m = s p + (1 - s) q.

    Bounded, and finite whatever the teacher rules out. Divided by s it nears `kl_divergence` as s goes to 0; divided
    by 1 - s, `reverse_kl` as s goes to 1.

    Args:
        student_logits: (..., batch, classes), unnormalised.
        teacher_log_probs: the same shape, or without the axis of copies: log softmax(v / t) at this temperature.
        temperature: a number, or (copies, 1, 1).
        teacher_share: s, between 0 and 1 and neither of them (beta in the paper).

    Returns:
        (..., batch), in nats.

    Raises:
        ShapeError: the two shapes differ. BadInput: a share that is not between 0 and 1.

    Source:
        Agarwal et al. 2024 (GKD), section 2, arXiv 2306.13649; t^2 as in Hinton, Vinyals, Dean 2015.
    """
    fitting(student_logits, teacher_log_probs, "teacher log-probabilities")
    share = check_share(teacher_share)
    log_q, log_p = log_softmax(student_logits, temperature), teacher_log_probs
    log_m = torch.logaddexp(log_p + math.log(share), log_q + math.log1p(-share))
    return (share * divergence(log_p, log_m) + (1 - share) * divergence(log_q, log_m)) * squared(temperature)


def check_share(share: float) -> float:
    """Return a share that leaves both sides in the mixture.

    Raises:
        BadInput: not between 0 and 1.
    """
    if not 0 < share < 1:
        raise BadInput(f"teacher_share is {share}; expected a number between 0 (then use kl_divergence) and 1 (then use reverse_kl).")
    return share
