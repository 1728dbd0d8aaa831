"""Which student is shipped: validation chooses, and the smaller of those that it cannot tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.report.distillation.words import name_of
from tutelage.search.choice import smallest_of_equals
from tutelage.search.limits import FREE, distance
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.searching.judge import BETTER_IF_HIGHER, Judge


def validation_losses(one: Finalists, judge: Judge) -> Floats:
    """(seeds,) what validation minimises."""
    return np.array([judge.loss(each) for each in one.validation])


def best_of(every: Sequence[Finalists], judge: Judge) -> Finalists:
    """The best on validation rows of those that meet the limits, with latency to spare if any does; if none meets them, the nearest."""

    def key(one: Finalists) -> tuple[float, bool, float]:
        return *distance(one.excess), float(validation_losses(one, judge).mean())

    return min(every, key=key)


def choose(every: Sequence[Finalists], judge: Judge, *, weighted: bool = False) -> tuple[Finalists, str]:
    """The students that are shipped, and the reason in a phrase.

    Args:
        every: the arms to choose from.
        judge: by what they were judged.
        weighted: whether rows count by weights in its figures.
    """
    best = best_of(every, judge)
    if not best.meets_limits:
        return best, "no student meets the limits, and it is the nearest to them"
    meeting = [one for one in every if distance(one.excess) == distance(best.excess)]
    losses = np.stack([validation_losses(one, judge) for one in meeting])
    chosen = meeting[smallest_of_equals(losses, [one.size_bytes for one in meeting])]
    within, name = _within(meeting, every) if chosen.excess else "", name_of(judge.metric, judge.against, weighted=weighted)
    if chosen is best:
        return chosen, f"it has the best {name} on the validation rows{within}, {_figure(judge, best)}"
    return chosen, (
        f"it is smaller than {best.arm.name!r} ({_kilobytes(chosen)} against {_kilobytes(best)}), and the validation rows do not tell them "
        f"apart: {name} {_figure(judge, chosen)} against {_figure(judge, best)}{within}"
    )


def _within(meeting: Sequence[Finalists], every: Sequence[Finalists]) -> str:
    """Among which students one was chosen, as far as it follows from the limits."""
    if distance(meeting[0].excess) != (0.0, False):
        return f" of those within the limits, none of which leaves {100 * FREE:.0f} % of the latency free for slower moments"
    others = any(one.meets_limits for one in every if one not in meeting)
    return f" of those within the limits{f' that leave {100 * FREE:.0f} % of the latency free' if others else ''}"


def _figure(judge: Judge, one: Finalists) -> str:
    loss = float(validation_losses(one, judge).mean())
    return f"{100 * (1 - loss):.2f} %" if judge.metric in BETTER_IF_HIGHER else f"{loss:.4g}"


def _kilobytes(one: Finalists) -> str:
    return f"{(one.size_bytes or 0) / 1e3:.1f} kB"
