"""Students of every arm at the settings that validation chose, one for each seed, stored as they are finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tutelage.core.errors import CannotWrite, DamagedFile, TutelageError
from tutelage.core.records import Latency
from tutelage.core.stored.checksums import sha256_of
from tutelage.exporters.bench.shipped import ShippedFile
from tutelage.search.limits import distance
from tutelage.search.study import Trial, ranked
from tutelage.students.saved.save_load import loaded_student, save_student
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.judge import upper_end
from tutelage.workflow.distillation.searching.training import Prepared
from tutelage.workflow.distillation.searching.workplace import Shared, Training, Workplace

MOST_CANDIDATES = 4
"""Trials of an arm that are fitted on all rows, the best first, until one meets the limits with latency to spare."""
SECONDS, SECONDS_IF_NO_LIMIT = 1.0, 0.3
"""Time in which the latency of the first seed's file is measured, with a limit of it and without."""


class StoredStudents(Sequence[Any]):
    """Students on disk, each loaded when it is taken; `module` builds torch networks whose layers a file cannot describe."""

    def __init__(self, folder: RunFolder, files: Sequence[tuple[str, str]], module: Any = None) -> None:
        self._folder, self._files, self._module = folder, files, module

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: Any) -> Any:
        path = self._folder.check_file(*self._files[place])
        return loaded_student(path, self._module, if_needed=True)


@dataclass(frozen=True, eq=False)
class First:
    """The student of the first seed, which settles the settings of an arm.

    Attributes:
        arm: what it learns.
        trial: the trial whose settings it has.
        trials: number of trials of the search.
        stored: what is stored of it.
    """

    arm: Arm
    trial: Trial
    trials: int
    stored: Mapping[str, Any]

    @property
    def student(self) -> str:
        """What tells its students from those of other arms."""
        return _stem(self.arm, self.trial)


@dataclass(frozen=True, eq=False)
class Finalists:
    """The students of one arm.

    Attributes:
        arm: what they learn.
        trial: the trial whose settings they have.
        trials: number of trials of the search.
        students: one for each seed, loaded when it is taken.
        files: where they are stored, within the folder of the run.
        validation: their figures on the validation rows of their seed.
        size_bytes, latency, excess: of the exported file of the first seed.
        drop: against the teacher, of the first seed.
    """

    arm: Arm
    trial: Trial
    trials: int
    students: Sequence[Any]
    files: tuple[str, ...]
    validation: tuple[dict[str, float], ...]
    size_bytes: int | None
    latency: Latency | None
    excess: dict[str, float]
    drop: float | None

    @property
    def meets_limits(self) -> bool:
        """Whether the first seed exceeds no limit."""
        return all(value <= 0 for value in self.excess.values())


@dataclass(frozen=True, eq=False)
class Trained:
    """A student of one seed.

    Attributes:
        student: the student.
        validation: its figures on the validation rows of its seed.
        drop: against the teacher.
        file: that is exported, of the first seed; None if there is none.
    """

    student: Any
    validation: dict[str, float]
    drop: float
    file: ShippedFile | None

    @property
    def size_bytes(self) -> int | None:
        """Of its file."""
        return None if self.file is None else self.file.size_bytes


@dataclass(frozen=True)
class Final:
    """A student that an arm needs."""

    arm: Arm
    trial: Trial
    seed: int

    @property
    def stem(self) -> str:
        """The name of its files."""
        return f"{_stem(self.arm, self.trial)}_seed{self.seed}"

    @property
    def training(self) -> Training:
        """How it is trained."""
        name = f"The student {self.trial.student!r} of the arm {self.arm.name!r} with seed {self.seed}"
        return Training(name, self.seed, trained, (self.arm, self.trial.student, self.trial.settings, self.seed))


