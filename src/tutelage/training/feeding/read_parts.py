"""What is read of parts once before the training: the class of each row, for weights, and how many positions of each are learnt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.structures.ragged import Ragged
from tutelage.data.truth.position_truth import IGNORED, REPEATED, repeats_tokens, truth_of_positions
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.streaming.part import Part
from tutelage.softlabels.streaming.parts import Parts
from tutelage.training.feeding.read_positions import names_of_codes


def codes_of(parts: Parts, form: AnswerForm) -> NDArray[np.int64] | None:
    """(rows,) the class code of each row; None if the ground truth is not known. A column of the rows is read shard by shard.

    Raises:
        LabelMismatch, ShapeError, BadInput: as `AnswerForm.codes` and `Parts.shard`.
    """
    if parts.y is not None:
        return form.codes(parts.y)
    if parts.shard(0).y is None:
        return None
    found = np.empty(len(parts), np.int64)
    for part in parts.in_order():
        found[part.numbers] = form.codes(part.y)
    return found


def answers_of(parts: Parts) -> Iterable[Answers]:
    """The answers to all rows, shard by shard."""
    return [parts.labels.answers] if isinstance(parts.labels, SoftLabels) else (each.answers for each in parts.labels.parts())


def learnt_counts(parts: Parts, form: AnswerForm) -> NDArray[np.int64]:
    """(rows,) how many positions of each row are learnt: those that have answers, without those whose ground truth is to be ignored.

    Raises:
        BadInput: a ground truth that repeats the tokens. as `Parts.shard` and `truth_of_positions`.
    """
    counts, repeated = np.empty(len(parts), np.int64), []
    for part in parts.in_order():
        counts[part.numbers] = _shapes(part).prod(axis=1)
        if part.y is not None:
            truth = position_codes(part, form)
            learnt = np.concatenate([np.zeros(1, np.int64), np.cumsum(truth.values != IGNORED)])
            ends = np.cumsum(truth.lengths)
            counts[part.numbers] = learnt[ends] - learnt[ends - truth.lengths]
            repeated.append(repeats_tokens(names_of_codes(truth, form), part.rows))
    if repeated and all(repeated):
        raise BadInput(REPEATED)
    return counts


def position_codes(part: Part, form: AnswerForm) -> Ragged:
    """The class code of every position of some rows, `IGNORED` where it does not count.

    Raises:
        as `truth_of_positions`.
    """
    return truth_of_positions(part.y, form, part.rows, _shapes(part), whole=False)


def _shapes(part: Part) -> NDArray[np.int64]:
    """(rows, 1) lengths, or (rows, 2) heights and widths, of the answers to some rows."""
    return part.answers.shapes if isinstance(part.answers, PositionAnswers) else np.ones((len(part), 1), np.int64)
