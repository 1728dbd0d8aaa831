"""Batches of rows of several inputs, rows of like length together."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.data.structures.network_answers import tensors_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.training.feeding.feeds import Batch, Batching

if TYPE_CHECKING:
    from tutelage.core.torch_runtime import Inputs

WINDOW = 50
"""Rows are sorted by length among this many steps: little is padded, and the steps still differ from epoch to epoch."""


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

    def steps(self, batching: Batching) -> int:
        """See `Feed`."""
        return len(self._cut(torch.arange(self.rows), batching))

    def plan(self, epoch: int, batching: Batching) -> list[list[Tensor]]:
        """See `Feed`."""
        steps = self._cut(torch.randperm(self.rows), batching)
        return steps if self._even else [steps[place] for place in torch.randperm(len(steps)).tolist()]

    @cached_property
    def _lengths(self) -> Tensor:
        return torch.from_numpy(self.structure.lengths)

    @cached_property
    def _even(self) -> bool:
        return self.structure.even

    def _cut(self, order: Tensor, batching: Batching) -> list[list[Tensor]]:
        """The batches of each step, from rows in random order.

        Raises:
            BadInput: incomplete steps are to be left out, of rows that cannot be padded: lengths of few rows would never be learnt.
        """
        if self._even:
            return batching.cut(order)
        if not self.structure.may_be_padded:
            if batching.drop_last:
                raise BadInput(
                    "drop_last=True, and rows of different lengths without an attention mask share no batch, so that lengths of few rows "
                    "would never be learnt; pass an attention_mask, or leave drop_last out."
                )
            of_row = torch.from_numpy(self.structure.groups)
            grouped = order[torch.argsort(of_row[order], stable=True)]
            cuts = torch.unique_consecutive(of_row[grouped], return_counts=True)[1].tolist()
            return [step for group in torch.split(grouped, cuts) for step in batching.cut(group)]
        windows = torch.split(batching.shown(order), min(WINDOW * batching.step_size, max(self.rows, 1)))
        return batching.cut(torch.cat([window[torch.argsort(self._lengths[window], stable=True)] for window in windows]))

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
        if self._whole is None:
            return tensors_of(chosen, self.network)
        if isinstance(self._whole, dict):
            return {name: tensor.index_select(0, rows.to(tensor.device)) for name, tensor in self._whole.items()}
        return tuple(tensor.index_select(0, rows.to(tensor.device)) for tensor in self._whole)
