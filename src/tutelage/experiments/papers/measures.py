"""From what arms scored on test rows to measures, comparisons and claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.records import Comparison, Interval
from tutelage.evaluation.intervals import grand_mean_interval, mean_interval
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.report.papers.records import Claim, Measure, Outcome, Point
from tutelage.report.papers.words import amount, difference, ours


@dataclass(frozen=True)
class Scored:
    """What one arm scored: a table over seeds and test rows, or one figure per seed.

    Attributes:
        name, meaning, unit, published, digits: as in `Measure`.
        scores: (seeds, rows), or (seeds, 1) for one figure per seed.
        scale: by what the mean of the scores is multiplied for the unit: the number of rows for test errors.
        shared_rows: whether all seeds have the same test rows.
        lower_is_better: whether it is.
    """

    name: str
    meaning: str
    scores: NDArray[np.float64]
    unit: str
    scale: float = 1.0
    published: float | None = None
    digits: int = 0
    shared_rows: bool = True
    lower_is_better: bool = True

    @property
    def values(self) -> tuple[float, ...]:
        """One figure per seed."""
        return tuple((self.scores.mean(axis=1) * self.scale).tolist())

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(self.scores.mean() * self.scale)

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the mean, over seeds and shared test rows; None of a single seed."""
        if len(self.scores) < 2:
            return None
        if self.scores.shape[1] == 1:
            values = self.scores[:, 0] * self.scale
            equal = np.ptp(values) <= 1e-9 * np.abs(values).max()
            return None if equal else mean_interval(values)
        found = grand_mean_interval(self.scores, shared_rows=self.shared_rows)
        return Interval(found.low * self.scale, found.high * self.scale, found.over, found.caution)

    def measure(self) -> Measure:
        """The arm's row of the table."""
        return Measure(self.name, self.meaning, self.unit, self.values, self.interval, self.published, self.digits)

    def point(self, x: float) -> Point:
        """The arm as a point of a series."""
        interval = self.interval
        return Point(x, self.mean) if interval is None else Point(x, self.mean, interval.low, interval.high)


def choices(name: str, chosen: Sequence[float]) -> str:
    """Which settings the seeds chose, the most frequent first, such as "temperature 1 (4 of 6 seeds), 2 (2)"."""
    (first, many), *others = Counter(chosen).most_common()
    return ", ".join((f"{name} {first:g} ({many} of {len(chosen)} seeds)", *(f"{value:g} ({count})" for value, count in others)))


def errors_of(
    name: str, meaning: str, predictions: NDArray[np.int64], truth: NDArray[np.int64], *, published: float | None = None
) -> Scored:
    """The number of test errors of an arm.

    Args:
        name: of the arm.
        meaning: how it was trained.
        predictions: (seeds, rows) class indices.
        truth: (rows,) true classes.
        published: the paper's number of errors among as many rows.
    """
    wrong = np.asarray(predictions != truth, dtype=np.float64)
    return Scored(name, meaning, wrong, "test errors", scale=float(wrong.shape[1]), published=published)


def mean_errors_of(name: str, meaning: str, wrong: NDArray[np.float64]) -> Scored:
    """The number of test errors of an arm whose seeds have several networks, from (seeds, rows) shares of them that are wrong."""
    return Scored(name, meaning, wrong, "test errors", scale=float(wrong.shape[1]))


def per_seed(
    name: str,
    meaning: str,
    values: Sequence[float] | NDArray[np.floating[Any]],
    unit: str,
    *,
    published: float | None = None,
    digits: int = 2,
    lower_is_better: bool = True,
) -> Scored:
    """An arm with one figure per seed."""
    scores = np.asarray(values, dtype=np.float64)[:, None]
    return Scored(name, meaning, scores, unit, published=published, digits=digits, shared_rows=False, lower_is_better=lower_is_better)


def compare(a: Scored, b: Scored, question: str) -> Comparison:
    """The paired difference a - b, in their unit."""
    found, interval = paired_difference(a.scores, b.scores, shared_rows=a.shared_rows)
    scaled = Interval(interval.low * a.scale, interval.high * a.scale, interval.over, interval.caution)
    return Comparison(
        a=a.name,
        b=b.name,
        metric=a.unit,
        difference=found * a.scale,
        ci95=(scaled.low, scaled.high),
        verdict=verdict(found, interval, lower_is_better=a.lower_is_better),
        question=question,
        over=scaled.over,
        caution=scaled.caution,
    )


def claim_better(statement: str, published: str, comparison: Comparison, *, lower_is_better: bool = True) -> Claim:
    """The claim that the first arm of a comparison is better."""
    outcome: Outcome = {"beats": "reproduced", "worse": "not reproduced"}.get(comparison.verdict, "undecided")  # type: ignore[assignment]
    side = comparison.difference < 0 if lower_is_better else comparison.difference > 0
    rule = "Reproduced if the interval of the paired difference lies on the paper's side of zero."
    return _of_two(comparison, statement, published, outcome, rule, side)


def claim_alike(statement: str, published: str, comparisons: Sequence[Comparison], *, within: float) -> Claim:
    """The claim that two arms, or several, do not differ by more than `within` in their unit."""
    inside = all(max(abs(end) for end in one.ci95) <= within for one in comparisons)
    outside = any(one.ci95[0] > within or one.ci95[1] < -within for one in comparisons)
    outcome: Outcome = "reproduced" if inside else "not reproduced" if outside else "undecided"
    measured = "; ".join(f"{one.a} against {one.b}: {difference(one)}" for one in comparisons)
    rule = f"Reproduced if every interval lies within {within:g} {comparisons[0].metric} of zero; not if one lies outside."
    return Claim(statement, published, measured, outcome, rule, all(abs(one.difference) <= within for one in comparisons))


