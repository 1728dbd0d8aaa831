"""The positions of a Dataset, read once before the training: its batches are read anew in each epoch, and compared with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.errors import BadInput
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import DECODER, StructuredRows
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


def read_positions(feed: LoaderFeed, form: AnswerForm) -> ReadPositions:
    """Read all rows once, in their order, as batches of the feed: no inputs stay in memory.

    Args:
        feed: the batches of a Dataset or a DataLoader, which know the ground truth of positions.
        form: the form of the answers.

    Raises:
        ShapeError, LabelMismatch: as `truth_of_positions`. BadInput: a ground truth in some batches only, or one that
            repeats the tokens.
    """
    counts: list[NDArray[np.int64]] = []
    truths: list[Ragged] = []
    repeated: list[bool] = []
    for inputs, truth in feed.read():
        if truth is not None:
            truths.append(truth_of_positions(in_words(truth, feed.dataset, form), form, inputs, whole=False))
            repeated.append(repeats_tokens(names_of_codes(truths[-1], form), inputs))
        found = truths[-1].lengths if truth is not None else _counts(inputs)
        if found is None:
            return ReadPositions(None)
        counts.append(found)
    if truths and len(truths) < len(counts):
        raise BadInput("some batches of the Dataset have a ground truth and some do not; expected one for all rows, or none.")
    if repeated and all(repeated):
        raise BadInput(REPEATED)
    return ReadPositions(np.concatenate(counts), Ragged.joined(truths) if truths else None)


def names_of_codes(truth: Ragged, form: AnswerForm) -> NDArray[Any]:
    """The class name of each position, or -100."""
    ignored = truth.values == IGNORED
    return np.where(ignored, IGNORED, label_array(form.classes).astype(object)[np.where(ignored, 0, truth.values)])


def _counts(inputs: Any) -> NDArray[np.int64] | None:
    """(batch,) how many positions the rows of a batch have; None if that is not in the inputs: then all rows are alike."""
    if not isinstance(inputs, StructuredRows):
        return None
    counting = inputs.counting()
    if counting is not None:
        return np.array([counting[[row]].values.sum() for row in range(len(counting))], dtype=np.int64)
    of_decoder = any(name.startswith(DECODER) for name in inputs.fields)  # whose lengths would be in `counting`
    return inputs.lengths if inputs.lengths.any() and not of_decoder else None
