"""What would make a distilled student better, with figures: more rows, a larger student, a better teacher, or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.records import Comparison
from tutelage.search.choice import smallest_of_equals
from tutelage.search.study import Trial

Subject = Literal["limits", "more rows", "larger student", "better teacher", "nothing"]
NOTICEABLE = 0.02
"""The least share of a loss that counts as a gain, and within which two are equal; also where a standard error is not known."""


@dataclass(frozen=True)
class CurvePoint:
    """Students with some of the rows without ground truth, on validation rows.

    Attributes:
        rows: number of rows without ground truth that they learnt from.
        values: the metric of each seed.
    """

    rows: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Advice:
    """What one change would bring.

    Attributes:
        about: the change; "limits" where no student meets them.
        helps: whether it would help; None if that is not known.
        sentence: with the figures it rests on.
        figures: the same as numbers, by name.
    """

    about: Subject
    helps: bool | None
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """The figure that decides.

    Attributes:
        name: such as "accuracy".
        higher: whether higher is better; such figures are shares, printed in per cent.
    """

    name: str
    higher: bool

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return f"{100 * value:.1f} %" if self.higher else f"{value:.4g}"

    def losses(self, values: Sequence[float]) -> Floats:
        """What is minimised."""
        return np.array([1 - value if self.higher else value for value in values], dtype=np.float64)


def about_rows(curve: Sequence[CurvePoint], metric: Metric, *, rows: str, arm: str) -> Advice | None:
    """Whether more rows without ground truth would help: where the curve flattens; not known where it rises by less than seeds differ.

    Args:
        curve: by rising number of rows, the last with all of them; at least two points with the same seeds.
        metric: of the points.
        rows: what they are, such as "made rows".
        arm: whose students learn from them.

    Example:
        >>> curve = [CurvePoint(0, (0.80, 0.81)), CurvePoint(500, (0.85, 0.86)), CurvePoint(1000, (0.85, 0.86))]
        >>> about_rows(curve, Metric("accuracy", higher=True), rows="made rows", arm="answers, more rows").helps
        False
    """
    if len(curve) < 2:
        return None
    first, before, last = curve[0], curve[-2], curve[-1]
    losses = np.stack([metric.losses(point.values) for point in curve])
    place = smallest_of_equals(losses, [point.rows for point in curve])
    enough, means = curve[place], losses.mean(axis=1)
    figures = {f"{metric.name} with {point.rows} rows": point.mean for point in curve} | {"enough": float(enough.rows)}
    ends = f"of the arm {arm!r} is {metric.shown(first.mean)} without them and {metric.shown(last.mean)} with all {last.rows:,}"
    if enough is not last and _gains(means[place], means[-1]):
        sentence = (
            f"Whether more {rows} would help is not known: on validation rows the {metric.name} {ends}, and the seeds differ as much."
        )
        return Advice("more rows", None, sentence, figures)
    helps = enough is last and _gains(means[-2], means[-1])
    if enough is last:
        where = (
            f"the last {last.rows - before.rows:,} {'still changed it' if helps else 'changed it only'} from {metric.shown(before.mean)}"
        )
    elif enough.rows:
        where = f"it is {metric.shown(enough.mean)} with {enough.rows:,} of them"
    else:
        where = "it does not gain by them"
    would = "would help" if helps else "would not help"
    return Advice("more rows", helps, f"More {rows} {would}: on validation rows the {metric.name} {ends}, and {where}.", figures)


def _gains(loss: float, less: float) -> bool:
    """Whether a loss is lower by a noticeable share of the other; where nothing is left to lose, nothing is gained."""
    return bool(loss > less and loss - less >= NOTICEABLE * loss)


def about_size(trials: Sequence[Trial], chosen: Trial, metric: Metric, *, rows: int) -> Advice | None:
    """Whether a student beyond the limits that is larger or slower than the chosen one would be better; None if none was tried.

    Args:
        trials: of the search of the chosen student's arm.
        chosen: the trial whose settings it has; it may exceed the limits itself.
        metric: that decides.
        rows: number of validation rows.
    """
    known = [trial for trial in trials if trial.loss is not None and any(_dearer(trial, chosen))]
    if not known or chosen.loss is None:
        return None
    best = min(known, key=lambda trial: trial.loss or 0.0)
    loss, least = chosen.loss, best.loss or 0.0
    value, other = (1 - loss, 1 - least) if metric.higher else (loss, least)
    noise = math.sqrt(max(loss * (1 - loss), 0.0) / rows) if metric.higher else NOTICEABLE * abs(loss)
    figures = {"chosen": value, "larger": other, "bytes": float(best.size_bytes or 0)}
    size = "" if best.size_bytes is None else f" ({best.size_bytes / 1e3:.1f} kB)"
    kind = "larger" if _dearer(best, chosen)[0] else "slower"
    found = f"the best {kind} {best.student} beyond the limits{size} has {metric.name} {metric.shown(other)}"
    against = f"the chosen student {metric.shown(value)}"
    helps = loss - least > noise
    sentence = f"A {kind} student {'would' if helps else 'would not'} help: {found} on the validation rows of the search, {against}."
    return Advice("larger student", helps, sentence, figures)


def _dearer(trial: Trial, chosen: Trial) -> tuple[bool, bool]:
    """Whether a trial exceeds the limit of size and is larger than the chosen one, and the same of latency; False where not measured."""
    pairs = {"size": (trial.size_bytes, chosen.size_bytes), "latency": (trial.latency_us, chosen.latency_us)}
    larger, slower = (
        trial.excess.get(name, 0.0) > 0 and mine is not None and other is not None and mine > other for name, (mine, other) in pairs.items()
    )
    return larger, slower


def about_teacher(comparison: Comparison, *, student: float, teacher: float, metric: Metric, taught: bool = True) -> Advice:
    """Whether the student is as good as its teacher, so that only a better one could teach it more.

    It is as good if the interval of the difference ends at most `NOTICEABLE` of the teacher's loss below it. No teacher is better than one
    without a loss.

    Args:
        comparison: of the student and the teacher on the test rows.
        student: its metric there.
        teacher: that of the teacher.
        metric: that decides.
        taught: whether the student learnt from the teacher; otherwise nothing is known of a better one.
    """
    figures = {"student": student, "teacher": teacher}
    both = f"the student has {metric.name} {metric.shown(student)} on the test rows, the teacher {metric.shown(teacher)}"
    if not taught:
        return Advice(
            "better teacher", None, f"Whether a better teacher would help is not known: {both}, and it did not learn from it.", figures
        )
    if comparison.verdict == "worse":
        return Advice("better teacher", False, f"The student has not reached its teacher: {both}.", figures)
    of_teacher = float(metric.losses([teacher])[0])
    if of_teacher <= 0:
        return Advice("better teacher", False, f"A better teacher would not help: {both}, which is the best there is.", figures)
    behind = max(0.0, -comparison.ci95[0] if metric.higher else comparison.ci95[1])
    if behind <= NOTICEABLE * of_teacher:
        return Advice("better teacher", True, f"A better teacher would help: {both}, and there is no more to learn from this one.", figures)
    least = f"{100 * behind:.1f} points" if metric.higher else f"{behind:.3g}"
    why = f"the student may be as good as this one or worse by up to {least}"
    return Advice("better teacher", None, f"Whether a better teacher would help is not known: {both}, and {why}.", figures)


def about_limits(
    excess: Mapping[str, float], figures: Mapping[str, float | None], limits: Mapping[str, float | None], *, drop_unit: str = "points"
) -> Advice | None:
    """How far the nearest student is from which limit; None if it meets all.

    Args:
        excess: for each limit, how far it is exceeded as a share.
        figures: what was measured: "size" in bytes, "latency" in microseconds, "drop".
        limits: by the same names.
        drop_unit: of the drop.
    """
    beyond = {name: value for name, value in excess.items() if value > 0}
    if not beyond:
        return None
    units = {"size": "bytes", "latency": "us", "drop": drop_unit}
    parts = []
    for name in sorted(beyond, key=lambda one: -beyond[one]):
        figure, limit = figures.get(name), limits.get(name)
        measured = "it could not be measured" if figure is None else f"{figure:,.4g} {units[name]} against {limit:,.4g}"
        parts.append(f"the {name} ({measured})")
    return Advice("limits", True, f"No student meets the limits; the nearest exceeds that of {' and of '.join(parts)}.", dict(beyond))


def nothing_helps(found: Sequence[Advice]) -> tuple[Advice, ...]:
    """The advice, and that nothing that was tried would help, if something was and it is known that none of it would."""
    tried = any(one.about in ("more rows", "larger student") for one in found)
    if not tried or any(one.helps is not False for one in found):
        return tuple(found)
    return (*found, Advice("nothing", False, "Nothing that was tried would make this student better."))
