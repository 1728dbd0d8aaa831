"""The split of the rows: test rows that choose nothing, rows to calibrate a threshold, and for each seed its own to train and validate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash
from tutelage.data.row_names import Names
from tutelage.losses.class_weights import class_weights_of, row_weights
from tutelage.workflow.distillation.given.calibration import CALIBRATION_SHARE, calibration_notes, check_calibration, independent
from tutelage.workflow.distillation.given.problem import Problem, RowSet
from tutelage.workflow.distillation.given.strata import drawn_by_class

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of the rows that are neither tested nor calibrated on."""
TIMED_SHARE = 0.8
"""Of the rows before the validation rows, where times order them: each seed trains on its own draw, as random splits give it."""
FEWEST = 20
"""Rows of the smallest part."""
REMOVED_SHARE = 0.2
"""More rows than this left out of training are named in a note."""

Places = NDArray[np.intp]


def _none() -> Places:
    return np.arange(0)


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows are for what.

    Attributes:
        development: places among the given rows that are trained and validated on.
        test: places among the given rows, or among the test rows if there are any.
        calibration: places among the given rows that are held back to calibrate the threshold of a cascade; none without one.
        independent: those of them that the threshold is calibrated on: all, or one of each group.
        pool: places among the rows of the pool.
        removed: rows left out of training and validation, and why, as counts.
        repeated: number of test rows that repeat another test row; each counts, and intervals take them for rows of their own.
        seen: number of test rows that the teacher was trained on; None if its training rows are not known.
        is_own: whether the test rows were given as such.
        how: in a sentence, how the test rows were drawn.
        weights: (rows,) what each of the given rows weighs, by itself and by its class; None if all weigh the same, or by the teacher.
        class_weights: (classes,); None if all weigh the same.
        notes: what the reader of the figures should know of it, as sentences.
    """

    development: Places
    test: Places
    pool: Places
    removed: dict[str, int]
    repeated: int
    seen: int | None
    is_own: bool
    how: str
    weights: Floats | None = None
    class_weights: Floats | None = None
    notes: tuple[str, ...] = ()
    calibration: Places = field(default_factory=_none)
    independent: Places = field(default_factory=_none)

    def fingerprint(self, problem: Problem, *, seed: int) -> str:
        """What tells this split, and how its seeds draw from it, from that of another version of this package."""
        return content_hash([self.development, self.test, self.pool, self.independent, *parts_of(problem, self, seed=seed)])


def split(problem: Problem, *, seed: int, cascade: float | None = None) -> Split:
    """Split the rows once: stratified by class, by group, or with the latest rows for the test.

    The rows to calibrate a cascade on are drawn from all that are not tested on, and keep their repeats and what equals a test row: only
    such a draw has the rate of the rows to come. Rows that are equal to a test row or a calibration row, or belong to the group of one, are
    left out of training and validation. Where columns are so coarse that rows are equal by chance, equal rows stay.

    Args:
        problem: teacher and rows.
        seed: of the draws.
        cascade: the rate that a cascade is to keep; then rows to calibrate its threshold are held back as the test rows are, after them.

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
    test_groups = None if given.groups is None else (given.groups[test] if problem.test is None else problem.test.groups)
    calibration = _none()
    if cascade is not None and len(development):
        development, calibration, _ = _drawn(problem, development, CALIBRATION_SHARE, seed=seed, keep_one=False)
    counted = independent(problem, calibration, seed=seed)
    if cascade is not None:
        check_calibration(problem, len(counted), cascade)
    removed = {} if problem.unlabelled is None else problem.unlabelled.left_out
    all_rows = len(development)
    development = _kept(problem, development, test_names, test_groups, calibration, removed)
    pool = _pool(problem, development, test_names, test_groups, removed, calibration, seed=seed)
    seen = int(np.isin(test_names, names["seen"]).sum()) if problem.seen is not None else None
    repeated = len(test) - len(np.unique(test_names))
    left_out = all_rows - len(development)
    notes = (
        *_notes(problem, left_out=left_out, of=all_rows, equal="test rows" if cascade is None else "test or calibration rows"),
        *calibration_notes(problem, len(calibration), counted),
    )
    truth = problem.truths["given"]
    class_weights = class_weights_of(
        problem.class_weight,
        problem.form,
        None if truth is None else truth[development],
        None if given.weights is None else given.weights[development],
    )
    weights = row_weights(given.weights, class_weights, truth)
    own, how = problem.test is not None, how + _untested(problem, test)
    found = Split(development, test, pool, removed, repeated, seen, own, how, weights, class_weights, notes, calibration, counted)
    _check_counts(problem, found, seed=seed)
    return found


