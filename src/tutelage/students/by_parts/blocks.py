"""Rows that are read in parts, as a student of soft targets takes them: block by block, and as often as it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import label_array
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.softlabels.querying import check_task
from tutelage.softlabels.streaming.part import Part
from tutelage.softlabels.streaming.parts import Parts
from tutelage.softlabels.streaming.sample import sample

Block = tuple[Any, Floats, Floats | None]
"""(rows, features) rows that are checked, (rows, classes) targets that sum to one, and (rows,) weights or none."""


@dataclass
class Blocks:
    """The shards of parts as blocks. If a window holds all rows, they are read once, and held.

    Attributes:
        parts: the rows and their answers.
        checked: rows as the student takes them.
        normalised: probabilities, after checking that they are distributions, with sums of one.
        weights: (rows,) the weight of each row; None if all count alike.
    """

    parts: Parts
    checked: Callable[[Any], Any]
    normalised: Callable[[Any], Floats]
    weights: Floats | None = None

    def __post_init__(self) -> None:
        check_task(self.parts.form, "classes")
        self._held: list[Block] = []

    @property
    def classes(self) -> NDArray[Any]:
        """(classes,) the names of the columns of the targets."""
        return label_array(self.parts.form.classes)

    def __len__(self) -> int:
        return self.parts.shards

    def __iter__(self) -> Iterator[Block]:
        if not self.held:
            return map(self.block, range(len(self)))
        self._held = self._held or list(map(self.block, range(len(self))))
        return iter(self._held)

    @property
    def held(self) -> bool:
        """Whether all rows are held in memory."""
        return self.parts.window >= len(self.parts)

    def block(self, index: int) -> Block:
        """The rows of one shard.

        Raises:
            as `Parts.shard`; what the student refuses.
        """
        part = self.parts.shard(index)
        return self.checked(part.rows), self._targets(part), None if self.weights is None else self.weights[part.numbers]

    def sample(self) -> Block:
        """As many rows as the window holds, drawn by the seed; all, in their order, if it holds them."""
        drawn = sample(self.parts, self.parts.window, self.checked)
        return drawn.rows, self._targets(drawn), None if self.weights is None else self.weights[drawn.numbers]

    def _targets(self, part: Part) -> Floats:
        form = self.parts.form
        return self.normalised(form.probabilities(form.check(part.answers, len(part)).astype(np.float64, copy=False)))


def refuse_parts(X: Any, student: Any) -> None:
    """Check that rows are not read in parts, for a student that learns from rows in memory.

    Raises:
        BadInput: they are.
    """
    if isinstance(X, Parts):
        raise BadInput(
            f"a {type(student).__name__} learns from rows in memory, and these are read in parts; TorchStudent, SoftLogistic and "
            "SoftBoosting learn from parts, and SoftTree and SoftForest from a sample of them."
        )
