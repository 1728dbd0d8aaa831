"""Batches of rows of several inputs, rows of like length together."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.data.network_answers import tensors_of
from tutelage.data.structured import StructuredRows
from tutelage.training.feeding.feeds import Batch, in_batches

if TYPE_CHECKING:
    from tutelage.core.torch_runtime import Inputs

WINDOW = 50
"""Rows are sorted by length among this many batches: little is padded, and the batches still differ from epoch to epoch."""


@dataclass(frozen=True)
class StructuredFeed:
    """Batches of `StructuredRows`. Rows of different lengths share a batch only if an attention mask tells them from padding.

    Attributes:
        structure: the rows.
        network: the network that takes them.
    """

    structure: StructuredRows
    network: nn.Module

    @property
    def rows(self) -> int:
        """The number of rows of the data."""
        return len(self.structure)

    def steps(self, batch_size: int) -> int:
        """See `Feed`."""
        return len(self._cut(torch.arange(self.rows), batch_size))

    def plan(self, epoch: int, batch_size: int) -> list[Tensor]:
        """See `Feed`."""
        parts = self._cut(torch.randperm(self.rows), batch_size)
        return parts if self._even else [parts[place] for place in torch.randperm(len(parts)).tolist()]

    @cached_property
    def _lengths(self) -> Tensor:
        return torch.from_numpy(self.structure.lengths)

    @cached_property
    def _even(self) -> bool:
        return bool((self._lengths == self._lengths[:1]).all())

    def _cut(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """The rows of each step, from rows in random order."""
        if self._even:
            return in_batches(order, batch_size)
        if not self.structure.may_be_padded:
            by_length = order[torch.argsort(self._lengths[order], stable=True)]
            cuts = torch.unique_consecutive(self._lengths[by_length], return_counts=True)[1].tolist()
            return [part for group in torch.split(by_length, cuts) for part in in_batches(group, batch_size)]
        windows = [window[torch.argsort(self._lengths[window], stable=True)] for window in torch.split(order, WINDOW * batch_size)]
        return in_batches(torch.cat(windows), batch_size)

    @cached_property
    def _whole(self) -> Inputs | None:
        """All rows on the device of the network, where none is padded."""
        return tensors_of(self.structure, self.network) if self._even else None

    def batches(self, epoch: int, parts: list[Tensor]) -> Generator[Batch]:
        """See `Feed`."""
        for rows in parts:
            chosen = self.structure[rows.numpy().astype(np.intp)]
            yield Batch(self._inputs(chosen, rows), rows, originals=chosen)

    def _inputs(self, chosen: StructuredRows, rows: Tensor) -> Inputs:
        if isinstance(self._whole, dict):
            return {name: tensor.index_select(0, rows.to(tensor.device)) for name, tensor in self._whole.items()}
        return tensors_of(chosen, self.network)