def _kept(
    problem: Problem,
    places: Places,
    test_names: Names,
    test_groups: NDArray[Any] | None,
    calibration: Places,
    removed: dict[str, int],
) -> Places:
    """The rows that may be trained and validated on; those that may not are counted in `removed`."""
    names, groups = problem.names["given"], problem.given.groups
    leaked = _equal(problem, names[places], test_names)
    removed["equal to a test row"] = int(leaked.sum())
    places = places[~leaked]
    if groups is not None and problem.test is not None:
        shared = _shared(groups[places], test_groups)
        removed["in the group of a test row"] = int(shared.sum())
        places = places[~shared]
    if len(calibration):
        same = _equal(problem, names[places], names[calibration])
        removed["equal to a calibration row"] = int(same.sum())
        places = places[~same]
    return places


def _pool(
    problem: Problem,
    development: Places,
    test_names: Names,
    test_groups: NDArray[Any] | None,
    removed: dict[str, int],
    calibration: Places,
    *,
    seed: int,
) -> Places:
    """Places among the rows of the pool that may be learnt from; those that may not are counted in `removed`.

    Where times order the rows, the teacher is not asked what comes later than the rows that students learn from: all seeds are validated
    on the same latest rows, and those of the pool come before them.
    """
    given, pool = problem.given, problem.pool
    places = np.arange(0 if pool is None else pool.count)
    if pool is None:
        return places
    in_test = _equal(problem, problem.names["pool"], test_names)
    removed["of the pool, equal to a test row"] = int(in_test.sum())
    places = places[~in_test]
    if pool.groups is not None:
        shared = _shared(pool.groups[places], test_groups)
        removed["of the pool, in the group of a test row"] = int(shared.sum())
        places = places[~shared]
    if len(calibration):
        held_back = _equal(problem, problem.names["pool"][places], problem.names["given"][calibration])
        if pool.groups is not None and given.groups is not None:
            held_back |= _shared(pool.groups[places], given.groups[calibration])
        removed["of the pool, equal to a calibration row or in its group"] = int(held_back.sum())
        places = places[~held_back]
    if pool.times is not None and given.times is not None and len(development):
        validation = _drawn(problem, development, VALIDATION_SHARE, seed=seed)[1]
        times = given.times[validation]
        border = times.min() if given.groups is None else _latest(times, _codes(given.groups[validation])).min()
        late = np.asarray(pool.times[places] >= border, dtype=bool)
        removed["of the pool, not before the rows to validate and test on"] = int(late.sum())
        places = places[~late]
    return places


def _equal(problem: Problem, names: Names, others: Names) -> NDArray[np.bool_]:
    """For each row, whether it is left out because it equals one of others."""
    return np.zeros(len(names), dtype=bool) if problem.equal_by_chance else np.isin(names, others)


def _shared(groups: NDArray[Any], others: NDArray[Any] | None) -> NDArray[np.bool_]:
    """For each row, whether its group is among others."""
    return np.zeros(len(groups), dtype=bool) if others is None else np.isin(groups.astype(str), others.astype(str))


