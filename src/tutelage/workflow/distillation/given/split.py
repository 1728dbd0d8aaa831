"""The split of the rows: test rows that choose nothing, rows to calibrate a threshold, and for each seed its own to train and validate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash
from tutelage.losses.class_weights import class_weights_of, row_weights
from tutelage.workflow.distillation.given.calibration import CALIBRATION_SHARE, calibration_notes, check_calibration, independent
from tutelage.workflow.distillation.given.draws import Places, codes, drawn, latest
from tutelage.workflow.distillation.given.left_out import LeftOut, equal, shared
from tutelage.workflow.distillation.given.problem import Problem, RowSet

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of the rows that are neither tested nor calibrated on."""
OWN_SHARE = 0.8
"""Of the rows to train on, where all seeds have the same validation rows: each trains on its own draw, as random splits give it."""
FEWEST = 20
"""Rows of the smallest part."""
REMOVED_SHARE = 0.2
"""More rows than this left out of training are named in a note."""


def _none() -> Places:
    return np.arange(0)


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows are for what.

    Attributes:
        development: places among the given rows that are trained and validated on; that are trained on, where others were given to
            validate on.
        test: places among the given rows, or among the test rows if there are any.
        calibration: places among the given rows that are held back to calibrate the threshold of a cascade; none without one.
        independent: those of them that the threshold is calibrated on: all, or one of each group.
        pool: places among the rows of the pool.
        validation: places among the validation rows; none where each seed draws its own among those for development.
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
    validation: Places = field(default_factory=_none)

    def fingerprint(self, problem: Problem, *, seed: int) -> str:
        """What tells this split, and how its seeds draw from it, from that of another version of this package."""
        return content_hash([self.development, self.test, self.pool, self.independent, *parts_of(problem, self, seed=seed)])


