"""Draws of a share of the rows: the latest, whole groups, or by class, where rare classes together give their share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.workflow.distillation.given.problem import Problem

Places = NDArray[np.intp]


def drawn_by_class(classes: NDArray[np.intp], share: float, random: np.random.Generator, *, keep_one: bool) -> NDArray[np.bool_]:
    """For each row, whether it is drawn.

    Each class gives its share, rounded up or down. The classes follow each other by rising size, those of one size in random order, and
    each passes what rounding left over to the next, so that many classes of two rows give their share together, though most of them give
    nothing. Rounding each class by itself would draw none of their rows.

    Args:
        classes: (rows,) the number of each row's class, from 0 on.
        share: of the rows that are drawn.
        random: draws the rows, and the order of the classes.
        keep_one: whether one row of each class at least is not drawn.

    Example:
        >>> classes = np.r_[np.arange(20).repeat(2), np.full(60, 20)]
        >>> drawn = drawn_by_class(classes, 0.2, np.random.default_rng(0), keep_one=True)
        >>> int(drawn[:40].sum()), int(drawn[40:].sum())
        (8, 12)
    """
    sizes = np.bincount(classes)
    members = [random.permutation(np.flatnonzero(classes == code)) for code in range(len(sizes))]
    drawn, owed = np.zeros(len(classes), dtype=bool), 0.0
    for code in np.lexsort((random.random(len(sizes)), sizes)):
        most = min(int(np.ceil(share * sizes[code])), sizes[code] - int(keep_one))
        owed += share * sizes[code]
        count = int(np.clip(np.floor(owed + 0.5 + 1e-9), 0, most))  # a half is rounded up, whatever the sum before it lost
        drawn[members[code][:count]] = True
        owed -= count
    return drawn


def drawn(problem: Problem, places: Places, share: float, *, seed: int, keep_one: bool = True) -> tuple[Places, Places, str]:
    """Some of the given rows in a larger and a smaller part, each in order, and how they were drawn.

    Where they are drawn by class, one row of each at least stays in the larger part, so that it can be learnt, unless `keep_one` is False:
    a rate is proven on a draw that leaves nothing out.
    """
    given, count = problem.given, len(places)
    if given.times is not None:
        times, how = given.times[places], ""
        if given.groups is not None:
            times, how = latest(times, codes(given.groups[places])), ", by the latest row of each group,"
        border = np.sort(times, kind="stable")[min(round((1 - share) * count), count - 1)]  # rows of one moment stay together
        late = times >= border
        return places[~late], places[late], f"The latest {late.mean():.0%} of the rows{how} are for the test."
    random = np.random.default_rng(seed)
    if given.groups is not None:
        of_rows = codes(given.groups[places])
        groups = random.permutation(of_rows.max() + 1)[: max(1, round(share * (of_rows.max() + 1)))]
        chosen = np.isin(of_rows, groups)
        return places[~chosen], places[chosen], f"{share:.0%} of the groups were drawn for the test."
    classes = _strata(problem, places)
    if classes is not None and count:
        chosen = drawn_by_class(classes, share, random, keep_one=keep_one)
        return places[~chosen], places[chosen], f"{chosen.mean():.0%} of the rows were drawn for the test, stratified by class."
    chosen = random.permutation(count) < round(share * count)
    return places[~chosen], places[chosen], f"{share:.0%} of the rows were drawn for the test."


def codes(groups: NDArray[Any]) -> Places:
    """(rows,) the number of each row's group."""
    return np.unique(groups.astype(str), return_inverse=True)[1]


def latest(times: NDArray[Any], groups: Places) -> NDArray[Any]:
    """(rows,) for each row, the latest time of its group, by the numbers of the groups."""
    order = np.argsort(times, kind="stable")
    last = np.empty(groups.max(initial=-1) + 1, dtype=times.dtype)
    last[groups[order]] = times[order]  # of repeated places, the last assigned value stays
    return last[groups]


def _strata(problem: Problem, places: Places) -> Places | None:
    """Classes to stratify by; None for values and for several labels."""
    truth = problem.given.truth
    if truth is None or problem.form.task not in ("binary", "multiclass"):
        return None
    return np.unique(truth[places].astype(str), return_inverse=True)[1]
