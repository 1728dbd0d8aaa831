"""Input and output of an objective: the signals of a batch, and the losses of its examples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from tutelage.core.errors import ShapeError
from tutelage.losses.functional import features

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
        places: (batch, tokens) or (batch, height, width) bool, the positions that the losses are about; None if they are about rows.

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
    places: Tensor | None = None

    def layer(self, side: str, path: str, *, whole_rows: bool = False) -> Tensor | None:
        """The output of a layer, with zeros for the tokens that do not count; that of each position, where the losses are about positions.

        Args:
            side: "student" or "teacher".
            path: the module path.
            whole_rows: take whole rows in any case.

        Raises:
            ShapeError: a layer of other tokens or pixels than the losses are about.
        """
        found = (self.student_hidden if side == "student" else self.teacher_hidden).get(path)
        if found is None:
            return None
        if self.places is not None and not whole_rows and found.ndim == self.places.ndim + 1:
            return self._at_places(found, f"the {side}'s layer {path!r}")
        if self.tokens is not None and found.ndim == 3 and found.shape[:2] == self.tokens.shape:
            return found.masked_fill(~self.tokens[:, :, None], 0.0)
        return found

    def _at_places(self, layer: Tensor, what: str) -> Tensor:
        """(positions, width) what a layer gives for the positions that the losses are about."""
        places, maps = cast("Tensor", self.places), layer.ndim == 4
        found, expected = tuple(layer.shape[2:] if maps else layer.shape[1:2]), tuple(places.shape[1:])
        if found != expected:
            of = "maps of height and width" if maps else "a number of tokens of"
            raise ShapeError(
                f"{what} has {of} {' x '.join(map(str, found))}, and the answers have {' x '.join(map(str, expected))}; a loss that "
                "relates positions reads a layer of the same. Name such a layer, or use hint, cosine_distance or attention_transfer."
            )
        return (layer.movedim(1, -1) if maps else layer)[places]

    def of_examples(self, losses: Tensor) -> Tensor:
        """Losses as one value for each row, or for each position that the losses are about.

        Args:
            losses: (batch,) of rows; (batch, tokens) of tokens; or (batch, height, width) of the places of feature maps of any size.

        Returns:
            (batch,) the mean over those of a row that count; or (positions,) those of the positions. A place of a map of another size
            counts by its share of positions that the losses are about, and each of these gets the mean of its row, as a row's loss is.
        """
        places, tokens = self.places, self.tokens
        if places is not None and losses.shape == places.shape:
            return losses[places]
        if losses.ndim == 3 and places is not None and places.ndim == 3:
            losses = _mean_of(losses, features.shares(places, losses.shape[1:]))
        elif losses.ndim > 1 and tokens is not None and tokens.shape == losses.shape:
            losses = _mean_of(losses, tokens)
        elif losses.ndim > 1:
            losses = losses.flatten(1).mean(dim=1)
        return losses if places is None else losses.index_select(0, places.nonzero()[:, 0])

    def has_places(self, layers: Iterable[tuple[str, str]]) -> bool:
        """Whether one of these layers, (side, path), has the axes of the positions that the losses are about."""
        found = [(self.student_hidden if side == "student" else self.teacher_hidden).get(path) for side, path in layers]
        return self.places is not None and any(layer is not None and layer.ndim == self.places.ndim + 1 for layer in found)


def _mean_of(losses: Tensor, shares: Tensor) -> Tensor:
    """(batch,) the mean of the losses of each row by how much they count; 0 where none does."""
    counted = losses.masked_fill(shares == 0, 0.0) * shares
    total = shares.flatten(1).sum(dim=1)
    return counted.flatten(1).sum(dim=1) / total.masked_fill(total == 0, 1)


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
