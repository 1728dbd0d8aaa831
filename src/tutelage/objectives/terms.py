"""The public losses: each name makes an objective of one term, to be weighted with * and joined with +."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tutelage.core.errors import BadInput
from tutelage.objectives import losses
from tutelage.objectives.numerics import check_scale, softmax
from tutelage.objectives.objective import Objective, Term

if TYPE_CHECKING:
    from torch import Tensor


def hard_cross_entropy(*, smoothing: float = 0.0) -> Objective:
    """Match the labels: -log softmax(z)_y (see `losses.hard_cross_entropy`).

    Args:
        smoothing: s in [0, 1]: label smoothing, (1 - s) one-hot + s / classes.
    """
    if not 0 <= smoothing <= 1:
        raise BadInput(f"smoothing is {smoothing}; label smoothing takes a number from 0 to 1.")
    return _alone(Term("hard_cross_entropy", losses.hard_cross_entropy, ("student", "labels"), {"smoothing": smoothing}))


def soft_cross_entropy(*, temperature: float | Tensor = 1.0) -> Objective:
    """Match the teacher's probabilities at a temperature: -t^2 sum_c p_c log softmax(z / t)_c (see `losses.soft_cross_entropy`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
    """
    return _to_targets("soft_cross_entropy", losses.soft_cross_entropy, temperature)


def kl_divergence(*, temperature: float | Tensor = 1.0) -> Objective:
    """As `soft_cross_entropy`, less the teacher's entropy: the same gradient, and zero where the student is right.

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
    """
    return _to_targets("kl_divergence", losses.kl_divergence, temperature)


def _to_targets(name: str, loss: Callable[..., Tensor], temperature: float | Tensor) -> Objective:
    scale = check_scale(temperature)
    return _alone(Term(name, loss, ("student", "teacher"), {"temperature": scale}, prepare=partial(softmax, temperature=scale)))


def _alone(term: Term) -> Objective:
    return Objective((term,))
