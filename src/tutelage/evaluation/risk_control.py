"""Learn-then-Test: the lowest confidence at which a student may answer in its teacher's place, at a rate that is guaranteed."""

from __future__ import annotations

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
"""1 - threshold where sequences of tests of the student's own answers start, each with its share of `delta`: at the highest threshold
hardly any row is answered, so that a sequence from there alone would end at once."""


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
    """(STEPS,) the thresholds that are tested, from high to low; the last is 0, at which the student answers every row."""
    tested: Floats = 1 - np.geomspace(LEAST, 1, STEPS)
    return tested


def learn_then_test(
    confidence: Floats, student_wrong: NDArray[np.bool_], teacher_wrong: NDArray[np.bool_], *, target: float, delta: float, over: Over
) -> Chosen:
    """The lowest threshold at which at least `target` of the answers are right, with probability 1 - `delta` over calibration rows.

    For each threshold, the hypothesis that the rate of right answers lies below the target is tested by the exact binomial test; a
    sequence of tests ends at the first that does not reject, so that the probability of a threshold whose rate lies below the target is
    at most `delta`, whatever the confidences are worth.

    Args:
        confidence: (rows,) of the student, in [0, 1].
        student_wrong: (rows,) whether the student's answer is wrong.
        teacher_wrong: (rows,) the same of the teacher; none is, where right means what the teacher says.
        target: the rate of right answers.
        delta: the probability that the rate may be lower.
        over: of which answers.

    Returns:
        The threshold; that of no answers (infinite) if nothing can be guaranteed.

    Source:
        Angelopoulos, Bates, Candes, Jordan, Lei: Learn then Test, 2021, arXiv 2110.01052; fixed-sequence testing with several starts.
    """
    tested = thresholds()
    order = np.argsort(-confidence, kind="stable")
    answered = np.searchsorted(-confidence[order], -tested, side="right")  # rows of at least each threshold
    of_student = np.append(0, np.cumsum(student_wrong[order]))[answered].astype(np.int64)
    of_teacher = int(teacher_wrong.sum()) - np.append(0, np.cumsum(teacher_wrong[order]))[answered].astype(np.int64)
    wrong = of_student + of_teacher if over == "all" else of_student
    count = np.full(len(tested), len(confidence)) if over == "all" else answered
    p_values = np.asarray(stats.binom.cdf(wrong, count, 1 - target))  # 1 where the student answers nothing
    found = _last_rejected(p_values, delta, np.searchsorted(1 - tested, STARTS[:1] if over == "all" else STARTS))
    if found is None:
        return Chosen(np.inf, len(confidence), 0, int(teacher_wrong.sum()) if over == "all" else 0, len(confidence) if over == "all" else 0)
    return Chosen(float(tested[found]), len(confidence), int(answered[found]), int(wrong[found]), int(count[found]))


def _last_rejected(p_values: Floats, delta: float, starts: NDArray[np.intp]) -> int | None:
    """The last hypothesis that is rejected by sequences of tests from several starts; None if no sequence rejects its first."""
    last: int | None = None
    for first in starts.tolist():
        passed = p_values[first:] <= delta / len(starts)
        length = len(passed) if passed.all() else int(passed.argmin())
        if length:
            last = max(last or 0, first + length - 1)
    return last


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
