"""The public losses of classes: each name makes an objective of one term, to be weighted with * and joined with +.

The pure functions of tensors that they stand for have the same names in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tutelage.core.errors import BadInput
from tutelage.losses.functional import classification, correlation, decoupling, divergences, reweighted
from tutelage.losses.functional.numerics import check_scale, finite, log_softmax, softmax
from tutelage.losses.objective import Objective, Term
from tutelage.losses.targets import check_temperature

if TYPE_CHECKING:
    from torch import Tensor


def hard_cross_entropy(*, smoothing: float = 0.0) -> Objective:
    """Match the labels: -log softmax(z)_y (see `classification.hard_cross_entropy`).

    Args:
        smoothing: s in [0, 1]: label smoothing, (1 - s) one-hot + s / classes.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), labels=torch.tensor([0, 1]))
        >>> print(tl.losses.hard_cross_entropy(smoothing=0.1)(batch).total.round(decimals=2))
        tensor([0.6200, 0.3700])
    """
    if not 0 <= smoothing <= 1:
        raise BadInput(f"smoothing is {smoothing}; label smoothing takes a number from 0 to 1.")
    return _alone(Term("hard_cross_entropy", classification.hard_cross_entropy, ("student", "labels"), {"smoothing": smoothing}))


def soft_cross_entropy(*, temperature: float | Tensor = 1.0) -> Objective:
    """Match the teacher's probabilities at a temperature: -t^2 sum_c p_c log softmax(z / t)_c (see `classification.soft_cross_entropy`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = 0.9 * tl.losses.soft_cross_entropy(temperature=4.0) + 0.1 * tl.losses.hard_cross_entropy()
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 0.0, -2.0]]), labels=torch.tensor([0])
        ... )
        >>> total, terms = objective(batch)
        >>> {name: round(float(loss), 2) for name, loss in terms.items()}
        {'soft_cross_entropy': 15.3, 'hard_cross_entropy': 0.06}
    """
    scale = check_scale(temperature)
    prepare = partial(_scaled_targets, scale)
    loss = classification.to_scaled_targets
    return _alone(Term("soft_cross_entropy", loss, ("student", "teacher"), {"temperature": scale}, prepare=prepare))


def kl_divergence(*, temperature: float | Tensor = 1.0) -> Objective:
    """As `soft_cross_entropy`, less the teacher's entropy: the same gradient, and zero where the student is right.

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[2.0, 0.0, -2.0], [0.0, 4.0, 0.0]])
        >>> batch = tl.losses.Signals(teacher + 3.0, teacher_answers=teacher)  # the same probabilities
        >>> print(tl.losses.kl_divergence(temperature=4.0)(batch).total.abs().round(decimals=3))
        tensor([0., 0.])
    """
    return _to_probabilities("kl_divergence", classification.kl_divergence, temperature)


def reverse_kl(*, temperature: float | Tensor = 1.0) -> Objective:
    """Keep to what the teacher finds likely: t^2 sum_c q_c (log q_c - log p_c) (see `divergences.reverse_kl`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy. A teacher that rules a class out is refused.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 2.0, -5.0]]))
        >>> print(tl.losses.reverse_kl()(batch).total.round(decimals=2))
        tensor([1.2000])
    """
    scale = check_scale(temperature)

    return _alone(
        Term(
            "reverse_kl", divergences.reverse_kl, ("student", "teacher"), {"temperature": scale}, prepare=partial(_finite_log_probs, scale)
        )
    )


def jensen_shannon(*, temperature: float | Tensor = 1.0, teacher_share: float = 0.5) -> Objective:
    """Between `kl_divergence` and `reverse_kl`: the generalised Jensen-Shannon divergence (see `divergences.jensen_shannon`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
        teacher_share: of the mixture with which both are compared, between 0 and 1.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 2.0, -torch.inf]]))
        >>> print(tl.losses.jensen_shannon(teacher_share=0.5)(batch).total.round(decimals=2))
        tensor([0.1000])
    """
    settings = {"temperature": check_scale(temperature), "teacher_share": divergences.check_share(teacher_share)}
    prepare = partial(log_softmax, temperature=settings["temperature"])
    return _alone(Term("jensen_shannon", divergences.jensen_shannon, ("student", "teacher"), settings, prepare=prepare))


def logit_matching(*, centred: bool = False) -> Objective:
    """Match the teacher's logits: 1/2 sum_c (z_c - v_c)^2 (see `classification.logit_matching`).

    Args:
        centred: up to one constant a row, for a teacher whose probabilities are all that is known.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 0.0, -2.0]]))
        >>> print(tl.losses.logit_matching()(batch).total)
        tensor([2.5000])
    """
    prepare = partial(finite, term="logit_matching")
    return _alone(
        Term(
            "logit_matching",
            classification.logit_matching,
            ("student", "teacher"),
            {"centred": centred},
            prepare=prepare,
            tasks=("binary", "multiclass", "multilabel"),
        )
    )


def decoupled(*, temperature: float | Tensor = 4.0, target_weight: float = 1.0, other_weight: float = 8.0) -> Objective:
    """Weigh how sure the teacher is of the label, and how it shares the rest, apart (DKD; see `decoupled.decoupled`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
        target_weight: of the label against all others.
        other_weight: of the others among themselves.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[4.0, 2.0, 0.0]]), labels=torch.tensor([0])
        ... )
        >>> print(tl.losses.decoupled(temperature=4.0)(batch).total.round(decimals=2))
        tensor([4.3200])
    """
    settings = {"temperature": check_scale(temperature), "target_weight": target_weight, "other_weight": other_weight}
    return _alone(Term("decoupled", decoupling.decoupled, ("student", "teacher", "labels"), settings, least_columns=3))


def dist(*, temperature: float | Tensor = 1.0, inter_weight: float = 1.0, intra_weight: float = 1.0) -> Objective:
    """Match the teacher's correlations: of classes within a row, of rows within a class (see `correlation.dist`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.
        inter_weight: of the classes within a row.
        intra_weight: of the rows of the batch within a class.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> probabilities = torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2]])
        >>> less_confident = 0.5 * probabilities + 0.5 / 3
        >>> batch = tl.losses.Signals(less_confident.log(), teacher_answers=probabilities.log())
        >>> print(tl.losses.dist()(batch).total.abs().round(decimals=4))
        tensor([0., 0.])
    """
    settings = {"inter_weight": inter_weight, "intra_weight": intra_weight}
    return _to_probabilities("dist", correlation.dist, temperature, settings, least_columns=3)


def standardised_divergence(*, temperature: float | Tensor = 2.0) -> Objective:
    """`kl_divergence` of logits that have mean 0 and deviation 1 in each row (see `correlation.standardised_divergence`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[10.0, 20.0, 0.0], [5.0, 0.0, 0.0]])
        >>> batch = tl.losses.Signals(teacher / 100, teacher_answers=teacher)
        >>> print(tl.losses.standardised_divergence(temperature=2.0)(batch).total.abs().round(decimals=4))
        tensor([0., 0.])
    """
    scale = check_scale(temperature)
    loss, prepare = correlation.standardised_divergence, partial(_standardised_probs, scale)
    return _alone(Term("standardised_divergence", loss, ("student", "teacher"), {"temperature": scale}, prepare=prepare, least_columns=3))


def weighted_soft_labels(*, temperature: float | Tensor = 2.0) -> Objective:
    """`soft_cross_entropy`, less for rows that the student knows better than the teacher (see `reweighted.weighted_soft_labels`).

    Args:
        temperature: above zero; (copies, 1, 1) for one a copy.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[1.0, 0.0], [1.0, 0.0]]), teacher_answers=torch.tensor([[4.0, 0.0], [-4.0, 0.0]]), labels=torch.tensor([0, 0])
        ... )
        >>> print(tl.losses.weighted_soft_labels(temperature=2.0)(batch).total.round(decimals=2))  # the teacher is wrong on the second row
        tensor([2.1300, 0.2700])
    """
    settings = {"temperature": check_scale(temperature)}
    return _alone(Term("weighted_soft_labels", reweighted.weighted_soft_labels, ("student", "teacher", "labels"), settings))


def virtual_teacher(*, temperature: float = 20.0, correct: float = 0.99) -> Objective:
    """Match a teacher that is made from the label, not trained (teacher-free; see `reweighted.virtual_teacher`).

    Args:
        temperature: softens it; a number above zero.
        correct: what it gives to the label before that.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = tl.losses.hard_cross_entropy() + 0.5 * tl.losses.virtual_teacher()
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), labels=torch.tensor([0]))  # no teacher
        >>> print(objective(batch).total.round(decimals=2))
        tensor([0.6100])
    """
    if not 0 < correct < 1:
        raise BadInput(f"correct is {correct}; expected a probability between 0 and 1.")
    settings = {"temperature": check_temperature(temperature), "correct": correct}
    return _alone(Term("virtual_teacher", reweighted.virtual_teacher, ("student", "labels"), settings))


def _to_probabilities(
    name: str,
    loss: Callable[..., Tensor],
    temperature: float | Tensor,
    settings: dict[str, float] | None = None,
    *,
    least_columns: int = 1,
) -> Objective:
    """Of a loss that reads the teacher's probabilities at its temperature."""
    scale = check_scale(temperature)
    chosen = {"temperature": scale, **(settings or {})}
    prepare = partial(softmax, temperature=scale)
    return _alone(Term(name, loss, ("student", "teacher"), chosen, prepare=prepare, least_columns=least_columns))


def _scaled_targets(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return softmax(teacher_logits, temperature) * -(temperature**2)


def _finite_log_probs(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return log_softmax(finite(teacher_logits, "reverse_kl"), temperature)


def _standardised_probs(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return softmax(correlation.standardise(finite(teacher_logits, "standardised_divergence")), temperature)


def _alone(term: Term) -> Objective:
    return Objective((term,))