def _notes(problem: Problem, *, left_out: int, of: int, equal: str) -> Iterator[str]:
    if problem.unlabelled is not None and len(problem.unlabelled.numbers):
        yield problem.unlabelled.note
    if problem.equal_by_chance:
        names = problem.names["given"]
        yield (
            f"Only {len(np.unique(names)):,} of {len(names):,} rows are distinct: equal rows are trained on and tested on, as new rows "
            "will equal old ones. If they are copies of rows, drop them."
        )
    if left_out > REMOVED_SHARE * of:
        yield (
            f"{left_out:,} of {of:,} rows were left out of training and validation, as they are equal to {equal} or in their groups: "
            "students learn from fewer rows than they could. Drop repeated rows, or pass other test rows."
        )
    if problem.given.groups is not None and problem.pool is not None and problem.pool.groups is None:
        yield "The rows of the pool come without groups: some may belong to groups that are tested on."
    if problem.given.times is not None and problem.pool is not None and problem.pool.times is None:
        yield "The rows of the pool come without times: some may be later than rows that are validated and tested on."
    if problem.given.times is not None:
        yield (
            f"All seeds are validated on the latest {VALIDATION_SHARE:.0%} of the rows not tested on, and each is trained on its own "
            f"{TIMED_SHARE:.0%} of those before: the spread over seeds is that of such draws."
        )


def _check_counts(problem: Problem, found: Split, *, seed: int) -> None:
    """Refuse parts with too few rows.

    Raises:
        BadInput: too few rows to train, validate or test on.
    """
    why = f"{found.how} " + " ".join(f"{count:,} rows were left out: {name}." for name, count in found.removed.items() if count)
    for name, places in (("train", found.development), ("test", found.test)):
        if len(places) < FEWEST:
            raise BadInput(f"there are {len(places):,} rows to {name} on; expected {FEWEST} at least. {why.strip()} Pass more rows.")
    if problem.pool is not None and not len(found.pool):
        raise BadInput(f"no row of the pool is left. {why.strip()} Pass other rows, or no pool and unlabelled='drop'.")
    test = problem.test
    tested = found.weights if test is None else row_weights(test.weights, found.class_weights, problem.truths["test"])
    _check_weights(tested, found.test, "test")
    _check_weights(found.weights, found.development, "train")
    train, validation = parts_of(problem, found, seed=seed)
    if min(len(train), len(validation)) < FEWEST * VALIDATION_SHARE:
        counts = f"{len(train):,} rows to train on and {len(validation):,} to validate on"
        raise BadInput(f"there are {counts}; expected {round(FEWEST * VALIDATION_SHARE)} at least. {why.strip()} Pass more rows or groups.")


def _check_weights(weights: Floats | None, places: Places, purpose: str) -> None:
    """Refuse a part whose rows weigh nothing.

    Raises:
        BadInput: too few rows of a weight above 0.
    """
    if weights is not None and (weights[places] > 0).sum() < FEWEST:
        some = f"{(weights[places] > 0).sum():,} of the {len(places):,} rows to {purpose} on have a weight above 0"
        raise BadInput(f"{some}; expected {FEWEST} at least. Pass more such rows, or leave the rows out that weigh nothing.")


def parts_of(problem: Problem, found: Split, *, seed: int) -> tuple[Places, Places]:
    """Training and validation rows of one seed: places among the given rows, without equal rows on both sides.

    Where times order the rows, all seeds validate on the latest, and each trains on its own draw of those before.

    Raises:
        BadInput: all rows of a part weigh nothing.
    """
    given = problem.given
    train, validation, _ = _drawn(problem, found.development, VALIDATION_SHARE, seed=seed)
    train = train[~_equal(problem, problem.names["given"][train], problem.names["given"][validation])]
    if given.times is not None:
        units = np.arange(len(train)) if given.groups is None else _codes(given.groups[train])
        drawn = np.random.default_rng(seed).permutation(units.max(initial=-1) + 1)
        train = train[np.isin(units, drawn[: max(1, round(TIMED_SHARE * len(drawn)))])]
    for purpose, places in (("train", train), ("validate", validation)):
        if found.weights is not None and len(places) and not found.weights[places].any():
            raise BadInput(f"all {len(places):,} rows to {purpose} on with seed {seed} weigh 0; leave out the rows that weigh nothing.")
    return train, validation


