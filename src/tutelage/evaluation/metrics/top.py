"""Answers of which only the most probable classes are known, compared with others: class by class, and the rest as one class.

A ground truth of one class per answer is of this kind too: its most probable class is certain, and nothing is left for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arrays import Floats
from tutelage.evaluation.metrics.agreement import Decisions, decisions

Side = Floats | TopAnswers
"""(answers, classes) probabilities, or the most probable ones of each answer."""

BLOCK_CELLS = 1 << 19
"""Probabilities that are compared at a time, in float64: few enough to stay in a processor's cache, however many answers there are."""


def blocks(answers: int, columns: int) -> Iterator[slice]:
    """Slices of the answers, few enough at a time that all their classes fit in a block."""
    size = max(1, BLOCK_CELLS // max(columns, 1))
    for start in range(0, answers, size):
        yield slice(start, min(start + size, answers))


def certain(codes: NDArray[Any], classes: int) -> TopAnswers:
    """The ground truth as answers: all probability on one class.

    Args:
        codes: (answers,) the column of each true class.
        classes: the number of columns.
    """
    kind = np.uint16 if classes <= np.iinfo(np.uint16).max else np.uint32
    return TopAnswers(
        codes.astype(kind)[:, None], np.zeros((len(codes), 1), np.float32), np.full(len(codes), -np.inf, dtype=np.float32), classes
    )


def is_certain(answers: Side) -> bool:
    """Whether answers put all probability on one class, as `certain` makes them."""
    return isinstance(answers, TopAnswers) and answers.ids.shape[1] == 1 and bool(np.isneginf(answers.rest).all())


def decided(answers: Side) -> Decisions:
    """The most probable class of each answer: (answers,)."""
    return answers.ids[:, 0].astype(np.intp) if isinstance(answers, TopAnswers) else decisions(answers)


def probability_of(answers: Side, ids: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The probabilities of some classes of each answer, and whether they are known.

    Args:
        answers: of any kind.
        ids: (answers, k) classes.

    Returns:
        (answers, k) probabilities; where one is not known, the mean of those of the rest.
    """
    places = ids.astype(np.intp)
    if not isinstance(answers, TopAnswers):
        return np.take_along_axis(answers, places, axis=1).astype(np.float64), np.ones(places.shape, dtype=bool)
    order = np.argsort(answers.ids, axis=1)  # so that an id is found by its place in the order, for any k
    in_order = np.take_along_axis(answers.ids.astype(np.intp), order, axis=1)
    shift = answers.columns * np.arange(len(places))[:, None]
    place = np.minimum(np.searchsorted((in_order + shift).ravel(), places + shift), in_order.size - 1)
    known = (in_order + shift).ravel()[place] == places + shift
    column = np.take_along_axis(order, np.where(known, place % in_order.shape[1], 0), axis=1)
    found = np.exp(np.take_along_axis(answers.log_probs.astype(np.float64), column, axis=1))
    others = max(answers.columns - answers.ids.shape[1], 1)
    equal = np.exp(answers.rest.astype(np.float64))[:, None] / others
    return np.where(known, found, equal), known | (equal == 0)


def buckets(target: Side, answers: Side) -> tuple[Floats, Floats]:
    """Two sets of distributions over the classes whose probability both know, and the rest of each as one more class.

    A divergence of these is at most that of the distributions over all classes. Answers of which all is known stay as they are.
    """
    if isinstance(answers, TopAnswers) and (is_certain(target) or not isinstance(target, TopAnswers)):
        ids = answers.ids  # of the target all is known
    elif isinstance(target, TopAnswers):
        ids = target.ids
    else:
        return np.asarray(target), np.asarray(answers)
    (p, known_p), (q, known_q) = probability_of(target, ids), probability_of(answers, ids)
    known = known_p & known_q
    return _with_rest(p * known, target), _with_rest(q * known, answers)


def _with_rest(probabilities: Floats, answers: Side) -> Floats:
    """Probabilities of some classes that answers know, and of all others as one more: the rest that they state, and what else they name.

    What rounded probabilities, such as those of a recording in half precision, leave of 1 would be their rounding error.
    """
    if not isinstance(answers, TopAnswers):
        return np.column_stack([probabilities, np.maximum(1 - probabilities.sum(axis=1), 0)])
    named = np.exp(answers.log_probs.astype(np.float64)).sum(axis=1)
    unnamed = np.exp(answers.rest.astype(np.float64))
    return np.column_stack([probabilities, unnamed + np.maximum(named - probabilities.sum(axis=1), 0)])


def squared_distance(target: TopAnswers, answers: Floats) -> Floats:
    """The Brier score of answers against a certain target: (answers,), the distance over all classes."""
    q, _ = probability_of(answers, target.ids)
    whole = np.einsum("ij,ij->i", answers, answers, dtype=np.float64)
    return np.asarray(whole - 2 * q[:, 0] + 1)


def confidence_and_outcome(target: Side, answers: Side) -> tuple[Floats, Floats]:
    """The probability of the most probable class of each answer, and what the target gives to that class: (answers,) each."""
    top = decided(answers)[:, None]
    return probability_of(answers, top)[0][:, 0], probability_of(target, top)[0][:, 0]
