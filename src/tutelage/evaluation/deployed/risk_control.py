"""Learn-then-Test: the lowest confidence at which a student may answer in its teacher's place, at a rate that is guaranteed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tutelage.core.arrays import Floats

Over = Literal["all", "student"]
"""The answers of which a rate is meant: all, or those that the student gives itself."""
STEPS = 2000
LEAST = 1e-9
"""The thresholds that are tested are fixed before any row is seen: 1 - threshold grows from LEAST to 1 in equal ratios."""
EVERY, STARTS = 10, (0.5, 0.75)
"""One row in ten only says where to begin testing the student's own answers: at these shares of what it seems able to answer."""
DRAW = 0
"""Seed by which those rows are drawn: not by their places, as rows may come in turn from several sources."""


@dataclass(frozen=True)
class Chosen:
    """A threshold, and what the calibration rows say at it.

    Attributes:
        threshold: the student answers rows of at least this confidence; infinite if it may answer none.
        rows: number of calibration rows.
        answered: number of those that the student answers.
        wrong: number of wrong answers, among those that were tested.
        of: number of answers that were tested: of all rows, or of those of the student without the tenth set apart.
    """

    threshold: float
    rows: int
    answered: int
    wrong: int
    of: int


def thresholds() -> Floats:
    """(1 + STEPS,) the thresholds that are tested, from high to low: infinity, at which the student answers nothing, to 0."""
    tested: Floats = np.append(np.inf, 1 - np.geomspace(LEAST, 1, STEPS))
    return tested


def learn_then_test(
    confidence: Floats,
    student_wrong: NDArray[np.bool_],
    teacher_wrong: NDArray[np.bool_] | None,
    *,
    target: float,
    delta: float,
    over: Over,
) -> Chosen | None:
    """The lowest threshold at which at least `target` of the answers are right, with probability 1 - `delta` over calibration rows.

    For each threshold, the hypothesis that the rate of right answers lies below the target is tested by the exact binomial test, in an
    order that the tested rows do not choose and at levels that sum to `delta` (`last_rejected`), so that the probability of a threshold
    whose rate lies below the target is at most `delta`, whatever the confidences are worth.

    Over all answers the tests begin where the student answers nothing. Over its own answers they would end there at once, since hardly
    any row lies above the highest thresholds; so a tenth of the rows, drawn by their number alone, is set apart to say where to begin.

    Args:
        confidence: (rows,) of the student, in [0, 1].
        student_wrong: (rows,) whether the student's answer is wrong.
        teacher_wrong: (rows,) the same of the teacher; None where right means what the teacher says.
        target: the rate of right answers.
        delta: the probability that the rate may be lower.
        over: of which answers.

    Returns:
        The threshold, infinite if the student may answer nothing; None if the rate is not shown of the teacher alone either.

    Source:
        Angelopoulos, Bates, Candes, Jordan, Lei: Learn then Test, 2021, arXiv 2110.01052.
    """
    tested = thresholds()
    used = np.ones(len(confidence), dtype=bool)
    starts = [0]
    if over == "student":
        used[np.random.default_rng(DRAW).permutation(len(used))[::EVERY]] = False
        starts = _starts(tested, confidence[~used], student_wrong[~used], int(used.sum()), target=target, delta=delta)
    order = np.flatnonzero(used)[np.argsort(-confidence[used], kind="stable")]
    count = np.searchsorted(-confidence[order], -tested, side="right")  # tested rows of at least each threshold
    wrong = np.append(0, np.cumsum(student_wrong[order]))[count].astype(np.int64)
    if over == "all" and teacher_wrong is not None:
        wrong += int(teacher_wrong.sum()) - np.append(0, np.cumsum(teacher_wrong[order]))[count].astype(np.int64)
    of = np.full(len(tested), len(confidence)) if over == "all" else count
    p_values = np.asarray(stats.binom.cdf(wrong, of, 1 - target))  # 1 where there is no answer
    if over == "student" or teacher_wrong is None:
        p_values[0] = 0.0  # a student that answers nothing gives no wrong answer
    found = last_rejected(p_values, delta, starts)
    if found is None and p_values[0] > 0:
        return None
    found = found if found is not None and count[found] else 0
    answered = int((confidence >= tested[found]).sum())
    return Chosen(float(tested[found]), len(confidence), answered, int(wrong[found]), int(of[found]))


