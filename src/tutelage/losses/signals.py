"""Input and output of an objective: the signals of a batch, and the losses of its examples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tutelage.losses.top_targets import TopTargets


@dataclass(frozen=True)
class Signals:
    """The input of an objective: answers, ground truth and hidden layers of one batch. Each term uses the signals that it reads.

    Attributes:
        student_answers: (batch, columns), or (copies, batch, columns) for a stack: logits at temperature 1, or values.
        teacher_answers: (batch, columns): logits, or log-probabilities (logits up to one constant a row), or values; `TopTargets` if
            only the most probable classes are known; None without a teacher.
        labels: the ground truth: (batch,) class codes; (batch, columns) of 0 and 1 for multilabel; (batch,) or (batch, columns) values;
            None if it is unknown.
        student_hidden: the outputs of the student's layers, by module path (see `capturing`).
        teacher_hidden: the same for the teacher's layers, without gradient.
        index: (batch,) integers, the row numbers in the data.
        prepared: the targets of these rows from `Objective.prepare`, by term; they are not computed again.
        modules: the projectors and memory banks from `Objective.modules`, by term.
        tokens: (batch, tokens) bool, which tokens of each row count in hidden layers; None if all do.
        at_positions: takes the positions that the losses are about out of a layer of tokens or pixels, (positions, width); None if
            they are about rows.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> batch = tl.losses.Signals(torch.zeros(2, 3), teacher_answers=torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
        >>> print(tl.losses.soft_cross_entropy()(batch).total.round(decimals=2))
        tensor([1.1000, 1.1000])
    """

    student_answers: Tensor
    teacher_answers: Tensor | TopTargets | None = None
    labels: Tensor | None = None
    student_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    teacher_hidden: Mapping[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None
    prepared: Mapping[str, Tensor] = field(default_factory=dict)
    modules: nn.ModuleDict | None = None
    tokens: Tensor | None = None
    at_positions: Callable[[Tensor], Tensor] | None = None

    def layer(self, side: str, path: str, *, whole_rows: bool = False) -> Tensor | None:
        """The output of a layer, with zeros for the tokens that do not count; that of each position, where the losses are about positions.

        Args:
            side: "student" or "teacher".
            path: the module path.
            whole_rows: take whole rows in any case.
        """
        found = (self.student_hidden if side == "student" else self.teacher_hidden).get(path)
        if found is None:
            return None
        if self.at_positions is not None and not whole_rows:
            return self.at_positions(found)
        if self.tokens is not None and found.ndim == 3 and found.shape[:2] == self.tokens.shape:
            return found.masked_fill(~self.tokens[:, :, None], 0.0)
        return found

    def of_tokens(self, losses: Tensor) -> Tensor:
        """The losses of tokens, (batch, tokens), as those of rows, by their mean, or of the positions that the losses are about."""
        if self.at_positions is not None:
            return self.at_positions(losses[:, :, None])[:, 0]
        if self.tokens is None or self.tokens.shape != losses.shape:
            return losses.mean(dim=1)
        return losses.masked_fill(~self.tokens, 0.0).sum(dim=1) / self.tokens.sum(dim=1).clamp_min(1)


class Losses(NamedTuple):
    """The output of an objective: one value per example, (batch,), or (copies, batch) for a stack.

    Attributes:
        total: the weighted sum of the terms, not averaged over the batch.
        terms: the terms by name, each times its weight, so that they add up to `total`. They have gradients: detach them before
            you store them.

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


def add_all(values: Iterable[Tensor]) -> Tensor:
    """The sum of one tensor or more, added in order."""
    return functools.reduce(operator.add, values)
