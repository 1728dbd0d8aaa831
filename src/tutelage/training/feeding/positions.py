"""Which positions of a batch are learnt: those that the attention mask leaves, without those whose ground truth is to be ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answer_kinds import Positions
from tutelage.core.errors import ShapeError
from tutelage.core.position_answers import PositionAnswers, ranges
from tutelage.data.position_truth import IGNORED
from tutelage.data.structures.network_answers import valid_positions
from tutelage.data.structures.structured import DECODER, DECODER_MASK, MASK, Ragged, StructuredRows
from tutelage.training.feeding.feeds import Batch


@dataclass(frozen=True)
class Layout:
    """The positions of all rows that the attention mask leaves, one row after the other.

    Attributes:
        counts: (rows,) how many positions each row has.
        kept: (positions,) whether the position is learnt; None if all are.
    """

    counts: NDArray[np.int64]
    kept: NDArray[np.bool_] | None = None

    @property
    def starts(self) -> NDArray[np.int64]:
        """(rows,) the place of the first position of each row."""
        return np.asarray(np.cumsum(self.counts) - self.counts)

    def places(self, rows: Tensor) -> NDArray[np.int64]:
        """The places of the positions of these rows."""
        chosen = rows.numpy()
        return ranges(self.starts[chosen], self.counts[chosen])

    def count(self, rows: Tensor) -> int:
        """How many positions of these rows are learnt."""
        if self.kept is None:
            return int(self.counts[rows.numpy()].sum())
        return int(self.kept[self.places(rows)].sum())


@dataclass(frozen=True)
class LearntPositions:
    """Takes the answers to the positions that are learnt out of what a network returns for a batch.

    Attributes:
        positions: "tokens" or "pixels".
        layout: the positions of all rows; None for a Dataset, whose rows are not known before they are read.
    """

    positions: Positions
    layout: Layout | None = None

    def of(self, batch: Batch, answers: Tensor) -> tuple[Batch, Tensor, Tensor]:
        """The batch with the places of its positions; the answers to them, (positions, classes); and (positions,) their rows in the batch.

        Raises:
            ShapeError: another number of positions than were recorded, or than the ground truth has.
        """
        flat, of_row = self._flat(batch, answers)
        labels, kept, places = batch.labels, None, None
        if self.layout is not None:
            found = self.layout.places(batch.rows)
            if len(found) != len(flat):
                raise ShapeError(
                    f"the network answers {len(flat)} positions of a batch of {len(batch.rows)} rows, and the answers or the ground "
                    f"truth have {len(found)}; expected the same tokens or pixels."
                )
            kept = None if self.layout.kept is None else torch.from_numpy(self.layout.kept[found])
            places = torch.from_numpy(found if kept is None else found[kept.numpy()])
        elif labels is not None:
            if len(labels) != len(flat):
                raise ShapeError(f"a batch has {len(labels)} labels and {len(flat)} positions; expected one for each.")
            kept = (labels != IGNORED).cpu()
            labels = labels[kept.to(labels.device)]
        if kept is not None:
            flat, of_row = flat[kept.to(flat.device)], of_row[kept]
        taken = Batch(batch.inputs, batch.rows, labels, batch.answers, batch.originals, places, kept)
        return taken, flat, of_row

    def _flat(self, batch: Batch, answers: Tensor) -> tuple[Tensor, Tensor]:
        rows = len(batch.rows)
        if self.positions == "pixels":
            pixels = answers.shape[2] * answers.shape[3]
            return answers.movedim(1, -1).flatten(0, 2), torch.arange(rows).repeat_interleave(pixels)
        valid = torch.from_numpy(valid_positions(answers.shape[1], rows, _counting(batch.inputs), padded=False))
        return answers[valid.to(answers.device)], torch.arange(rows).repeat_interleave(valid.sum(dim=1))

    def hidden(self, batch: Batch, layer: Tensor) -> Tensor:
        """The outputs of a layer for the positions that are learnt, (positions, width); a layer without positions stays as it is."""
        if (self.positions == "tokens" and layer.ndim == 3) or (self.positions == "pixels" and layer.ndim == 4):
            flat, _ = self._flat(batch, layer)
            return flat if batch.kept is None else flat[batch.kept.to(flat.device)]
        return layer


def _counting(inputs: Any) -> Ragged | None:
    """Which of the answered positions of a batch count, by the mask among its inputs."""
    if not isinstance(inputs, dict):
        return None
    telling = {name: inputs[name].cpu().numpy() for name in (MASK, DECODER_MASK, f"{DECODER}input_ids") if name in inputs}
    return StructuredRows(telling).counting() if telling else None


def layout_of(answers: PositionAnswers | None, truth: Ragged | None) -> Layout | None:
    """The positions of all rows, from the teacher's answers and the ground truth, after checking that they agree; None without both.

    Raises:
        ShapeError: a row with another number of answers than labels.
    """
    if answers is None and truth is None:
        return None
    if answers is not None and truth is not None and not np.array_equal(answers.counts, truth.lengths):
        row = int(np.flatnonzero(answers.counts != truth.lengths)[0])
        raise ShapeError(f"row {row} has {answers.counts[row]} answers and {truth.lengths[row]} labels; expected one for each position.")
    if truth is None:
        return Layout(answers.counts)  # type: ignore[union-attr]
    kept = truth.values != IGNORED
    return Layout(truth.lengths, None if kept.all() else kept)