def _starts(tested: Floats, confidence: Floats, wrong: NDArray[np.bool_], others: int, *, target: float, delta: float) -> list[int]:
    """Where to begin testing the student's own answers, from rows that are not tested themselves.

    Args:
        tested: the thresholds.
        confidence: (rows,) of the student, on the rows set apart.
        wrong: (rows,) whether its answer is wrong.
        others: the number of rows that are tested.
        target: the rate of right answers.
        delta: the probability that the rate may be lower.

    Returns:
        Positions of thresholds, in order.
    """
    rows = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    good = np.flatnonzero(np.cumsum(wrong[order]) <= (1 - target) * np.arange(1, rows + 1))
    most = int(good[-1]) + 1 if len(good) else rows // 4
    alone = _least_answers(target, delta / len(STARTS))  # a start has its share of delta
    needed = min(alone / max(others, 1), 1.0)  # the share that must be answered for any test to reject
    least = math.ceil(rows * needed + math.sqrt(rows * needed * (1 - needed)))
    ranks = [min(max(int(share * most), least, 1), rows) for share in STARTS]
    return sorted({int(np.searchsorted(-tested, -confidence[order[rank - 1]])) for rank in ranks})  # the highest that answers so many


def last_rejected(p_values: Floats, delta: float, starts: list[int]) -> int | None:
    """The last hypothesis of a sequence that is rejected, where the probability of rejecting any true one is at most `delta`.

    Each start has an equal share of `delta`. A hypothesis that is rejected passes its level on to the next, which adds its own share if
    it is a start; one that is not rejected loses it. This is the fallback procedure; with a single start it is fixed-sequence testing.

    Args:
        p_values: (hypotheses,) in the order of the sequence.
        delta: the probability of rejecting a true hypothesis.
        starts: positions in the sequence, in order.

    Returns:
        The position; None if no hypothesis is rejected.

    Source:
        Wiens 2003, "A fixed sequence Bonferroni procedure for testing multiple endpoints", Pharmaceutical Statistics 2; Wiens,
        Dmitrienko 2005, "The fallback procedure for evaluating a single family of hypotheses".
    """
    last: int | None = None
    level = 0.0
    for first, end in zip(starts, [*starts[1:], len(p_values)], strict=True):
        level += delta / len(starts)
        passed = p_values[first:end] <= level
        length = len(passed) if passed.all() else int(passed.argmin())
        last = first + length - 1 if length else last
        level = level if length == len(passed) else 0.0
    return last


def least_rows(target: float, delta: float, over: Over) -> int:
    """The number of calibration rows below which a rate of at least `target` can never be shown, even if no answer is wrong.

    Over all answers that many rows without a wrong answer show it. Over the student's own they may: whether enough of them lie above
    where the tests begin depends on the confidences of the rows that are set apart.

    Args:
        target: the rate of right answers.
        delta: the probability that the rate may be lower.
        over: of which answers; for those of the student, a tenth of the rows is set apart.

    Example:
        >>> least_rows(0.99, 0.05, "all"), least_rows(0.99, 0.05, "student")
        (299, 333)
    """
    answers = _least_answers(target, delta)
    return answers if over == "all" else answers + math.ceil(answers / (EVERY - 1))


def _least_answers(target: float, delta: float) -> int:
    return math.ceil(math.log(delta) / math.log(target))


def lower_bound(right: int, of: int, delta: float) -> float:
    """The rate that is at least this with probability 1 - delta, from a number of right answers: Clopper and Pearson's, one-sided."""
    return float(stats.beta.ppf(delta, right, of - right + 1)) if right else 0.0


def coverage_curve(confidence: Floats, wrong: NDArray[np.bool_], *, points: int = 101) -> tuple[tuple[float, float, float], ...]:
    """How much a student may answer, and how much of that is right: (threshold, share answered, share right among those).

    Args:
        confidence: (rows,) of the student.
        wrong: (rows,) whether its answer is wrong.
        points: number of shares, equally far apart; rows of equal confidence are answered together.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, right = confidence[order], np.cumsum(~wrong[order])
    last = np.unique(np.searchsorted(-ordered, -ordered[np.unique(np.linspace(0, len(order) - 1, points).astype(int))], side="right")) - 1
    return tuple((float(ordered[at]), float((at + 1) / len(order)), float(right[at] / (at + 1))) for at in last)
