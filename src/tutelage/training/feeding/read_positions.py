"""The positions of a Dataset, read once before the training: its batches are read anew in each epoch, and compared with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arrays import tensor_array
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import AXES
from tutelage.data.structures.given_answers import checked_answers, position_counts
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.given_truth import in_words
from tutelage.data.truth.position_truth import IGNORED, REPEATED, repeats_tokens, truth_of_positions
from tutelage.training.feeding.loader_feed import LoaderFeed


@dataclass(frozen=True)
class ReadPositions:
    """How many positions each row of a Dataset has, and their ground truth, if it pairs its inputs with one.

    Attributes:
        counts: (rows,) the number of positions that the attention mask leaves; None if all rows have as many.
        truth: the class code of each position, as it was when it was read; None if there is none.
    """

    counts: NDArray[np.int64] | None
    truth: Ragged | None = None


def read_positions(feed: LoaderFeed, form: AnswerForm, count: Callable[[Any], int] | None = None) -> ReadPositions:
    """Read all rows once, as batches of the feed: no inputs stay in memory.

    Args:
        feed: the batches of a Dataset or a DataLoader, which know the ground truth of positions.
        form: the form of the answers.
        count: how many positions a row of these inputs has, asked once for each size, where they do not say so themselves; None where
            that is not needed.

    Raises:
        ShapeError, LabelMismatch: as `truth_of_positions`. BadInput: a ground truth in some batches only, or one that
            repeats the tokens.
    """
    numbers: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    truths: list[Ragged] = []
    repeated: list[bool] = []
    sizes: dict[Any, int] = {}
    for rows, inputs, truth in feed.read():
        if truth is not None:
            truths.append(truth_of_positions(in_words(truth, feed.dataset, form), form, inputs, whole=False))
            repeated.append(repeats_tokens(names_of_codes(truths[-1], form), inputs))
        found = truths[-1].lengths if truth is not None else _counts(inputs, form)
        if found is None:
            if count is None or feed.of_one_size:
                return ReadPositions(None)
            size = _size(inputs)
            sizes[size] = sizes[size] if size in sizes else count(inputs)
            found = np.full(len(rows), sizes[size], np.int64)
        numbers.append(rows.numpy())
        counts.append(found)
    if truths and len(truths) < len(counts):
        raise BadInput("some batches of the Dataset have a ground truth and some do not; expected one for all rows, or none.")
    if repeated and all(repeated):
        raise BadInput(REPEATED)
    order = np.unique(np.concatenate(numbers), return_index=True)[1]  # a batch sampler may show a row twice
    return ReadPositions(np.concatenate(counts)[order], Ragged.joined(truths)[order] if truths else None)


def answered_positions(teacher: Teacher | None, form: AnswerForm, inputs: Any) -> int:
    """How many positions of a row of these inputs the teacher answers; without one, those of the inputs, as answers of that size have."""
    if teacher is None:
        return int(np.prod(_size(inputs)[-AXES[form.positions or "tokens"] :])) if isinstance(inputs, Tensor) else 1
    asked = inputs[:1] if isinstance(inputs, StructuredRows) else tensor_array(inputs[:1])
    found: Any = checked_answers(form, teacher.answer(asked), asked, 1)
    return int(found.counts[0])


def names_of_codes(truth: Ragged, form: AnswerForm) -> NDArray[Any]:
    """The class name of each position, or -100."""
    ignored = truth.values == IGNORED
    return np.where(ignored, IGNORED, label_array(form.classes).astype(object)[np.where(ignored, 0, truth.values)])


def _size(inputs: Any) -> tuple[Any, ...]:
    """The shape of each row of a batch, in every input."""
    if isinstance(inputs, StructuredRows):
        return tuple((name, array.shape[1:]) for name, array in inputs.padded().items())
    return tuple(inputs.shape[1:])


def _counts(inputs: Any, form: AnswerForm) -> NDArray[np.int64] | None:
    """(batch,) how many positions the rows of a batch have; None if that is not in the inputs: then all rows of one size are alike."""
    return position_counts(inputs) if form.positions == "tokens" else None
