"""What the loop hands to an objective for a batch, and what it gets back."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Signals:
    """All that is known about one batch; an objective's terms take from it what they read.

    Attributes:
        student_answers: (batch, columns), or (copies, batch, columns) for a stack: logits at temperature 1, or values.
        teacher_answers: (batch, columns): logits, or log-probabilities (logits up to one constant a row), or values;
            None without a teacher.
        labels: (batch,) integers; (batch, columns) of 0 and 1 for multilabel; (batch,) or (batch, columns) values;
            None where the truth is unknown.
        student_hidden: what the student's layers said, by module path (see `capturing`).
        teacher_hidden: the same for the teacher's layers, without gradient.
        index: (batch,) integers, the place of each row in the data.
        prepared: what `Objective.prepare` made of the teacher's answers, for these rows; what it holds is not made again.
        modules: what `Objective.modules` built: the projectors and memories of the terms that need some.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.zeros(2, 3), teacher_answers=torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
        >>> print(tl.losses.soft_cross_entropy()(batch).total.round(decimals=2))
        tensor([1.1000, 1.1000])
    """

    student_answers: Tensor
    teacher_answers: Tensor | None = None
    labels: Tensor | None = None
    student_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    teacher_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None
    prepared: Mapping[str, Tensor] = field(default_factory=dict)
    modules: nn.ModuleDict | None = None


class Losses(NamedTuple):
    """One value per example: (batch,), or (copies, batch) for a stack.

    Attributes:
        total: the weighted sum, to be averaged over the batch.
        terms: by name, each already times its weight, so that they add up to `total`. They carry gradient: detach to keep.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = 0.5 * tl.losses.hard_cross_entropy() + 0.5 * tl.losses.hard_cross_entropy(smoothing=0.2)
        >>> total, terms = objective(tl.losses.Signals(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), labels=torch.tensor([0, 1])))
        >>> print(total.round(decimals=2), list(terms))
        tensor([0.2300, 0.6900]) ['hard_cross_entropy', 'hard_cross_entropy 2']
    """

    total: Tensor
    terms: dict[str, Tensor]


def added(values: Iterable[Tensor]) -> Tensor:
    """One value or more, one after another."""
    return functools.reduce(operator.add, values)