def claim_no_gain(statement: str, published: str, comparison: Comparison, *, within: float) -> Claim:
    """The claim that the first arm of a comparison gains nothing: that it is lower by at most `within` in their unit."""
    low, high = comparison.ci95
    outcome: Outcome = "not reproduced" if high < -within else "reproduced" if low >= -within else "undecided"
    rule = (
        f"Reproduced if no part of the interval of the paired difference lies below -{within:g} {comparison.metric}; not if all of it does."
    )
    return _of_two(comparison, statement, published, outcome, rule, comparison.difference >= -within)


def _of_two(comparison: Comparison, statement: str, published: str, outcome: Outcome, rule: str, side: bool) -> Claim:
    """A claim that the difference between two arms decides."""
    measured = f"{comparison.a} against {comparison.b}: {difference(comparison)}"
    return Claim(statement, published, measured, outcome, rule, side, arms=(comparison.a, comparison.b))


def claim_at_most(statement: str, published: str, arm: Scored, bound: float) -> Claim:
    """The claim that an arm's figure is at most `bound`."""
    interval = arm.interval or Interval(arm.mean, arm.mean, "")
    outcome: Outcome = "reproduced" if interval.high <= bound else "not reproduced" if interval.low > bound else "undecided"
    rule = f"Reproduced if the whole interval is at most {amount(bound, arm.digits)} {arm.unit}."
    return Claim(statement, published, f"{arm.name}: {ours(arm.measure())} {arm.unit}", outcome, rule, arm.mean <= bound)


def claim_at_least(statement: str, published: str, arm: Scored, bound: float) -> Claim:
    """The claim that an arm's figure is at least `bound`."""
    interval = arm.interval or Interval(arm.mean, arm.mean, "")
    outcome: Outcome = "reproduced" if interval.low >= bound else "not reproduced" if interval.high < bound else "undecided"
    rule = f"Reproduced if the whole interval is at least {amount(bound, arm.digits)} {arm.unit}."
    return Claim(statement, published, f"{arm.name}: {ours(arm.measure())} {arm.unit}", outcome, rule, arm.mean >= bound)


def claim_way(statement: str, published: str, arm: Scored, *, start: Scored, end: Scored | None, share: float) -> Claim:
    """The claim that an arm goes at least a share of the way from one arm to another.

    The paired difference between the arm and the point of that share decides: a ratio of two small differences has no useful interval.

    Args:
        statement: the claim.
        published: the paper's figures.
        arm: the arm in question.
        start: where the way begins, such as the student on labels.
        end: where it ends, such as the teacher; None for no errors at all.
        share: in [0, 1].
    """
    goal = np.zeros_like(start.scores) if end is None else end.scores
    aim = replace(start, name=f"{share:.0%} of the way", scores=(1 - share) * start.scores + share * goal)
    comparison = compare(arm, aim, "")
    way = start.mean - (0.0 if end is None else end.mean)
    rule = f"Reproduced if the interval of the paired difference to the point at {share:.0%} of the way lies on the paper's side of zero."
    if end is not None:
        rule += " Undecided where no difference is found between the ends of the way."
    if abs(way) < 1e-12 or (way < 0) == start.lower_is_better:
        return Claim(statement, published, f"{start.name} is no worse, so there is no way to go", "undecided", rule, False)
    if end is not None and compare(start, end, "").verdict == "no difference":
        measured = (
            f"no difference is found between the ends of the way, {end.name} against {start.name}: {difference(compare(end, start, ''))}; "
            f"to the point at {share:.0%} of it: {difference(comparison)}"
        )
        return Claim(statement, published, measured, "undecided", rule, (comparison.difference < 0) == arm.lower_is_better)
    closed = (start.mean - arm.mean) / way
    found = claim_better(statement, published, comparison, lower_is_better=arm.lower_is_better)
    return replace(found, measured=f"{closed:.0%} of the way; {found.measured}", rule=rule, arms=())


def claim_ratio(statement: str, published: str, a: Scored, b: Scored, *, expected: float, within: float = 0.1) -> Claim:
    """The claim that the figure of one arm is `expected` times that of another, on the same seeds, to a share of `within`."""
    interval = mean_interval(np.log(np.array(a.values) / np.array(b.values)))
    low, high, found = (float(np.exp(value)) for value in (interval.low, interval.high, (interval.low + interval.high) / 2))
    least, most = expected * (1 - within), expected * (1 + within)
    outcome: Outcome = "reproduced" if least <= low and high <= most else "not reproduced" if high < least or low > most else "undecided"
    rule = f"Reproduced if the interval of the mean ratio lies within {within:.0%} of {expected:.3f}."
    return Claim(statement, published, f"ratio {found:.3f} ({low:.3f} to {high:.3f})", outcome, rule, least <= found <= most)


def claim_within(statement: str, published: str, arm: Scored, other: Scored, *, factor: float) -> Claim:
    """The claim that an arm's errors are at most `factor` times those of another."""
    allowed = replace(other, name=f"{factor:g} times {other.name}", scores=factor * other.scores)
    rule = f"Reproduced if the interval of the paired difference to {factor:g} times its errors lies below zero."
    found = claim_better(statement, published, compare(arm, allowed, ""))
    ratio = arm.mean / other.mean if other.mean else float("inf")
    return replace(found, measured=f"{ratio:.2f} times; {found.measured}", rule=rule, arms=())
