"""The public losses for classification. Each function returns an objective of one term; weight with * and add with +.

The pure functions of tensors behind them have the same names in `tutelage.losses.functional`. Where only the most probable classes of
the teacher are known (`TopTargets`), the terms that compare probabilities take the rest as one more class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tutelage.core.arguments import flag, number
from tutelage.losses.functional import classification, correlation, decoupling, divergences, reweighted
from tutelage.losses.functional.numerics import check_scale, finite, log_softmax, softmax
from tutelage.losses.objective import HEAVIEST, Objective, Term
from tutelage.losses.schedules import Schedule
from tutelage.losses.targets import check_temperature

if TYPE_CHECKING:
    from torch import Tensor

    from tutelage.losses.top_targets import TopTargets


def hard_cross_entropy(*, smoothing: float = 0.0) -> Objective:
    """Cross-entropy against the ground truth: -log softmax(z)_y (see `losses.functional.hard_cross_entropy`).

    Args:
        smoothing: label smoothing s, from 0 to 1: the target is (1 - s) one-hot + s / classes.

    Returns:
        An objective of one term, which reads "student" and "labels".

    Raises:
        BadInput: smoothing that is not between 0 and 1.

    Source: label smoothing: Szegedy et al. 2016, arXiv 1512.00567.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), labels=torch.tensor([0, 1]))
        >>> print(tl.losses.hard_cross_entropy(smoothing=0.1)(batch).total.round(decimals=2))
        tensor([0.6200, 0.3700])
    """
    smoothing = number("smoothing", smoothing, least=0, most=1)
    return _single(Term("hard_cross_entropy", classification.hard_cross_entropy, ("student", "labels"), {"smoothing": smoothing}))


def soft_cross_entropy(*, temperature: float | Tensor | Schedule = 1.0) -> Objective:
    """Cross-entropy against the teacher's probabilities at a temperature: -t^2 sum_c p_c log softmax(z / t)_c.

    The pure function is `losses.functional.soft_cross_entropy`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Hinton et al. 2015, arXiv 1503.02531.

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
    return _single(Term("soft_cross_entropy", loss, ("student", "teacher"), {"temperature": scale}, prepare=prepare, reduces=True))


def kl_divergence(*, temperature: float | Tensor | Schedule = 1.0) -> Objective:
    """`soft_cross_entropy` minus the teacher's entropy: the same gradient, and zero where the student agrees with the teacher.

    The pure function is `losses.functional.kl_divergence`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Hinton et al. 2015, arXiv 1503.02531.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[2.0, 0.0, -2.0], [0.0, 4.0, 0.0]])
        >>> batch = tl.losses.Signals(teacher + 3.0, teacher_answers=teacher)  # the same probabilities
        >>> print(tl.losses.kl_divergence(temperature=4.0)(batch).total.abs().round(decimals=3))
        tensor([0., 0.])
    """
    return _of_probabilities("kl_divergence", divergences.kl_divergence, temperature, reduces=True)


def reverse_kl(*, temperature: float | Tensor | Schedule = 1.0) -> Objective:
    """Kullback-Leibler divergence of the teacher from the student: t^2 sum_c q_c (log q_c - log p_c).

    It keeps the student to classes that the teacher finds likely. A teacher that gives a class probability zero is refused when the
    loss is computed. The pure function is `losses.functional.reverse_kl`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Agarwal et al. 2024 (GKD), arXiv 2306.13649.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 2.0, -5.0]]))
        >>> print(tl.losses.reverse_kl()(batch).total.round(decimals=2))
        tensor([1.2000])
    """
    scale = check_scale(temperature)
    prepare = partial(_finite_log_probs, scale)
    return _single(
        Term("reverse_kl", divergences.reverse_kl, ("student", "teacher"), {"temperature": scale}, prepare=prepare, reduces=True)
    )


