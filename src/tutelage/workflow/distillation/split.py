"""The split of the rows: test rows that choose nothing, and for each seed its own training and validation rows among the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.problem import Problem

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of the rows that are not tested on."""
FEWEST = 20
"""Rows of the smallest part."""

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows are for what.

    Attributes:
        development: places among the given rows that are trained and validated on.
        test: places among the given rows, or among the test rows if there are any.
        removed: rows left out of training and validation, and why, as counts.
        is_own: whether the test rows were given as such.
        how: in a sentence, how the test rows were drawn.
    """

    development: Places
    test: Places
    removed: dict[str, int]
    is_own: bool
    how: str


def split(problem: Problem, *, seed: int) -> Split:
    """Split the rows once: stratified by class, by group, or with the latest rows for the test.

    Rows that are equal to a test row are left out of training and validation.

    Raises:
        BadInput: too few rows.
    """
    given = problem.given
    if problem.test is not None:
        test, development = np.arange(problem.test.count), np.arange(given.count)
        test_names, how = problem.test.names(), "The test rows were given."
    else:
        development, test, how = _drawn(problem, np.arange(given.count), TEST_SHARE, seed=seed)
        test_names = given.names()[test]
    leaked = np.isin(given.names()[development], test_names)
    development = development[~leaked]
    smallest = min(len(test), len(development))
    if smallest < FEWEST:
        found = f"there are {len(development):,} rows to train on and {len(test):,} to test on"
        raise BadInput(f"{found}; expected {FEWEST} of each at least. Pass more rows.")
    return Split(development, test, {"equal to a test row": int(leaked.sum())}, problem.test is not None, how)


def parts_of(problem: Problem, found: Split, *, seed: int) -> tuple[Places, Places]:
    """Training and validation rows of one seed: places among the given rows, without equal rows on both sides."""
    development = found.development
    train, validation, _ = _drawn(problem, development, VALIDATION_SHARE, seed=seed)
    names = problem.given.names()
    return train[~np.isin(names[train], names[validation])], validation


def _drawn(problem: Problem, places: Places, share: float, *, seed: int) -> tuple[Places, Places, str]:
    """Some of the given rows in a larger and a smaller part, each in order, and how they were drawn."""
    given, count = problem.given, len(places)
    if given.times is not None:
        times = given.times[places]
        border = np.sort(times, kind="stable")[min(round((1 - share) * count), count - 1)]  # rows of one moment stay together
        late = times >= border
        return places[~late], places[late], f"The latest {share:.0%} of the rows are for the test."
    random = np.random.default_rng(seed)
    if given.groups is not None:
        _, codes = np.unique(given.groups[places].astype(str), return_inverse=True)
        drawn = random.permutation(codes.max() + 1)[: max(1, round(share * (codes.max() + 1)))]
        chosen = np.isin(codes, drawn)
        return places[~chosen], places[chosen], f"{share:.0%} of the groups were drawn for the test."
    classes = _strata(problem, places)
    if classes is not None:
        chosen = np.zeros(count, dtype=bool)
        for code in range(classes.max() + 1):
            members = random.permutation(np.flatnonzero(classes == code))
            chosen[members[: round(share * len(members))]] = True
        return places[~chosen], places[chosen], f"{share:.0%} of the rows of each class were drawn for the test."
    chosen = random.permutation(count) < round(share * count)
    return places[~chosen], places[chosen], f"{share:.0%} of the rows were drawn for the test."


def _strata(problem: Problem, places: Places) -> Places | None:
    """Classes to stratify by; None for values and for several labels."""
    truth = problem.given.truth
    if truth is None or problem.form.task not in ("binary", "multiclass"):
        return None
    return np.unique(truth[places].astype(str), return_inverse=True)[1]
