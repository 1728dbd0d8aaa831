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
STARTS = (0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7)
"""1 - threshold where tests of the student's own answers start, each with its share of `delta`: at the highest threshold hardly any row
is answered, so that a sequence from there alone would end at once."""


@dataclass(frozen=True)
class Chosen:
    """A threshold, and what the calibration rows say at it.

    Attributes:
        threshold: the student answers rows of at least this confidence; infinite if it may answer none.
        rows: number of calibration rows.
        answered: number of those that the student answers.
        wrong: number of wrong answers, among those of which the rate is meant.
        of: number of answers of which the rate is meant.
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
    order that was fixed before any row was seen and at levels that sum to `delta` (`last_rejected`), so that the probability of a
    threshold whose rate lies below the target is at most `delta`, whatever the confidences are worth.

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
    order = np.argsort(-confidence, kind="stable")
    answered = np.searchsorted(-confidence[order], -tested, side="right")  # rows of at least each threshold
    wrong = np.append(0, np.cumsum(student_wrong[order]))[answered].astype(np.int64)
    count = answered
    if over == "all":
        count = np.full(len(tested), len(confidence))
        if teacher_wrong is not None:
            wrong += int(teacher_wrong.sum()) - np.append(0, np.cumsum(teacher_wrong[order]))[answered].astype(np.int64)
    p_values = np.asarray(stats.binom.cdf(wrong, count, 1 - target))  # 1 where the student answers nothing
    if over == "student" or teacher_wrong is None:
        p_values[0] = 0.0  # a student that answers nothing gives no wrong answer
    found = last_rejected(p_values, delta, _starts(tested, over))
    if found is None:
        return None
    found = found if answered[found] else 0
    return Chosen(float(tested[found]), len(confidence), int(answered[found]), int(wrong[found]), int(count[found]))


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


def _starts(tested: Floats, over: Over) -> list[int]:
    """Where the tests start: over all answers at the teacher alone, since the fewer rows the student answers, the fewer it gets wrong."""
    return [0] if over == "all" else [0, *(1 + np.searchsorted(1 - tested[1:], STARTS[1:])).tolist()]


def least_rows(target: float, delta: float, over: Over) -> int:
    """The number of answers that show a rate of at least `target` if none is wrong: fewer can never show it.

    Args:
        target: the rate of right answers.
        delta: the probability that the rate may be lower.
        over: of which answers; those of the student are tested from several starts, each with its share of `delta`.

    Example:
        >>> least_rows(0.99, 0.05, "all")
        299
    """
    level = delta if over == "all" else delta / len(STARTS)
    return math.ceil(math.log(level) / math.log(target))


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
