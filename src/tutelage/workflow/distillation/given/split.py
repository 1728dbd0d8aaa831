"""The split of the rows: test rows that choose nothing, and for each seed its own training and validation rows among the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.given.problem import Problem

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
        pool: places among the rows of the pool.
        removed: rows left out of training and validation, and why, as counts.
        repeated: number of test rows that repeat another test row; each counts, and intervals take them for rows of their own.
        seen: number of test rows that the teacher was trained on; None if its training rows are not known.
        is_own: whether the test rows were given as such.
        how: in a sentence, how the test rows were drawn.
    """

    development: Places
    test: Places
    pool: Places
    removed: dict[str, int]
    repeated: int
    seen: int | None
    is_own: bool
    how: str


def split(problem: Problem, *, seed: int) -> Split:
    """Split the rows once: stratified by class, by group, or with the latest rows for the test.

    Rows that are equal to a test row, or belong to the group of one, are left out of training and validation.

    Raises:
        BadInput: too few rows.
    """
    given, names = problem.given, problem.names
    if problem.test is not None:
        test, development = np.arange(problem.test.count), np.arange(given.count)
        test_names, how = names["test"], "The test rows were given."
    else:
        development, test, how = _drawn(problem, np.arange(given.count), TEST_SHARE, seed=seed)
        test_names = names["given"][test]
    leaked = np.isin(names["given"][development], test_names)
    removed = {"equal to a test row": int(leaked.sum())}
    development = development[~leaked]
    if problem.test is not None and given.groups is not None and problem.test.groups is not None:
        shared = np.isin(given.groups[development].astype(str), problem.test.groups.astype(str))
        removed["in the group of a test row"] = int(shared.sum())
        development = development[~shared]
    pool = np.arange(0 if problem.pool is None else problem.pool.count)
    if problem.pool is not None:
        in_test = np.isin(names["pool"], test_names)
        removed["of the pool, equal to a test row"] = int(in_test.sum())
        pool = pool[~in_test]
    seen = int(np.isin(test_names, names["seen"]).sum()) if problem.seen is not None else None
    found = Split(development, test, pool, removed, len(test) - len(np.unique(test_names)), seen, problem.test is not None, how)
    _check_counts(problem, found, seed=seed)
    return found


def _check_counts(problem: Problem, found: Split, *, seed: int) -> None:
    """Refuse parts with too few rows.

    Raises:
        BadInput: too few rows to train, validate or test on.
    """
    why = f"{found.how} " + " ".join(f"{count:,} rows were left out: {name}." for name, count in found.removed.items() if count)
    for name, places in (("train", found.development), ("test", found.test)):
        if len(places) < FEWEST:
            raise BadInput(f"there are {len(places):,} rows to {name} on; expected {FEWEST} at least. {why.strip()} Pass more rows.")
    train, validation = parts_of(problem, found, seed=seed)
    if min(len(train), len(validation)) < FEWEST * VALIDATION_SHARE:
        counts = f"{len(train):,} rows to train on and {len(validation):,} to validate on"
        raise BadInput(f"there are {counts}; expected {round(FEWEST * VALIDATION_SHARE)} at least. {why.strip()} Pass more rows or groups.")


def parts_of(problem: Problem, found: Split, *, seed: int) -> tuple[Places, Places]:
    """Training and validation rows of one seed: places among the given rows, without equal rows on both sides."""
    train, validation, _ = _drawn(problem, found.development, VALIDATION_SHARE, seed=seed)
    names = problem.names["given"]
    return train[~np.isin(names[train], names[validation])], validation


def not_validated(problem: Problem, found: Split, validation: Places) -> NDArray[np.bool_]:
    """For each row of the pool in a split, whether it differs from all validation rows of one seed."""
    names = problem.names
    return ~np.isin(names["pool"][found.pool], names["given"][validation])


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
