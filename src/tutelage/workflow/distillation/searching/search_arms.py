"""The search of all arms, with the trials of a stopped run where it had come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.search.families import Family
from tutelage.search.study import Trial
from tutelage.workflow.distillation.folder import TRIALS, RunFolder, file_name
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.search import FamilySearch
from tutelage.workflow.distillation.searching.workplace import Training, Workplace


@dataclass(frozen=True, eq=False)
class ArmSearch:
    """What the searches of all arms share.

    Attributes:
        place: where trials run.
        folder: where each trial is stored.
        trials: of each arm, shared among its families.
        seed: of the search.
        advance: called after each trial.
    """

    place: Workplace
    folder: RunFolder
    trials: int
    seed: int
    advance: Callable[[], None]

    def search(self, arms: Mapping[Arm, Sequence[Family]]) -> dict[str, tuple[Trial, ...]]:
        """The trials of each arm, those of all its families: the next round of every search at a time."""
        searches = [self._search(arm, families, place) for arm, families in arms.items() for place in range(len(families))]
        while wave := [(search, training) for search in sorted(searches, key=_longest_first) for training in search.next_round()]:
            self._run([search for search, _ in wave], [training for _, training in wave])
        trials: dict[str, tuple[Trial, ...]] = dict.fromkeys((arm.name for arm in arms), ())
        for search in searches:
            trials[search.arm.name] += tuple(search.found[number] for number in range(search.trials))
        return trials

    def _run(self, searches: Sequence[FamilySearch], trainings: Sequence[Training]) -> None:
        """Run trials, each of the search at its place, and keep them; latencies are measured once none runs any more, in order."""
        waiting: dict[int, tuple[Trial, Any]] = {}

        def done(place: int, found: tuple[Trial, Any]) -> None:
            if self.place.shared.judge.limits.latency is None:
                self._keep(searches[place], found[0])
            else:
                waiting[place] = found

        def measure() -> None:
            for place in sorted(waiting):
                trial, file = waiting.pop(place)
                if all(number in searches[place].found for number in range(trial.number)):  # where one failed, none after it
                    self._keep(searches[place], searches[place].timed(trial, file))

        self.place.run(trainings, done, measure)

    def _search(self, arm: Arm, families: Sequence[Family], place: int) -> FamilySearch:
        """The search of one family, with the trials that are stored of it."""
        search = FamilySearch(arm, families[place], self.place.shared, share_of(self.trials, len(families), place), self.seed)
        for number in range(search.trials):
            name = _file(search, number)
            if self.folder.has(name):
                search.found[number] = Trial(**{key: value for key, value in self.folder.read(name).items() if key != "schema"})
                self.advance()
        return search

    def _keep(self, search: FamilySearch, trial: Trial) -> None:
        self.folder.write(_file(search, trial.number), trial.to_json())
        search.found[trial.number] = trial
        self.advance()


def _longest_first(search: FamilySearch) -> tuple[float, bool, bool]:
    """Searches whose trials took longest, and before there are any those of networks and of more rows: no processor waits at the end."""
    taken = [trial.seconds for trial in search.found.values()]
    return -sum(taken) / max(len(taken), 1), not search.family.paced, not search.arm.more_rows


def _file(search: FamilySearch, number: int) -> str:
    return f"{TRIALS}/{file_name(search.arm.name, search.family.name, number)}.json"


def share_of(trials: int, families: int, place: int) -> int:
    """The trials of one of so many families.

    Example:
        >>> [share_of(24, 5, place) for place in range(5)]
        [5, 5, 5, 5, 4]
    """
    return trials // families + (place < trials % families)
