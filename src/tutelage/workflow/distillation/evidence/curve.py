"""The transfer curve: the chosen settings with none, a quarter, half and all of the rows without ground truth, on validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.errors import TutelageError
from tutelage.search.advice import CurvePoint
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.workplace import Shared, Training, Workplace

SHARES = (0.0, 0.25, 0.5)
"""Of the rows without ground truth; students with all of them are trained anyway."""
SEEDS = 3


def transfer_points(one: Finalists, place: Workplace, folder: RunFolder) -> tuple[CurvePoint, ...]:
    """The points of the curve by rising number of rows, on average over its seeds; none if a student cannot be trained with fewer.

    Args:
        one: the students that learnt from all rows.
        place: where students are trained.
        folder: where each figure is stored; those that are there are not measured again.
    """
    seeds, trial = range(min(SEEDS, len(one.validation))), one.trial
    files = {
        (seed, share): f"work/curve/{file_name(trial.student, trial.number, f'seed{seed}', round(100 * share))}.json"
        for seed in seeds
        for share in SHARES
    }
    left = [point for point, name in files.items() if not folder.has(name)]
    failed = []

    def done(number: int, value: float | str) -> None:
        if isinstance(value, str):
            failed.append(value)
        else:
            folder.write(files[left[number]], {"value": value})

    place.run([_training(one, seed, share) for seed, share in left], done)
    if failed:
        return ()
    metric = place.shared.judge.metric
    every = [[*(float(folder.read(files[seed, share])["value"]) for share in SHARES), one.validation[seed][metric]] for seed in seeds]
    learnt = place.shared.rows.more_learnt(seeds)
    counts = [round(float(np.mean([round(share * count) for count in learnt]))) for share in (*SHARES, 1.0)]
    return tuple(CurvePoint(count, tuple(of_seed[point] for of_seed in every)) for point, count in enumerate(counts))


def _training(one: Finalists, seed: int, share: float) -> Training:
    name = f"The student {one.trial.student!r} of the transfer curve with seed {seed} and {share:.0%} of the rows"
    return Training(name, seed, measured, (one.arm, one.trial.student, one.trial.settings, seed, share))


def measured(shared: Shared, arm: Arm, name: str, settings: Mapping[str, Any], seed: int, share: float) -> float | str:
    """The metric of one student on the validation rows of its seed, or why it could not be trained.

    Args:
        shared: the rows, and by what students are judged.
        arm: what it learns.
        name: of its family.
        settings: that validation chose.
        seed: of the rows and of the student.
        share: of the rows without ground truth that it learns from.
    """
    rows, family, judge = shared.rows.prepared(seed), shared.families[name], shared.judge
    count = 0 if rows.more is None else rows.more.count
    some = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    fewer = rows.with_more(rows.more.take(some) if rows.more is not None and len(some) else None)
    try:
        return judge.taught(fewer, arm, family, settings, seed=seed)[1][judge.metric]
    except TutelageError as error:
        return str(error)
