"""Targets that multiple copies of a stack share, prepared and stored only once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tutelage.losses.objective import Objective, Term
from tutelage.losses.signals import Signals
from tutelage.losses.top_targets import TopTargets

if TYPE_CHECKING:
    from torch import Tensor


def with_shared_targets(objective: Objective, distinct: Objective, which: Tensor) -> Objective:
    """An objective for a stack that prepares the targets of each distinct setting once, and expands them batch by batch.

    Args:
        objective: for all copies, such as soft_cross_entropy(temperature=(copies, 1, 1)).
        distinct: the same objective, with each distinct setting once.
        which: (copies,) the position of each copy's setting among the distinct ones.
    """
    if len(which) == int(which.max()) + 1:
        return objective
    return Objective(tuple(_shared(term, once, which) for term, once in zip(objective.terms, distinct.terms, strict=True)))


def _shared(term: Term, once: Term, which: Tensor) -> Term:
    if once.prepare is None:
        return term
    position = term.reads.index("teacher")
    settings = {each.name: getattr(term, each.name) for each in fields(Term)}
    return _SharedTerm(**{**settings, "prepare": once.prepare, "loss": _Expanding(term.loss, position, which)}, alone=term)


@dataclass(frozen=True)
class _SharedTerm(Term):
    """A term whose targets are shared. The most probable classes of a batch are few numbers: every copy has its own targets of them."""

    alone: Term | None = None

    def __call__(self, signals: Signals) -> Tensor:
        """As `Term`."""
        if self.alone is not None and isinstance(signals.teacher_answers, TopTargets):
            return self.alone(signals)
        return super().__call__(signals)


@dataclass(frozen=True)
class _Expanding:
    """A loss whose targets are (distinct, batch, columns), or (batch, columns) for all copies."""

    loss: Any
    position: int
    which: Tensor

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        targets = inputs[self.position]
        if targets.ndim > 2:
            targets = targets.index_select(0, self.which.to(targets.device))
        return self.loss(*inputs[: self.position], targets, *inputs[self.position + 1 :], **settings)