def weighed_like(problem: Problem, rows: RowSet, found: Split) -> RowSet:
    """Rows without ground truth with weights of their own: where they come without, the mean of those to train and validate on."""
    given = problem.given.weights
    if given is None:
        return rows
    own = np.full(rows.count, np.nan) if rows.weights is None else rows.weights
    return replace(rows, weights=np.where(np.isnan(own), given[found.development].mean(), own))


def not_validated(problem: Problem, found: Split, validation: Places) -> NDArray[np.bool_]:
    """For each row of the pool in a split, whether it differs from all validation rows of one seed, and is in the group of none."""
    names, given = problem.names, problem.given
    out = _equal(problem, names["pool"][found.pool], names["given"][validation])
    if problem.pool is not None and problem.pool.groups is not None and given.groups is not None:
        out |= _shared(problem.pool.groups[found.pool], given.groups[validation])
    return ~out


def _drawn(problem: Problem, places: Places, share: float, *, seed: int, keep_one: bool = True) -> tuple[Places, Places, str]:
    """Some of the given rows in a larger and a smaller part, each in order, and how they were drawn.

    Where they are drawn by class, one row of each at least stays in the larger part, so that it can be learnt, unless `keep_one` is False:
    a rate is proven on a draw that leaves nothing out.
    """
    given, count = problem.given, len(places)
    if given.times is not None:
        times, how = given.times[places], ""
        if given.groups is not None:
            times, how = _latest(times, _codes(given.groups[places])), ", by the latest row of each group,"
        border = np.sort(times, kind="stable")[min(round((1 - share) * count), count - 1)]  # rows of one moment stay together
        late = times >= border
        return places[~late], places[late], f"The latest {late.mean():.0%} of the rows{how} are for the test."
    random = np.random.default_rng(seed)
    if given.groups is not None:
        codes = _codes(given.groups[places])
        drawn = random.permutation(codes.max() + 1)[: max(1, round(share * (codes.max() + 1)))]
        chosen = np.isin(codes, drawn)
        return places[~chosen], places[chosen], f"{share:.0%} of the groups were drawn for the test."
    classes = _strata(problem, places)
    if classes is not None and count:
        chosen = drawn_by_class(classes, share, random, keep_one=keep_one)
        return places[~chosen], places[chosen], f"{chosen.mean():.0%} of the rows were drawn for the test, stratified by class."
    chosen = random.permutation(count) < round(share * count)
    return places[~chosen], places[chosen], f"{share:.0%} of the rows were drawn for the test."


def _codes(groups: NDArray[Any]) -> Places:
    """(rows,) the number of each row's group."""
    return np.unique(groups.astype(str), return_inverse=True)[1]


def _latest(times: NDArray[Any], codes: Places) -> NDArray[Any]:
    """(rows,) for each row, the latest time of its group."""
    order = np.argsort(times, kind="stable")
    last = np.empty(codes.max(initial=-1) + 1, dtype=times.dtype)
    last[codes[order]] = times[order]  # of repeated places, the last assigned value stays
    return last[codes]


def _strata(problem: Problem, places: Places) -> Places | None:
    """Classes to stratify by; None for values and for several labels."""
    truth = problem.given.truth
    if truth is None or problem.form.task not in ("binary", "multiclass"):
        return None
    return np.unique(truth[places].astype(str), return_inverse=True)[1]


def _untested(problem: Problem, test: Places) -> str:
    """How many classes of the given rows have no test row, in a sentence after another; "" if all have one."""
    given, tested = problem.truths["given"], problem.truths["test"]
    if given is None or problem.form.task not in ("binary", "multiclass"):
        return ""
    rows, in_test = given.sum(axis=0), (given[test] if tested is None else tested).sum(axis=0)
    known, lacking = rows > 0, (rows > 0) & (in_test == 0)
    if not lacking.any():
        return ""
    have = "has" if lacking.sum() == 1 else "have"
    return f" {lacking.sum():,} of {known.sum():,} classes, with {rows[lacking].sum():,.0f} of {len(given):,} rows, {have} no test row."
