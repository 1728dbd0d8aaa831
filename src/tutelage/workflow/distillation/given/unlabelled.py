"""Rows that come without ground truth: further rows of the pool, or left out; never tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import choice
from tutelage.core.errors import BadInput
from tutelage.data.row_arrays import missing_truth, target_array
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.structures.row_parts import taken
from tutelage.data.transfer import stacked
from tutelage.workflow.distillation.given.problem import RowSet, Unlabelled

USES = ("pool", "drop")
"""What is done with rows without ground truth."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Sets of rows of which all that are trained, validated and tested on have a ground truth.

    Attributes:
        given, test, validation, pool: the sets.
        unlabelled: what became of the others; None if there are none.
    """

    given: RowSet
    test: RowSet | None
    pool: RowSet | None
    unlabelled: Unlabelled | None = None
    validation: RowSet | None = None


def labelled(
    given: RowSet,
    test: RowSet | None,
    pool: RowSet | None,
    form: AnswerForm,
    *,
    unlabelled: Any,
    validation: RowSet | None = None,
    what: tuple[str, str, str] = ("y", "y of the test", "y of the validation"),
    notes: tuple[str, str, str] = ("", "", ""),
) -> Labelled:
    """Sets of rows without gaps in their ground truth.

    Args:
        given: the given rows; a row of several labels or values is without ground truth if one of them is missing.
        test: rows that choose nothing; None if there are none.
        pool: rows without ground truth; None if there are none.
        form: of the teacher's answers.
        unlabelled: "pool" to let the teacher label such rows, as rows of the pool, "drop" to leave them out, None to refuse them. Test
            rows are left out in both cases, and so are validation rows.
        validation: rows that students are chosen on; None if they are drawn from the given ones.
        what: where the ground truth is from, of the rows, the test rows and the validation rows, for messages.
        notes: what else is said of gaps in them.

    Raises:
        BadInput: there are such rows and `unlabelled` is None, there is no ground truth at all, or no row is left that has one.
    """
    use = None if unlabelled is None else choice("unlabelled", unlabelled, USES)
    if given.truth is None:
        if use is not None:
            raise BadInput(f"unlabelled is {use!r}, and no ground truth is given; leave it out, or pass the ground truth.")
        return Labelled(given, test, pool, None, validation)
    every = [
        np.zeros(0, dtype=bool) if one is None or one.truth is None else missing_truth(one.truth, form.classes)
        for one in (given, test, validation)
    ]
    for of, lacking, note in zip(what, every, notes, strict=True):
        if lacking.any() and use is None:
            raise BadInput(
                f"{of} lacks the ground truth of {lacking.sum():,} of {len(lacking):,} rows (first: row {int(lacking.argmax())}). Fill "
                f"it in, leave these rows out, or pass unlabelled='pool' to let the teacher label them or unlabelled='drop'.{note}"
            )
        if len(lacking) and lacking.all():
            raise BadInput(f"{of} holds no ground truth at all; leave it out, or pass the column that has it.{note}")
    gaps, test_gaps, validation_gaps = every
    if not any(map(np.any, every)):
        return Labelled(given, test, pool, None, validation)
    without = np.flatnonzero(gaps)
    names = row_names(taken(given.rows, without)) if len(without) else np.zeros(0, dtype=np.uint64)
    found = Unlabelled(str(use), without, names, given.count, int(test_gaps.sum()), int(validation_gaps.sum()))
    if use == "pool" and len(without):
        pool = _followed(pool, replace(given.take(without), truth=None))
    tested = None if test is None else _known(test, test_gaps)
    chosen_on = None if validation is None else _known(validation, validation_gaps)
    return Labelled(_known(given, gaps), tested, pool, found, chosen_on)


def _known(rows: RowSet, gaps: NDArray[np.bool_]) -> RowSet:
    """The rows with a ground truth, which has the type that it would have had without gaps."""
    if not gaps.any():
        return rows
    found = rows.take(np.flatnonzero(~gaps))
    return replace(found, truth=target_array(found.truth.tolist())) if found.truth is not None and found.truth.dtype.kind == "O" else found


def _followed(pool: RowSet | None, more: RowSet) -> RowSet:
    """The rows of a pool, if there is one, followed by others."""
    if pool is None:
        return more
    for name in ("groups", "times"):
        if getattr(pool, name) is None and getattr(more, name) is not None:
            raise BadInput(
                f"the pool comes without {name}, and the rows without ground truth, which join it, have some; pass the {name} of the pool, "
                "or unlabelled='drop'."
            )
    weights = None
    if pool.weights is not None or more.weights is not None:
        weights = np.concatenate([np.full(one.count, np.nan) if one.weights is None else one.weights for one in (pool, more)])
    groups = None if pool.groups is None or more.groups is None else np.append(pool.groups.astype(object), more.groups.astype(object))
    times = None if pool.times is None or more.times is None else np.append(pool.times, more.times)
    asked = stacked(pool.asked.part(0, pool.count), more.asked.part(0, more.count))
    return RowSet(stacked(pool.rows, more.rows), as_rows(asked), None, weights, groups, times)
