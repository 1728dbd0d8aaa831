"""Students of every arm at the settings that validation chose, one for each seed, stored as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tutelage.core.records import Latency
from tutelage.core.stored.checksums import sha256_of
from tutelage.search.families import Family
from tutelage.search.study import Trial, ranked
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.saved.trained import TrainedStudent
from tutelage.workflow.distillation.arms import Arm
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.search import Judge, upper_end
from tutelage.workflow.distillation.training import Prepared

MOST_CANDIDATES = 4
"""Trials of an arm that are fitted on all rows, the best first, until one meets the limits."""
SECONDS = 1.0
"""Time in which the latency of the first seed's file is measured."""


@dataclass(frozen=True, eq=False)
class Finalists:
    """The students of one arm.

    Attributes:
        arm: what they learn.
        trial: the trial whose settings they have.
        trials: number of trials of the search.
        students: one for each seed.
        files: where they are stored, within the folder of the run.
        validation: their figures on the validation rows of their seed.
        size_bytes, latency, excess: of the exported file of the first seed.
    """

    arm: Arm
    trial: Trial
    trials: int
    students: tuple[TrainedStudent, ...]
    files: tuple[str, ...]
    validation: tuple[dict[str, float], ...]
    size_bytes: int | None
    latency: Latency | None
    excess: dict[str, float]

    @property
    def meets_limits(self) -> bool:
        """Whether the first seed exceeds no limit."""
        return all(value <= 0 for value in self.excess.values())


def finalists(
    arm: Arm,
    trials: Sequence[Trial],
    families: dict[str, Family],
    prepared: Callable[[int], Prepared],
    judge: Judge,
    folder: RunFolder,
    *,
    seeds: int,
    advance: Callable[[], None] = lambda: None,
) -> Finalists:
    """Fit the best settings of an arm on all rows: the first of the best few whose student meets the limits there too.

    Args:
        arm: what the students learn.
        trials: of its search.
        families: by name.
        prepared: the rows of a seed.
        judge: by what students are judged.
        folder: where each student is stored; those that are there are not fitted again.
        seeds: number of students.
        advance: called after each.
    """
    best = ranked(trials)[:MOST_CANDIDATES]
    firsts = []
    for trial in best:
        firsts.append(_finished(arm, trial, families[trial.student], prepared, judge, folder, seed=0))
        if all(value <= 0 for value in firsts[-1]["excess"].values()):
            break
    place = min(range(len(firsts)), key=lambda at: (max([0.0, *firsts[at]["excess"].values()]), at))
    trial, first = best[place], firsts[place]
    advance()
    every = [first]
    for seed in range(1, seeds):
        every.append(_finished(arm, trial, families[trial.student], prepared, judge, folder, seed=seed))
        advance()
    return Finalists(
        arm,
        trial,
        len(trials),
        tuple(load_student(folder.check_file(one["file"], one["sha256"])) for one in every),
        tuple(one["file"] for one in every),
        tuple(one["validation"] for one in every),
        first["size_bytes"],
        _latency(first["latency"]),
        first["excess"],
    )


def _finished(
    arm: Arm, trial: Trial, family: Family, prepared: Callable[[int], Prepared], judge: Judge, folder: RunFolder, *, seed: int
) -> dict[str, Any]:
    """What is stored of one student; it is fitted if nothing is."""
    stem = file_name(arm.name, trial.student, trial.number, f"seed{seed}")
    name = f"work/finals/{stem}.json"
    if folder.has(name):
        found = folder.read(name)
        folder.check_file(found["file"], found["sha256"])
        return found
    rows = prepared(seed)
    student = rows.fit(arm, family, trial.settings, seed=seed)
    figures = judge.figures(rows.validated(student, family), rows.validation, rows)
    path = folder.path / "students" / f"{stem}.skops"
    path.parent.mkdir(exist_ok=True)
    path = save_student(student, path)
    size, latency, excess = None, None, {}
    if seed == 0:
        asked = rows.validation.take(np.arange(min(1000, rows.validation.count))).rows
        size, latency = judge.cost(student, asked, seconds=SECONDS, timed=True)
        excess = judge.limits.excess(size=size, latency=upper_end(latency), drop=judge.drop(figures, rows))
    found = {
        "file": str(path.relative_to(folder.path)),
        "sha256": sha256_of(path),
        "validation": figures,
        "size_bytes": size,
        "latency": None if latency is None else asdict(latency),
        "excess": excess,
    }
    folder.write(name, found)
    return found


def _latency(stored: Mapping[str, Any] | None) -> Latency | None:
    """A latency as it is stored."""
    if stored is None:
        return None
    ci95_us = stored["ci95_us"]
    return Latency(**{**stored, "ci95_us": None if ci95_us is None else tuple(ci95_us)})
