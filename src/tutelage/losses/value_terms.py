"""The public losses for multilabel students and for regression, as objectives of one term (see `objective.py`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from tutelage.core.arguments import choice, number
from tutelage.core.errors import BadInput
from tutelage.losses.functional import bernoulli, features, regression
from tutelage.losses.functional.numerics import check_scale, upcast
from tutelage.losses.objective import Objective, Term
from tutelage.losses.schedules import Schedule

if TYPE_CHECKING:
    from torch import nn

    from tutelage.losses.signals import Signals

Against = Literal["teacher", "labels"]


def soft_bernoulli(*, temperature: float | Tensor | Schedule = 1.0) -> Objective:
    """Match the teacher label by label: binary cross-entropy at a temperature, times t^2 (see `functional.soft_bernoulli`).

    Args:
        temperature: above zero; a `Schedule`, or (copies, 1, 1) for one per copy of a stack.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = 0.8 * tl.losses.soft_bernoulli(temperature=2.0) + 0.2 * tl.losses.hard_bernoulli()
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[2.0, -1.0]]), teacher_answers=torch.tensor([[3.0, -2.0]]), labels=torch.tensor([[1, 0]])
        ... )
        >>> print(objective(batch).total.round(decimals=2))
        tensor([3.6200])
    """
    settings = {"temperature": check_scale(temperature)}
    return Objective((Term("soft_bernoulli", bernoulli.soft_bernoulli, ("student", "teacher"), settings, tasks=("multilabel",)),))


def hard_bernoulli() -> Objective:
    """Match the ground truth of independent labels: binary cross-entropy, summed over labels (see `functional.hard_bernoulli`).

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[2.0, -1.0], [0.0, 0.0]]), labels=torch.tensor([[1, 0], [1, 1]]))
        >>> print(tl.losses.hard_bernoulli()(batch).total.round(decimals=2))
        tensor([0.4400, 1.3900])
    """
    return Objective((Term("hard_bernoulli", bernoulli.hard_bernoulli, ("student", "labels"), tasks=("multilabel",)),))


def squared_error(*, against: Against = "teacher") -> Objective:
    """Match values: squared error summed over outputs, sum_o (s_o - y_o)^2 (see `functional.squared_error`).

    Args:
        against: the target: "teacher" for the teacher's values, "labels" for the ground truth.

    Raises:
        BadInput: another target.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = 0.5 * tl.losses.squared_error() + 0.5 * tl.losses.squared_error(against="labels")
        >>> batch = tl.losses.Signals(torch.tensor([[1.0]]), teacher_answers=torch.tensor([[2.0]]), labels=torch.tensor([3.0]))
        >>> print(objective(batch).total)
        tensor([2.5000])
    """
    return _of_values("squared_error", regression.squared_error, against)


def huber(*, delta: float = 1.0, against: Against = "teacher") -> Objective:
    """Match values with the Huber loss: quadratic for small errors, linear for large ones (see `functional.huber`).

    Args:
        delta: the error at which the loss changes from quadratic to linear, in the units of the values.
        against: the target: "teacher" for the teacher's values, "labels" for the ground truth.

    Raises:
        BadInput: a delta that is not above 0, or another target.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.tensor([[1.0], [1.0]]), teacher_answers=torch.tensor([[2.0], [6.0]]))
        >>> print(tl.losses.huber(delta=1.0)(batch).total)
        tensor([0.5000, 4.5000])
    """
    delta = number("delta", delta, above=0)
    return _of_values("huber", regression.huber, against, delta=delta)


def embedding(*, distance: Literal["cosine", "squares"] = "cosine") -> Objective:
    """Match the embeddings that a teacher answers with, such as those of sentences, by direction or by value.

    If the student's embeddings have another width, a linear projector to the teacher's is trained together with the student. It is not
    part of it: the student answers in its own width.

    Args:
        distance: "cosine" for 1 - cos(s, t) (see `functional.cosine_distance`), "squares" for mean_u (s_u - t_u)^2 (see
            `functional.hint`).

    Raises:
        BadInput: another distance.

    Source: by value: Reimers, Gurevych 2020, arXiv 2004.09813.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = tl.losses.embedding()
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), teacher_answers=torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> modules = objective.modules(batch, rows=2)  # nothing to project
        >>> from dataclasses import replace
        >>> print(objective(replace(batch, modules=modules)).total.round(decimals=2))
        tensor([0.0000, 0.2900])
    """
    choice("distance", distance, ("cosine", "squares"))
    loss = partial(_projected, features.cosine_distance if distance == "cosine" else features.hint)
    return Objective(
        (Term(f"embedding {distance}", loss, ("student", "teacher"), build=_embedding_projector, tasks=("regression",), stacks=False),)
    )


def gaussian() -> Objective:
    """Negative log-likelihood of the student's values under the teacher's Gaussian (see `functional.gaussian`).

    The smaller the teacher's variance, the closer the student must be to its mean. The teacher's answers have twice as many
    columns as the student's: the means, then the variances.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> moments = torch.tensor([[1.0, 0.01], [1.0, 100.0]])  # mean and variance of each row
        >>> batch = tl.losses.Signals(torch.tensor([[2.0], [2.0]]), teacher_answers=moments)
        >>> print(tl.losses.gaussian()(batch).total.round(decimals=1))
        tensor([48.6000,  3.2000])
    """
    prepare = regression.positive_variances
    return Objective((Term("gaussian", regression.gaussian, ("student", "teacher"), prepare=prepare, tasks=("regression",)),))


def teacher_bounded(*, margin: float = 0.0) -> Objective:
    """Squared error to the ground truth, 0 where the student is better than the teacher (see `functional.teacher_bounded`).

    Args:
        margin: by how much the student's error must be smaller than the teacher's, in squared units of the values.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = tl.losses.squared_error() + 0.5 * tl.losses.teacher_bounded(margin=0.1)
        >>> sorted(objective.needs)
        ['labels', 'teacher']
    """
    reads = ("student", "teacher", "labels")
    return Objective(
        (Term("teacher_bounded", regression.teacher_bounded, reads, {"margin": number("margin", margin, least=0)}, tasks=("regression",)),)
    )


def _of_values(name: str, loss: Callable[..., Tensor], against: Against, **settings: Any) -> Objective:
    choice("against", against, ("teacher", "labels"))
    return Objective((Term(f"{name} {against}", loss, ("student", against), settings, tasks=("regression",)),))


def _embedding_projector(signals: Signals, rows: int) -> nn.Module:
    answers = signals.teacher_answers
    if not isinstance(answers, Tensor):  # none, or those of the most probable classes
        raise BadInput("the embedding loss reads the teacher's values, and this batch has none; pass them in Signals.")
    return features.projector(signals.student_answers, answers)


def _projected(loss: Callable[[Tensor, Tensor], Tensor], project: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
    return loss(project(upcast(student)), teacher)