def split(problem: Problem, *, seed: int, cascade: float | None = None) -> Split:
    """Split the rows once: stratified by class, by group, or with the latest rows for the test.

    The rows to calibrate a cascade on are drawn from all that are not tested on, and keep their repeats and what equals a test row: only
    such a draw has the rate of the rows to come. Rows that are equal to a test row or a calibration row, or belong to the group of one, are
    left out of training and validation; where rows to validate on were given, those that are equal to one of them are left out of training.
    Where columns are so coarse that rows are equal by chance, equal rows stay.

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
        development, test, how = drawn(problem, np.arange(given.count), TEST_SHARE, seed=seed)
        test_names = names["given"][test]
    test_groups = None if given.groups is None else (given.groups[test] if problem.test is None else problem.test.groups)
    calibration = _none()
    if cascade is not None and len(development):
        development, calibration, _ = drawn(problem, development, CALIBRATION_SHARE, seed=seed, keep_one=False)
    counted = independent(problem, calibration, seed=seed)
    if cascade is not None:
        check_calibration(problem, len(counted), cascade)
    removed = {} if problem.unlabelled is None else problem.unlabelled.left_out
    left_out, all_rows = LeftOut(problem, test_names, test_groups, calibration, removed), len(development)
    validation = left_out.apart("validation", problem.validation)
    development = left_out.learnable("given", given, left_out.kept(development), validation)
    pool = _pool(left_out, development, validation, test, seed=seed)
    seen = int(np.isin(test_names, names["seen"]).sum()) if problem.seen is not None else None
    repeated = len(test) - len(np.unique(test_names))
    notes = (
        *_notes(problem, left_out=all_rows - len(development), of=all_rows, cascade=cascade is not None),
        *_seen(problem, development, validation),
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
    found = Split(
        development, test, pool, removed, repeated, seen, own, how, weights, class_weights, notes, calibration, counted, validation
    )
    _check_counts(problem, found, seed=seed)
    return found


def _pool(left_out: LeftOut, development: Places, validation: Places, test: Places, *, seed: int) -> Places:
    """Places among the rows of the pool that may be learnt from.

    Where times order the rows, the teacher is not asked what comes later than the rows that students learn from: all seeds are validated
    on the same latest rows, and those of the pool come before them; before the test rows where others were given to validate on. Rows
    given to validate and test on have no times: then no row is too late.
    """
    problem = left_out.problem
    given, pool = problem.given, problem.pool
    places = left_out.apart("pool", pool)
    if pool is None:
        return places
    places = left_out.learnable("pool", pool, places, validation)
    if pool.times is not None and given.times is not None and len(development) and not _all_given(problem):
        later = drawn(problem, development, VALIDATION_SHARE, seed=seed)[1] if problem.validation is None else test
        times = given.times[later]
        late = pool.times[places] >= (times.min() if given.groups is None else latest(times, codes(given.groups[later])).min())
        left_out.counts["of the pool, not before the rows to validate and test on"] = int(late.sum())
        places = places[~late]
    return places


def _all_given(problem: Problem) -> bool:
    """Whether both the rows to validate on and those to test on were given."""
    return problem.validation is not None and problem.test is not None


def _notes(problem: Problem, *, left_out: int, of: int, cascade: bool) -> Iterator[str]:
    if problem.unlabelled is not None and len(problem.unlabelled.numbers):
        yield problem.unlabelled.note
    if problem.equal_by_chance:
        names = problem.names["given"]
        yield (
            f"Only {len(np.unique(names)):,} of {len(names):,} rows are distinct: equal rows are trained on and tested on, as new rows "
            "will equal old ones. If they are copies of rows, drop them."
        )
    if left_out > REMOVED_SHARE * of:
        own = problem.validation is not None
        others = " or ".join(["test", *(["calibration"] if cascade else []), *(["validation"] if own else [])])
        of_what, pass_other = ("training", "test and validation") if own else ("training and validation", "test")
        yield (
            f"{left_out:,} of {of:,} rows were left out of {of_what}, as they are equal to {others} rows or in their groups: students "
            f"learn from fewer rows than they could. Drop repeated rows, or pass other {pass_other} rows."
        )
    if problem.given.groups is not None and problem.pool is not None and problem.pool.groups is None:
        yield "The rows of the pool come without groups: some may belong to groups that are tested on."
    if problem.given.times is not None and problem.pool is not None and _all_given(problem):
        yield "The rows to validate and test on were given, without times: no row of the pool is left out for being later than they are."
    elif problem.given.times is not None and problem.pool is not None and problem.pool.times is None:
        yield "The rows of the pool come without times: some may be later than rows that are validated and tested on."
    if problem.validation is not None or problem.given.times is not None:
        latest_rows = f"on the latest {VALIDATION_SHARE:.0%} of the rows not tested on", "of those before"
        on, others = ("on the rows given for it", "of the others") if problem.validation is not None else latest_rows
        yield (
            f"All seeds are validated {on}, and each is trained on its own {OWN_SHARE:.0%} {others}: the spread over seeds is that of such "
            "draws."
        )


def _seen(problem: Problem, development: Places, validation: Places) -> Iterator[str]:
    """That the teacher was trained on rows that students are chosen on, where its training rows are known."""
    if problem.seen is None or problem.equal_by_chance:
        return
    given = problem.validation is not None
    names = problem.names["validation"][validation] if given else problem.names["given"][development]
    seen = int(np.isin(names, problem.names["seen"]).sum())
    if seen:
        which = "rows to validate on" if given else "rows that students learn from and are validated on"
        others = "other rows, which it has not seen" if given else "rows that it has not seen (validation=, --validation)"
        yield (
            f"The teacher was trained on {seen:,} of the {len(names):,} {which}: validation may prefer students that repeat what it "
            f"remembers of them. Choose students on {others}."
        )


def _check_counts(problem: Problem, found: Split, *, seed: int) -> None:
    """Refuse parts with too few rows.

    Raises:
        BadInput: too few rows to train, validate or test on.
    """
    why = f"{found.how} " + " ".join(f"{count:,} rows were left out: {name}." for name, count in found.removed.items() if count)
    validated = [] if problem.validation is None else [("validate", found.validation)]
    for name, places in (("train", found.development), *validated, ("test", found.test)):
        if len(places) < FEWEST:
            raise BadInput(f"there are {len(places):,} rows to {name} on; expected {FEWEST} at least. {why.strip()} Pass more rows.")
    if problem.pool is not None and not len(found.pool):
        raise BadInput(f"no row of the pool is left. {why.strip()} Pass other rows, or no pool and unlabelled='drop'.")
    test = problem.test
    tested = found.weights if test is None else row_weights(test.weights, found.class_weights, problem.truths["test"])
    _check_weights(tested, found.test, "test")
    _check_weights(found.weights, found.development, "train")
    if problem.validation is not None:
        _check_weights(_validation_weights(problem.validation, problem, found), found.validation, "validate")
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
    """Training and validation rows of one seed, without equal rows on both sides: places among the given rows, or for validation among
    the validation rows if there are any.

    Where times order the rows, all seeds validate on the latest, and each trains on its own draw of those before; likewise where the
    validation rows were given.

    Raises:
        BadInput: all rows of a part weigh nothing.
    """
    given, own = problem.given, problem.validation
    if own is None:
        train, validation, _ = drawn(problem, found.development, VALIDATION_SHARE, seed=seed)
        train = train[~equal(problem, problem.names["given"][train], problem.names["given"][validation])]
    else:  # which are apart from the others since the split
        train, validation = found.development, found.validation
    if given.times is not None or own is not None:
        units = np.arange(len(train)) if given.groups is None else codes(given.groups[train])
        order = np.random.default_rng(seed).permutation(units.max(initial=-1) + 1)
        train = train[np.isin(units, order[: max(1, round(OWN_SHARE * len(order)))])]
    validated = found.weights if own is None else _validation_weights(own, problem, found)
    for purpose, places, weights in (("train", train, found.weights), ("validate", validation, validated)):
        if weights is not None and len(places) and not weights[places].any():
            raise BadInput(f"all {len(places):,} rows to {purpose} on with seed {seed} weigh 0; leave out the rows that weigh nothing.")
    return train, validation


def _validation_weights(own: RowSet, problem: Problem, found: Split) -> Floats | None:
    return row_weights(own.weights, found.class_weights, problem.truths["validation"])


def weighed_like(problem: Problem, rows: RowSet, found: Split) -> RowSet:
    """Rows without ground truth with weights of their own: where they come without, the mean of those for development."""
    given = problem.given.weights
    if given is None:
        return rows
    own = np.full(rows.count, np.nan) if rows.weights is None else rows.weights
    return replace(rows, weights=np.where(np.isnan(own), given[found.development].mean(), own))


def not_validated(problem: Problem, found: Split, validation: Places) -> NDArray[np.bool_]:
    """For each row of the pool in a split, whether it differs from all validation rows of one seed, and is in the group of none.

    Rows given to validate on are apart from all of them since the split.
    """
    names, given = problem.names, problem.given
    if problem.validation is not None:
        return np.ones(len(found.pool), dtype=bool)
    out = equal(problem, names["pool"][found.pool], names["given"][validation])
    if problem.pool is not None and problem.pool.groups is not None and given.groups is not None:
        out |= shared(problem.pool.groups[found.pool], given.groups[validation])
    return ~out


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