def trained(shared: Shared, arm: Arm, name: str, settings: Mapping[str, Any], seed: int) -> Trained | str:
    """A student of one seed, or why it could not be trained.

    Args:
        shared: the rows, and by what students are judged.
        arm: what it learns.
        name: of its family.
        settings: that validation chose.
        seed: of the rows and of the student.
    """
    try:
        rows, family, judge = shared.rows.prepared(seed), shared.families[name], shared.judge
        student, figures = judge.taught(rows, arm, family, settings, seed=seed)
        file = judge.file(student, _some(rows)) if seed == 0 else None
        return Trained(student, figures, judge.drop(figures, rows), file)
    except TutelageError as error:
        return str(error)


@dataclass(frozen=True, eq=False)
class Finals:
    """What the finals of all arms share.

    Attributes:
        place: where students are trained.
        folder: where each student is stored; those that are there are not trained again.
        seeds: number of students of each arm.
        advance: called after each.
    """

    place: Workplace
    folder: RunFolder
    seeds: int
    advance: Callable[[], None]

    def firsts(self, arms: Sequence[tuple[Arm, Sequence[Trial]]]) -> tuple[list[First], list[str]]:
        """Fit the best settings of each arm on all rows: the first of the best few whose student meets the limits there too.

        Args:
            arms: with the trials of their searches.

        Returns:
            (students, notes): of the arms that have any, and why the others are left out.
        """
        found: list[list[tuple[Trial, Mapping[str, Any]]]] = [[] for _ in arms]
        errors = [[trial.error for trial in trials if trial.error] for _, trials in arms]
        open_arms, candidates = list(range(len(arms))), [ranked(trials)[:MOST_CANDIDATES] for _, trials in arms]
        for place in range(MOST_CANDIDATES):
            finals = {one: Final(arms[one][0], candidates[one][place], 0) for one in open_arms if place < len(candidates[one])}
            stored = self._stored(list(finals.values()), lambda: None)
            open_arms = []
            for one, final in finals.items():
                result = stored[final.stem]
                if isinstance(result, str):  # settings that a part of the rows allowed
                    errors[one].append(result)
                    open_arms.append(one)
                    continue
                found[one].append((final.trial, result))
                if distance(result["excess"]) != (0.0, False):
                    open_arms.append(one)
        firsts, notes = [], []
        for (arm, trials), of_arm, why in zip(arms, found, errors, strict=True):
            if not of_arm:
                notes.append(left_out(arm, f"no student of the arm {arm.name!r} could be trained: {why[-1]}"))
                continue
            trial, best = min(of_arm, key=lambda one: distance(one[1]["excess"]))
            firsts.append(First(arm, trial, len(trials), best))
            self.advance()
        return firsts, notes

    def of_all_seeds(self, firsts: Sequence[First]) -> tuple[list[Finalists], list[str]]:
        """The students of all arms: seed by seed, so that the rows of one seed are in memory at a time.

        Returns:
            (students, notes): of the arms that have a student of every seed, and why the others are left out.
        """
        longest_first = sorted(firsts, key=lambda first: -first.trial.seconds)  # no processor waits at the end of a seed
        finals = [Final(first.arm, first.trial, seed) for seed in range(1, self.seeds) for first in longest_first]
        stored = self._stored(finals, self.advance)
        every: dict[str, list[Mapping[str, Any]]] = {first.arm.name: [first.stored] for first in firsts}
        notes: list[str] = []
        for seed in range(1, self.seeds):
            for first in firsts:
                one = stored[Final(first.arm, first.trial, seed).stem]
                if first.arm.name not in every:
                    continue
                if isinstance(one, str):
                    notes.append(left_out(first.arm, f"its student of seed {seed} failed: {one}"))
                    del every[first.arm.name]
                else:
                    every[first.arm.name].append(one)
        return [self._finalists(first, every[first.arm.name]) for first in firsts if first.arm.name in every], notes

    def _finalists(self, first: First, stored: Sequence[Mapping[str, Any]]) -> Finalists:
        module = self.place.shared.families[first.trial.student].module(first.trial.settings)
        return Finalists(
            first.arm,
            first.trial,
            first.trials,
            StoredStudents(self.folder, [(one["file"], one["sha256"]) for one in stored], module),
            tuple(one["file"] for one in stored),
            tuple(one["validation"] for one in stored),
            first.stored["size_bytes"],
            _latency(first.stored["latency"]),
            first.stored["excess"],
            first.stored["drop"],
        )

    def _stored(self, finals: Sequence[Final], advance: Callable[[], None]) -> dict[str, Mapping[str, Any] | str]:
        """What is stored of each student by its stem, or why it could not be trained; it is trained if nothing is stored."""
        different = {final.stem: final for final in finals}  # a control may be the best of its search
        found: dict[str, Mapping[str, Any] | str] = {}
        first: dict[str, Trained] = {}
        for stem in different:
            if self.folder.has(_file(stem)):
                stored = found[stem] = self.folder.read(_file(stem))
                self.folder.check_file(stored["file"], stored["sha256"])
        left = [final for stem, final in different.items() if stem not in found]
        for _ in range(len(finals) - len(left)):
            advance()

        def done(place: int, result: Trained | str) -> None:
            final = left[place]
            if isinstance(result, str):
                found[final.stem] = result
            elif final.seed == 0:
                first[final.stem] = result
            else:
                found[final.stem] = self._kept(final, result)
            advance()

        def measure() -> None:
            for final in (one for one in left if one.stem in first):  # in order
                found[final.stem] = self._kept(final, first.pop(final.stem))

        self.place.run([final.training for final in left], done, measure)
        return found

    def _kept(self, final: Final, one: Trained) -> Mapping[str, Any] | str:
        """Store a student, that of the first seed with the latency of its file; or why it cannot be stored."""
        try:
            latency, excess = self._measured(one) if final.seed == 0 else (None, {})
            return self._written(final.stem, one, latency, excess)
        except (DamagedFile, CannotWrite):
            raise
        except TutelageError as error:
            return str(error)

    def _measured(self, one: Trained) -> tuple[Latency | None, dict[str, float]]:
        judge = self.place.shared.judge
        seconds = SECONDS if judge.limits.latency is not None else SECONDS_IF_NO_LIMIT
        latency = judge.latency(one.file, seconds=seconds)
        return latency, judge.limits.excess(size=one.size_bytes, latency=upper_end(latency), drop=one.drop)

    def _written(self, stem: str, one: Trained, latency: Latency | None, excess: Mapping[str, float]) -> Mapping[str, Any]:
        path = self.folder.path / "students" / stem
        path.parent.mkdir(exist_ok=True)
        path = save_student(one.student, path)
        found = {
            "file": str(path.relative_to(self.folder.path)),
            "sha256": sha256_of(path),
            "validation": one.validation,
            "size_bytes": one.size_bytes,
            "latency": None if latency is None else asdict(latency),
            "excess": excess,
            "drop": one.drop if math.isfinite(one.drop) else None,
        }
        self.folder.write(_file(stem), found)
        return found


def _some(rows: Prepared) -> Any:
    """Rows with which a student is exported and timed."""
    return rows.validation.take(np.arange(min(1000, rows.validation.count))).rows


def _file(stem: str) -> str:
    return f"work/finals/{stem}.json"


def _stem(arm: Arm, trial: Trial) -> str:
    return file_name(arm.searched, trial.student, trial.number)


def left_out(arm: Arm, why: str) -> str:
    """The note on an arm that is left out."""
    return f"The arm {arm.name!r} is left out: {why}"


def _latency(stored: Mapping[str, Any] | None) -> Latency | None:
    """A latency as it is stored."""
    if stored is None:
        return None
    ci95_us = stored["ci95_us"]
    return Latency(**{**stored, "ci95_us": None if ci95_us is None else tuple(ci95_us)})
