"""The search of all arms, with the trials of a stopped run where it had come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event

from tutelage.search.families import Family
from tutelage.search.study import Trial
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.search import Judge, search_family
from tutelage.workflow.distillation.searching.threads import THREADS, in_threads
from tutelage.workflow.distillation.searching.training import Prepared


@dataclass(frozen=True, eq=False)
class ArmSearch:
    """What the searches of all arms share.

    Attributes:
        prepared: the rows.
        judge: by what trials are judged.
        folder: where each trial is stored.
        trials: of each arm, shared among its families.
        seed: of the search.
        advance: called after each trial.
    """

    prepared: Prepared
    judge: Judge
    folder: RunFolder
    trials: int
    seed: int
    advance: Callable[[], None]

    def search(self, arms: Mapping[Arm, Sequence[Family]]) -> dict[str, tuple[Trial, ...]]:
        """The trials of each arm: those of all its families, one after the other."""
        stop = Event()
        jobs = [(arm, place) for arm, families in arms.items() for place in range(len(families))]
        longest_first = sorted(jobs, key=lambda job: (not arms[job[0]][job[1]].paced, not job[0].more_rows))  # networks, more rows
        threads = THREADS if self.judge.limits.latency is None else 1  # nothing runs beside a file that is timed
        found = in_threads(lambda job: self._search_family(job[0], arms[job[0]], job[1], stop), longest_first, stop, threads=threads)
        of_job = dict(zip(longest_first, found, strict=True))
        trials: dict[str, tuple[Trial, ...]] = dict.fromkeys((arm.name for arm in arms), ())
        for job in jobs:
            trials[job[0].name] += of_job[job]
        return trials

    def _search_family(self, arm: Arm, families: Sequence[Family], place: int, stop: Event) -> tuple[Trial, ...]:
        family, trials = families[place], share_of(self.trials, len(families), place)
        names = [f"work/trials/{file_name(arm.name, family.name, number)}.json" for number in range(trials)]
        before: list[Trial] = []
        for name in names:
            if not self.folder.has(name):
                break
            stored = self.folder.read(name)
            before.append(Trial(**{key: value for key, value in stored.items() if key != "schema"}))
            self.advance()

        def done(trial: Trial) -> None:
            self.folder.write(names[trial.number], trial.to_json())
            self.advance()
            if stop.is_set():
                raise CancelledError

        return search_family(arm, family, self.prepared, self.judge, trials=trials, seed=self.seed, before=before, done=done)


def share_of(trials: int, families: int, place: int) -> int:
    """The trials of one of so many families.

    Example:
        >>> [share_of(24, 5, place) for place in range(5)]
        [5, 5, 5, 5, 4]
    """
    return trials // families + (place < trials % families)
