"""The transfer curve: the chosen settings with none, a quarter, half and all of the rows without ground truth, on validation rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tutelage.core.errors import TutelageError
from tutelage.search.advice import CurvePoint
from tutelage.search.families import Family
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.searching.search import Judge
from tutelage.workflow.distillation.searching.threads import in_threads
from tutelage.workflow.distillation.searching.training import Prepared

SHARES = (0.0, 0.25, 0.5)
"""Of the rows without ground truth; students with all of them are trained anyway."""
SEEDS = 3


def transfer_points(
    one: Finalists, family: Family, prepared: Callable[[int], Prepared], judge: Judge, folder: RunFolder, *, rows: int
) -> tuple[CurvePoint, ...]:
    """The points of the curve by rising number of rows; none if a student cannot be trained with fewer.

    Args:
        one: the students that learnt from all rows.
        family: theirs.
        prepared: the rows of a seed.
        judge: measures them.
        folder: where each figure is stored; those that are there are not measured again.
        rows: number of rows without ground truth.
    """
    seeds = range(min(SEEDS, len(one.validation)))
    values = []
    try:
        for seed in seeds:
            prepared(seed)  # before threads ask for it
            values.append(in_threads(partial(_measured, one, family, prepared, judge, folder, seed), SHARES))
    except TutelageError:
        return ()
    every = [[*values[seed], one.validation[seed][judge.metric]] for seed in seeds]
    counts = [round(share * rows) for share in (*SHARES, 1.0)]
    return tuple(CurvePoint(count, tuple(of_seed[place] for of_seed in every)) for place, count in enumerate(counts))


def _measured(
    one: Finalists, family: Family, prepared: Callable[[int], Prepared], judge: Judge, folder: RunFolder, seed: int, share: float
) -> float:
    """The metric of one student on the validation rows of its seed; it is fitted if nothing is stored."""
    name = f"work/curve/{file_name(family.name, one.trial.number, f'seed{seed}', round(100 * share))}.json"
    if not folder.has(name):
        rows = prepared(seed)
        count = 0 if rows.more is None else rows.more.count
        some = np.random.default_rng(seed).permutation(count)[: round(share * count)]
        fewer = rows.with_more(rows.more.take(some) if rows.more is not None and len(some) else None)
        student = fewer.fit(one.arm, family, one.trial.settings, seed=seed)
        folder.write(
            name, {"value": judge.figures(fewer.validated(student, family, one.trial.settings), fewer.validation, fewer)[judge.metric]}
        )
    return float(folder.read(name)["value"])
