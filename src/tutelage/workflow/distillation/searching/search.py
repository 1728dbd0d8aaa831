"""The search of one family of students in one arm: rounds of trials, judged on validation rows and by the exported file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from tutelage.core.errors import TutelageError
from tutelage.exporters.bench.shipped import ShippedFile
from tutelage.search.families import Family
from tutelage.search.limits import distance
from tutelage.search.study import Trial, propose, round_of
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.judge import upper_end
from tutelage.workflow.distillation.searching.rows import SEARCHED
from tutelage.workflow.distillation.searching.training import Prepared
from tutelage.workflow.distillation.searching.workplace import Shared, Training

ROWS_OF_A_TRIAL = 200
"""Rows that a trial is exported and timed with."""
SECONDS_OF_A_TRIAL, PROCESSES_OF_A_TRIAL = 0.2, 2
"""Time in which the latency of a trial's file is measured, and by how many processes that agree: the best are measured again, by more."""


@dataclass(eq=False)
class FamilySearch:
    """The search of the settings of one family in one arm.

    Attributes:
        arm: what the students learn.
        family: the students.
        shared: the rows, and by what trials are judged.
        trials: number of trials.
        seed: of the search and of the students.
        found: the trials that there are, by number.
    """

    arm: Arm
    family: Family
    shared: Shared
    trials: int
    seed: int
    found: dict[int, Trial] = field(default_factory=dict)

    def next_round(self) -> list[Training]:
        """The trials of the next round that are not there yet; none once the search is over.

        What a round tries follows from the trials of the rounds before it, all of which are there: who ends first does not matter.
        """
        known = next((number for number in range(self.trials) if number not in self.found), self.trials)
        numbers = [number for number in round_of(known) if number < self.trials and number not in self.found]
        if not numbers:
            return []
        before = [self.found[number] for number in range(min(round_of(known)))]
        prepared, arm, family = self.shared.rows.prepared(SEARCHED), self.arm, self.family
        own = arm.space(prepared.form, has_truth=prepared.train.truth is not None)
        space = {**family.space.distributions, **prepared.space(family), **own}
        untuned = {**family.untuned, **prepared.untuned(family), "temperature": 1.0, "soft_weight": 1.0}
        return [
            Training(
                f"Trial {number} of the student {family.name!r} in the arm {arm.name!r}",
                SEARCHED,
                tried,
                (arm, family.name, propose(space, before, untuned, number=number, seed=self.seed), number, self.seed),
            )
            for number in numbers
        ]

    def timed(self, trial: Trial, file: ShippedFile | None) -> Trial:
        """A trial with the latency of its file, where that is limited and the trial may win; nothing may run beside it.

        Args:
            trial: of which all before it are there.
            file: of its student; None if it has none.
        """
        judge, before = self.shared.judge, [one for number, one in self.found.items() if number < trial.number]
        if file is None or _is_beaten(trial, before):
            return trial
        started = perf_counter()
        try:
            latency = upper_end(judge.latency(file, seconds=SECONDS_OF_A_TRIAL, agreeing=PROCESSES_OF_A_TRIAL))
            beyond = judge.limits.excess(size=None, latency=latency, drop=None)["latency"]
            trial = replace(trial, latency_us=latency, excess={**trial.excess, "latency": beyond})
        except TutelageError as error:
            trial = replace(trial, loss=None, error=str(error))
        return replace(trial, seconds=trial.seconds + perf_counter() - started)


def tried(shared: Shared, arm: Arm, name: str, settings: Mapping[str, Any], number: int, seed: int) -> tuple[Trial, ShippedFile | None]:
    """One trial, and the file of its student if a latency has to be measured.

    Args:
        shared: the rows, and by what trials are judged.
        arm: what the student learns.
        name: of its family.
        settings: of the trial.
        number: of the trial.
        seed: of the student.
    """
    judge, family, started = shared.judge, shared.families[name], perf_counter()
    trial, file = Trial(number, name, dict(settings), None), None
    try:
        prepared = shared.rows.prepared(SEARCHED)
        student, scores = judge.taught(prepared, arm, family, settings, seed=seed)
        file, drop = judge.file(student, _some(prepared)), judge.drop(scores, prepared)
        size = None if file is None else file.size_bytes
        excess = judge.limits.excess(size=size, latency=0.0, drop=drop)
        excess = {name: value for name, value in excess.items() if name != "latency"}  # which is measured later, if at all
        trial = replace(trial, loss=judge.loss(scores), scores=scores, size_bytes=size, excess=excess)
    except TutelageError as error:
        trial, file = replace(trial, loss=None, error=str(error)), None
    trial = replace(trial, seconds=perf_counter() - started)
    return trial, None if judge.limits.latency is None else file


def _some(prepared: Prepared) -> Any:
    return prepared.validation.take(np.arange(min(ROWS_OF_A_TRIAL, prepared.validation.count))).rows


def _is_beaten(trial: Trial, before: Iterable[Trial]) -> bool:
    """Whether its latency does not matter: it exceeds another limit, or one within all, latency to spare, is as good and small."""
    return not trial.meets_limits or any(
        other.meets_limits
        and distance(other.excess) == (0.0, False)
        and "latency" in other.excess
        and (other.loss or 0.0) <= (trial.loss or 0.0)
        and (other.size_bytes or 0) <= (trial.size_bytes or 0)
        for other in before
    )
