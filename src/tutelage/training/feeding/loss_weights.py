"""How much the loss of each row, or of each position, counts: weights of rows, times weights of classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, check_weights
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import Answers, PositionAnswers
from tutelage.data.structures.ragged import Ragged
from tutelage.data.truth.position_truth import IGNORED
from tutelage.losses.class_weights import checked_class_weight, weights_of_totals
from tutelage.training.feeding.positions import Layout

LossWeights = Tensor | Ragged
"""(rows,) weights, or (answers,) of each view of a row, or those of the positions of each, NaN where one is not learnt; of mean 1."""


def loss_weights(
    sample_weight: Any,
    class_weight: Any,
    form: AnswerForm,
    *,
    rows: int,
    truth: Tensor | Ragged | None,
    answers: Iterable[Answers] | None,
    answer_form: AnswerForm | None,
    layout: Layout | None,
) -> LossWeights | None:
    """The weights of losses; None if all count alike.

    Args:
        sample_weight: (rows,) the weight of each row, or None.
        class_weight: "balanced", a dict from classes to weights, or None. A row weighs what its true class does; without ground truth,
            the mean by the teacher's probabilities.
        form: of the student's answers.
        rows: the number of rows.
        truth: class codes of the rows, or of their positions; None if it is not known before the training.
        answers: of the teacher, some rows at a time; None if they are not known before the training.
        answer_form: of the teacher's answers.
        layout: the positions of the rows; None if a loss belongs to a row, or they are not known before the training.

    Raises:
        ShapeError: another number of weights than rows. BadInput: negative or not finite, or all zero; as `checked_class_weight`; class
            weights for rows whose classes are not known.
    """
    own = check_weights(sample_weight, rows)
    if class_weight is None and own is None:
        return None
    each = own if own is None or layout is None else np.repeat(_of_views(own, len(layout.counts)), layout.counts)
    if class_weight is not None:
        of_class = _of_classes(class_weight, form, truth, answers, answer_form, each)
        each = of_class if each is None else _of_views(each, len(of_class)) * of_class
    weights = np.asarray(each, dtype=np.float64)
    if layout is None:
        return of_mean_one(torch.from_numpy(weights))
    if layout.kept is not None:
        weights = np.where(layout.kept, weights, np.nan)
    return of_mean_one(Ragged(weights, layout.counts))


def _of_views(own: Floats, count: int) -> Floats:
    """The weights of rows for each of so many answers: those to `Views` are to all rows, one view after the other."""
    return np.tile(own, count // len(own))


def of_mean_one(weights: LossWeights, among: NDArray[np.int64] | None = None, losses: NDArray[np.int64] | None = None) -> LossWeights:
    """Weights times a factor, so that the size of a step does not depend on their unit.

    Args:
        weights: of rows or positions.
        among: the rows whose mean becomes 1; None for all.
        losses: (rows,) how many losses each row has; None for one.

    Raises:
        BadInput: they are all zero.
    """
    values = _values(weights)
    counted = values if among is None else _values(weights[among])
    numbers = None if losses is None else losses if among is None else losses[among]
    if not np.nansum(counted if numbers is None else counted * numbers) > 0:
        raise BadInput("every row of the training part, or of the validation part, has a weight of zero; weigh some of each.")
    scaled = values / (np.nanmean(counted) if numbers is None else np.average(counted, weights=numbers))
    return Ragged(scaled, weights.lengths) if isinstance(weights, Ragged) else torch.from_numpy(scaled)


def _values(weights: LossWeights) -> Floats:
    return np.asarray(weights.values if isinstance(weights, Ragged) else weights.numpy())


def _of_classes(
    class_weight: Any,
    form: AnswerForm,
    truth: Tensor | Ragged | None,
    answers: Iterable[Answers] | None,
    answer_form: AnswerForm | None,
    own: Floats | None,
) -> Floats:
    """What each loss weighs by the class of its row or position."""
    if truth is None and (answers is None or answer_form is None):
        raise BadInput(
            "class_weight needs the classes of all rows before the training, and those of this Dataset are read with its batches; pass "
            "y beside its inputs, or the weight of each row as sample_weight."
        )
    asked: Any = checked_class_weight(class_weight, form, has_truth=truth is not None)
    if truth is None:
        weights = weights_of_totals(asked, form, np.zeros(0))
        return np.concatenate([_expected(each, answer_form, weights) for each in answers or ()])
    codes = truth.values if isinstance(truth, Ragged) else truth.numpy()
    learnt = codes != IGNORED
    counted = codes[learnt]
    totals = np.bincount(counted, weights=None if own is None else own[learnt], minlength=len(form.classes)).astype(np.float64)
    return weights_of_totals(asked, form, totals)[np.where(learnt, codes, 0)]


def _expected(answers: Any, form: Any, weights: Any) -> Floats:
    """The mean weight of each row or position by the teacher's probabilities."""
    values = answers.values if isinstance(answers, PositionAnswers) else answers
    if isinstance(values, TopAnswers):
        of_top = weights[values.ids.astype(np.intp)]
        others = (weights.sum() - of_top.sum(axis=1)) / max(values.columns - values.ids.shape[1], 1)
        return np.asarray((np.exp(values.log_probs) * of_top).sum(axis=1) + np.exp(values.rest) * others)
    return np.asarray(form.of_each_position.probabilities(values) @ weights)