def jensen_shannon(*, temperature: float | Tensor | Schedule = 1.0, teacher_share: float = 0.5) -> Objective:
    """Generalised Jensen-Shannon divergence, between `kl_divergence` and `reverse_kl` (see `losses.functional.jensen_shannon`).

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.
        teacher_share: the share of the teacher in the mixture with which both are compared, between 0 and 1.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero, or a share that is not between 0 and 1.

    Source: Agarwal et al. 2024 (GKD), arXiv 2306.13649.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 2.0, -torch.inf]]))
        >>> print(tl.losses.jensen_shannon(teacher_share=0.5)(batch).total.round(decimals=2))
        tensor([0.1000])
    """
    settings = {"temperature": check_scale(temperature), "teacher_share": divergences.check_share(teacher_share)}
    prepare = partial(log_softmax, temperature=settings["temperature"])
    return _single(Term("jensen_shannon", divergences.jensen_shannon, ("student", "teacher"), settings, prepare=prepare, reduces=True))


def logit_matching(*, centred: bool = False) -> Objective:
    """Half the squared distance between the logits: 1/2 sum_c (z_c - v_c)^2 (see `losses.functional.logit_matching`).

    Args:
        centred: subtract the mean of each row first; for a teacher of which only the probabilities are known, whose logits are
            defined up to one constant per row.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Source: Ba, Caruana 2014, arXiv 1312.6184.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 0.0, -2.0]]))
        >>> print(tl.losses.logit_matching()(batch).total)
        tensor([2.5000])
    """
    prepare = partial(finite, term="logit_matching")
    return _single(
        Term(
            "logit_matching",
            classification.logit_matching,
            ("student", "teacher"),
            {"centred": flag("centred", centred)},
            prepare=prepare,
            tasks=("binary", "multiclass", "multilabel"),
        )
    )


def decoupled(*, temperature: float | Tensor | Schedule = 4.0, target_weight: float = 1.0, other_weight: float = 8.0) -> Objective:
    """Decoupled distillation (DKD): separate weights for the true class against the rest, and for the other classes.

    The pure function is `losses.functional.decoupled`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.
        target_weight: the weight of the divergence of (true class, all others).
        other_weight: the weight of the divergence among the other classes.

    Returns:
        An objective of one term, which reads "student", "teacher" and "labels".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Zhao et al. 2022 (DKD), arXiv 2203.08679.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[4.0, 2.0, 0.0]]), labels=torch.tensor([0])
        ... )
        >>> print(tl.losses.decoupled(temperature=4.0)(batch).total.round(decimals=2))
        tensor([4.3200])
    """
    weights = _checked_weights(target_weight=target_weight, other_weight=other_weight)
    settings = {"temperature": check_scale(temperature), **weights}
    return _single(Term("decoupled", decoupling.decoupled, ("student", "teacher", "labels"), settings, least_columns=3, reduces=True))


def dist(*, temperature: float | Tensor | Schedule = 1.0, inter_weight: float = 1.0, intra_weight: float = 1.0) -> Objective:
    """Match the teacher's correlations, of classes within a row and of rows within a class (DIST; see `losses.functional.dist`).

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.
        inter_weight: the weight of the correlation of the classes within a row.
        intra_weight: the weight of the correlation of the rows of the batch within a class.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Huang et al. 2022 (DIST), arXiv 2205.10536.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> probabilities = torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2]])
        >>> less_confident = 0.5 * probabilities + 0.5 / 3
        >>> batch = tl.losses.Signals(less_confident.log(), teacher_answers=probabilities.log())
        >>> print(tl.losses.dist()(batch).total.abs().round(decimals=4))
        tensor([0., 0.])
    """
    settings = _checked_weights(inter_weight=inter_weight, intra_weight=intra_weight)
    return _of_probabilities("dist", correlation.dist, temperature, settings, least_columns=3, relates_rows=True)


