"""What a training costs, added up term by term, and whether it is finite: looked at every few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tutelage.core.errors import SelfCheckFailed
from tutelage.losses.signals import Product, added

if TYPE_CHECKING:
    from tutelage.training.backend import Backend
    from tutelage.training.state import State

WATCHED = 64
"""Steps between two looks at whether the losses are finite: a look waits for the device."""
NARROW = 1 << 14
"""Cells of a carrier, at most, that wait for the next look to be summed; wider ones would take much memory until then."""


class LossMonitor:
    """Adds up losses, and looks every few steps whether one was not finite.

    Args:
        state: whose totals grow.
        backend: what a step costs, over all processes.
        sizes: rows of each step of the epoch, in all processes.
    """

    def __init__(self, state: State, backend: Backend, sizes: list[int]) -> None:
        self.state, self.backend, self.sizes = state, backend, sizes
        self.rows: list[Tensor] = []
        self.kept: dict[str, _Kept] = {}
        self.first = state.step

    @torch.no_grad()
    def see(self, products: Mapping[str, Product], rows: Tensor, step: int) -> None:
        """Keep what a step cost, before it changes anything."""
        narrow = {name: product.narrowed(NARROW) for name, product in products.items()}
        # By the whole batch's size, which is the same in all processes: they must look at the same time.
        if self.sizes[step] != self.sizes[self.first] or not self._fit(narrow):
            self.look()
            self.kept = {name: _Kept(product, min(WATCHED, len(self.sizes) - step)) for name, product in narrow.items()}
        if not self.rows:
            self.first = step
        for name, product in narrow.items():
            self.kept[name].keep(product, len(self.rows))
        self.rows.append(rows)
        if len(self.rows) == WATCHED:
            self.look()

    def _fit(self, products: Mapping[str, Product]) -> bool:
        return products.keys() == self.kept.keys() and all(self.kept[name].fits(product) for name, product in products.items())

    @torch.no_grad()
    def look(self) -> None:
        """Add up what was kept.

        Raises:
            SelfCheckFailed: a loss is not finite; names the rows of the first such batch.
        """
        if not self.rows:
            return
        steps = slice(self.first, self.first + len(self.rows))
        terms = {name: self._costs(kept.first(len(self.rows)), steps) for name, kept in self.kept.items()}
        costs = added(terms.values())
        bad = (~costs.isfinite()).nonzero()
        if len(bad):
            rows = self.rows[int(bad[0])].tolist()
            named = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
            raise SelfCheckFailed(
                f"the loss of epoch {self.state.epoch} is {costs[int(bad[0])].item()}, first in the batch of rows {named}; "
                "lower the learning rate or look at the targets of these rows."
            )
        sizes = torch.tensor(self.sizes[steps])
        for name, of_term in terms.items():
            self.state.totals[name] = self.state.totals.get(name, 0.0) + float((of_term * sizes).sum())
        self.rows.clear()

    def _costs(self, product: Product, steps: slice) -> Tensor:
        """(steps,) of one term, over all processes."""
        return self.backend.total(self.backend.cost(product.losses(), steps)).double().cpu()


class _Kept:
    """A term's products of a few batches of one size, in memory of their own.

    Kept where they were made, each would lie in the middle of what its step gave back, and the next step would need new memory.
    """

    def __init__(self, like: Product, steps: int) -> None:
        self._like = like
        self._carriers = like.carrier.new_empty((steps, *like.carrier.shape))
        self._slopes = None if like.slope is None else like.slope.new_empty((steps, *like.slope.shape))
        self._carrier, self._slope = self._carriers.unbind(), None if self._slopes is None else self._slopes.unbind()

    def fits(self, product: Product) -> bool:
        """Whether it can lie beside the others."""
        like = self._like
        return bool(like.weight == product.weight) and _alike(like.carrier, product.carrier) and _alike(like.slope, product.slope)

    def keep(self, product: Product, place: int) -> None:
        self._carrier[place].copy_(product.carrier)
        if self._slope is not None and product.slope is not None:
            self._slope[place].copy_(product.slope)

    def first(self, count: int) -> Product:
        """The first so many, with an axis of batches in front of all else."""
        carriers = self._carriers[:count]
        if self._slopes is None:
            return Product(carriers, weight=self._like.weight)
        slopes = self._slopes[:count]
        return Product(carriers, slopes.view(count, *[1] * (carriers.ndim - slopes.ndim), *slopes.shape[1:]), self._like.weight)


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and one.dtype == other.dtype
