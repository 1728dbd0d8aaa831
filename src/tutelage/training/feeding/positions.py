"""Which positions of a batch are learnt: those that the attention mask leaves, without those whose ground truth is to be ignored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answer_kinds import Positions
from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.position_answers import PositionAnswers, ranges
from tutelage.data.structures.network_answers import valid_positions
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import DECODER, DECODER_MASK, MASK, StructuredRows
from tutelage.data.truth.position_truth import IGNORED, check_same_positions, size_remedy
from tutelage.training.feeding.feeds import Batch

Weighed = Literal["alone", "counts", "classes"]


@dataclass(frozen=True)
class Layout:
    """The positions of all rows that the attention mask leaves, one row after the other; of `Views` those of every view.

    Attributes:
        counts: (rows,) how many positions each row has.
        kept: (positions,) whether the position is learnt; None if all are.
        shapes: (rows, 1) lengths, or (rows, 2) heights and widths; None if the heights and widths are not known.
    """

    counts: NDArray[np.int64]
    kept: NDArray[np.bool_] | None = None
    shapes: NDArray[np.int64] | None = None

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

    def check_learnt(self, what: str) -> None:
        """Check that a position of these rows is learnt; `what` is the subject of the error.

        Raises:
            BadInput: none is.
        """
        total = int(self.counts.sum())
        if not total or (self.kept is not None and not self.kept.any()):
            why = f"all {total} labels are -100 or None" if total else "the attention mask leaves none"
            raise BadInput(f"no position of {what} counts: {why}; pass rows with tokens or pixels that count.")

    def check_all(self, answers: PositionAnswers) -> None:
        """Check that a network's answers to all rows are at the positions that they have, as `check_answers`."""
        self.check_answers(np.arange(len(self.counts)), answers.shapes)

    def check_answers(self, rows: NDArray[np.intp], shapes: NDArray[np.int64]) -> None:
        """Check that a network answers these rows at the positions that they have.

        Args:
            rows: of the data.
            shapes: (rows, 1) lengths, or (rows, 2) heights and widths, of the network's answers.

        Raises:
            ShapeError: it does not.
        """
        if self.shapes is not None and shapes.shape[1] == 2:
            expected = self.shapes[rows]
            wrong = np.flatnonzero((expected != shapes).any(axis=1))
            if len(wrong):
                raise ShapeError(_other_size(tuple(shapes[wrong[0]].tolist()), tuple(expected[wrong[0]].tolist())))
        answered, counted = int(shapes.prod(axis=1).sum()), int(self.counts[rows].sum())
        if (shapes.prod(axis=1) != self.counts[rows]).any():
            raise ShapeError(
                f"the network answers {answered} positions of {len(rows)} rows, and the answers or the ground truth have {counted}; "
                "expected the same tokens or pixels."
            )