def standardised_divergence(*, temperature: float | Tensor | Schedule = 2.0) -> Objective:
    """`kl_divergence` of logits standardised to mean 0 and standard deviation 1 in each row.

    The pure function is `losses.functional.standardised_divergence`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.

    Returns:
        An objective of one term, which reads "student" and "teacher".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Sun et al. 2024, arXiv 2403.01427.

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
    return _single(Term("standardised_divergence", loss, ("student", "teacher"), {"temperature": scale}, prepare=prepare, least_columns=3))


def weighted_soft_labels(*, temperature: float | Tensor | Schedule = 2.0) -> Objective:
    """`soft_cross_entropy` with smaller weights for rows where the student is closer to the ground truth than the teacher.

    The pure function is `losses.functional.weighted_soft_labels`.

    Args:
        temperature: above zero; a `Schedule`, or a (copies, 1, 1) tensor for one per copy of a stack.

    Returns:
        An objective of one term, which reads "student", "teacher" and "labels".

    Raises:
        BadInput: a temperature that is not above zero.

    Source: Zhou et al. 2021, arXiv 2102.00650.

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
    reads = ("student", "teacher", "labels")
    return _single(Term("weighted_soft_labels", reweighted.weighted_soft_labels, reads, settings, of_top=_weighted_of_top))


def virtual_teacher(*, temperature: float = 20.0, correct: float = 0.99) -> Objective:
    """Match a virtual teacher, defined by the ground truth and not trained (Tf-KD; see `losses.functional.virtual_teacher`).

    Args:
        temperature: the temperature of the virtual teacher, a number above zero.
        correct: its probability of the true class before that temperature, between 0 and 1.

    Returns:
        An objective of one term, which reads "student" and "labels".

    Raises:
        BadInput: a temperature that is not above zero, or a probability that is not between 0 and 1.

    Source: Yuan et al. 2020 (Tf-KD), arXiv 1909.11723.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = tl.losses.hard_cross_entropy() + 0.5 * tl.losses.virtual_teacher()
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0, 0.0]]), labels=torch.tensor([0]))  # no teacher
        >>> print(objective(batch).total.round(decimals=2))
        tensor([0.6100])
    """
    correct = number("correct", correct, above=0, below=1, hint="(a probability)")
    settings = {"temperature": check_temperature(temperature), "correct": correct}
    return _single(Term("virtual_teacher", reweighted.virtual_teacher, ("student", "labels"), settings))


def _checked_weights(**weights: float) -> dict[str, float]:
    """The weights of the parts of a loss, as numbers of 0 or more."""
    return {name: number(name, weight, least=0, most=HEAVIEST) for name, weight in weights.items()}


def _of_probabilities(
    name: str,
    loss: Callable[..., Tensor],
    temperature: float | Tensor | Schedule,
    settings: dict[str, float] | None = None,
    *,
    least_columns: int = 1,
    relates_rows: bool = False,
    reduces: bool = False,
) -> Objective:
    """An objective of a loss that reads the teacher's probabilities at its temperature."""
    scale = check_scale(temperature)
    all_settings = {"temperature": scale, **(settings or {})}
    prepare = partial(softmax, temperature=scale)
    term = Term(name, loss, ("student", "teacher"), all_settings, prepare=prepare, least_columns=least_columns)
    return _single(replace(term, relates_rows=relates_rows, reduces=reduces))


def _scaled_targets(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return softmax(teacher_logits, temperature) * -(temperature**2)


def _finite_log_probs(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return log_softmax(finite(teacher_logits, "reverse_kl"), temperature)


def _standardised_probs(temperature: float | Tensor, teacher_logits: Tensor) -> Tensor:
    return softmax(correlation.standardise(finite(teacher_logits, "standardised_divergence")), temperature)


def _weighted_of_top(student_logits: Tensor, top: TopTargets, labels: Tensor, *, temperature: float | Tensor) -> Tensor:
    """`weighted_soft_labels` of the most probable classes: a true class that is not named has an equal part of the rest."""
    whole, place = top.with_truth(labels)
    teacher_losses = -whole.log_probs.gather(-1, place[:, None])[:, 0]
    student, teacher = top.of_student(student_logits, temperature), top.logits(temperature)
    soft = classification.soft_cross_entropy(student, softmax(teacher, temperature), temperature=temperature)
    return reweighted.row_weights(student_logits, teacher_losses, labels) * soft


def _single(term: Term) -> Objective:
    return Objective((term,))