@dataclass(frozen=True)
class LearntPositions:
    """Takes the answers to the positions that are learnt out of what a network returns for a batch.

    Attributes:
        positions: "tokens" or "pixels".
        layout: the positions of all rows, for which answers or ground truth are held; None if both come with the batches.
        read: the positions of a Dataset as they were when it was read before the training; None if they are not known.
        read_truth: their ground truth then; None if it is not in the batches.
        weighed: what settles how much a batch counts before it is read: nothing, for a step of one batch; the "counts" of learnt
            positions, for a step of several batches or processes; or the "classes", for weights.
    """

    positions: Positions
    layout: Layout | None = None
    read: Layout | None = None
    read_truth: Ragged | None = None
    weighed: Weighed = "alone"

    def of(self, batch: Batch, answers: Tensor) -> tuple[Batch, Tensor, Tensor]:
        """The batch with the places of its positions; the answers to them, (positions, classes); and which of its positions they are.

        Returns:
            The batch; the answers; (batch, tokens) or (batch, height, width) bool, the positions that are learnt.

        Raises:
            ShapeError: other positions than were recorded, or than the ground truth has. BadInput: others than batches were weighed by.
        """
        valid = self._valid(batch, answers)
        flat = answers.movedim(1, -1).flatten(0, 2) if self.positions == "pixels" else answers[valid.to(answers.device)]
        labels, kept, places, learnt = batch.labels, None, None, valid
        layout, rows = self._layout_of(batch)
        if layout is not None:
            layout.check_answers(rows.numpy(), self._shapes(valid))
            places = layout.places(rows)
            kept = None if layout.kept is None else torch.from_numpy(layout.kept[places])
        if labels is not None:
            labels = self._labels(labels, valid)
            kept = (labels != IGNORED).cpu()
            labels = labels[kept.to(labels.device)]
        if kept is not None:
            flat = flat[kept.to(flat.device)]
            learnt = valid.clone()  # that the gradient of the answers still needs
            learnt[valid] = kept
            places = None if places is None else places[kept.numpy()]
        if self.read is not None and self.weighed != "alone":
            places = self._as_read(self.read, batch.rows, labels, learnt, places)
        return replace(batch, labels=labels, places=None if places is None else torch.from_numpy(places), kept=kept), flat, learnt

    def _layout_of(self, batch: Batch) -> tuple[Layout | None, Tensor]:
        """The positions of all rows and the rows of a batch among them; of answers that were read with the batch, its own alone."""
        if isinstance(batch.recorded, PositionAnswers):
            return Layout(batch.recorded.counts, shapes=batch.recorded.shapes), torch.arange(len(batch.rows))
        return self.layout, batch.answer_rows

    def _labels(self, labels: Tensor, valid: Tensor) -> Tensor:
        """(positions,) the labels of a batch of a Dataset, after checking that there is one for each answered position.

        Raises:
            ShapeError: there is not.
        """
        if labels.ndim == valid.ndim == 3 and labels.shape != valid.shape:
            found, expected = tuple(valid.shape[1:]), tuple(labels.shape[1:])
            raise ShapeError(_other_size(found, expected))
        if labels.numel() != int(valid.sum()):
            raise ShapeError(f"a batch has {labels.numel()} labels and {int(valid.sum())} positions; expected one for each.")
        return labels.reshape(-1)

    def _as_read(
        self, read: Layout, rows: Tensor, labels: Tensor | None, learnt: Tensor, places: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """The places of the learnt positions of a batch, however it is padded, after checking that they are those that were weighed.

        Raises:
            BadInput: they are not, as those that are drawn at random.
        """
        before, of_row = read.places(rows), np.repeat(np.arange(len(rows)), read.counts[rows.numpy()])
        if read.kept is not None:
            before, of_row = before[read.kept[before]], of_row[read.kept[before]]
        what = "positions" if labels is None else "labels"
        if self.weighed == "classes":
            same = np.array_equal(of_row, learnt.nonzero()[:, 0].numpy()) and (places is None or np.array_equal(before, places))
            if labels is not None and self.read_truth is not None:
                same = same and np.array_equal(self.read_truth.values[before], labels.cpu().numpy())
            if not same:
                raise BadInput(
                    f"a batch of the Dataset has {'other positions' if labels is None else 'another ground truth'} than when it was read "
                    f"before the training, by which its positions are weighed; {what} drawn at random take no sample_weight and no "
                    "class_weight: leave them out, or settle the draw."
                )
        elif len(before) != int(learnt.sum()):
            raise BadInput(
                f"a batch of the Dataset has {int(learnt.sum())} {what} that count, and had {len(before)} when it was read before the "
                f"training, by which the batches of a step are weighed; {what} drawn at random take steps of one batch (accumulate=1) in "
                "one process, or a draw that is settled, with as many each time."
            )
        return before if places is None else places

    def _valid(self, batch: Batch, answers: Tensor) -> Tensor:
        """(batch, tokens) or (batch, height, width) bool, the positions that the attention mask leaves."""
        if self.positions == "pixels":
            return torch.ones((len(batch.rows), *answers.shape[2:]), dtype=torch.bool)
        return torch.from_numpy(valid_positions(answers.shape[1], len(batch.rows), _counting(batch.inputs), padded=False))

    def _shapes(self, valid: Tensor) -> NDArray[np.int64]:
        """(rows, 1) lengths, or (rows, 2) heights and widths, of a batch."""
        if self.positions == "pixels":
            return np.full((len(valid), 2), tuple(valid.shape[1:]), np.int64)
        return valid.sum(dim=1).numpy()[:, None]


def _other_size(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    return (
        f"the network answers pictures of height {found[0]} and width {found[1]}, and the answers or the ground truth have height "
        f"{expected[0]} and width {expected[1]}; expected the same tokens or pixels. {size_remedy(found, expected)}"
    )


def _counting(inputs: Any) -> Ragged | None:
    """Which of the answered positions of a batch count, by the mask among its inputs."""
    if not isinstance(inputs, dict):
        return None
    telling = {name: inputs[name].cpu().numpy() for name in (MASK, DECODER_MASK, f"{DECODER}input_ids") if name in inputs}
    return StructuredRows(telling).counting() if telling else None


def layout_of(answers: PositionAnswers | None, truth: Ragged | None, counts: NDArray[np.int64] | None = None) -> Layout | None:
    """The positions of all rows, from the teacher's answers and the ground truth, after checking that they agree; None without both.

    Raises:
        ShapeError: a row with other answers than labels.
    """
    if answers is None and truth is None:
        return None if counts is None else Layout(counts)
    if truth is None:
        return Layout(answers.counts, shapes=answers.shapes)  # type: ignore[union-attr]
    if answers is not None:
        check_same_positions(truth, answers.shapes)
    kept = truth.values != IGNORED
    shapes = truth.shapes if answers is None else answers.shapes
    return Layout(truth.lengths, None if kept.all() else kept, shapes)
