"""Students of every arm at the settings that validation chose, one for each seed, stored as they are finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, TutelageError
from tutelage.core.records import Latency
from tutelage.core.stored.checksums import sha256_of
from tutelage.search.families import Family
from tutelage.search.limits import distance
from tutelage.search.study import Trial, ranked
from tutelage.students.saved.save_load import loaded_student, save_student
from tutelage.workflow.distillation.folder import RunFolder, file_name
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.search import Judge, upper_end
from tutelage.workflow.distillation.searching.threads import in_threads
from tutelage.workflow.distillation.searching.training import Prepared

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
        return loaded_student(path, self._module)


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
class Finals:
    """What the finals of all arms share.

    Attributes:
        families: by name.
        prepared: the rows of a seed.
        judge: by what students are judged.
        folder: where each student is stored; those that are there are not fitted again.
        seeds: number of students of each arm.
        advance: called after each.
    """

    families: Mapping[str, Family]
    prepared: Callable[[int], Prepared]
    judge: Judge
    folder: RunFolder
    seeds: int
    advance: Callable[[], None]

    def first(self, arm: Arm, trials: Sequence[Trial]) -> First:
        """Fit the best settings of an arm on all rows: the first of the best few whose student meets the limits there too.

        Raises:
            BadInput: none of them can be trained.
        """
        found: list[tuple[Trial, Mapping[str, Any]]] = []
        errors = [trial.error for trial in trials if trial.error]
        for trial in ranked(trials)[:MOST_CANDIDATES]:
            try:
                found.append((trial, self._finished(arm, trial, seed=0)))
            except (DamagedFile, CannotWrite):
                raise
            except TutelageError as error:  # settings that a part of the rows allowed
                errors.append(str(error))
                continue
            if distance(found[-1][1]["excess"]) == (0.0, False):
                break
        if not found:
            raise BadInput(f"no student of the arm {arm.name!r} could be trained: {errors[-1]}")
        trial, stored = min(found, key=lambda one: distance(one[1]["excess"]))
        self.advance()
        return First(arm, trial, len(trials), stored)

    def of_all_seeds(self, firsts: Sequence[First]) -> tuple[list[Finalists], list[str]]:
        """The students of all arms: seed by seed, so that the rows of one seed are in memory at a time.

        Returns:
            (students, notes): of the arms that have a student of every seed, and why the others are left out.
        """
        every: dict[str, list[Mapping[str, Any]]] = {first.arm.name: [first.stored] for first in firsts}
        notes: list[str] = []
        for seed in range(1, self.seeds):
            self.prepared(seed)  # before threads ask for it
            left = [first for first in firsts if first.arm.name in every]
            different = {first.student: first for first in left}  # a control may be the best of its search
            trained = sorted(different.values(), key=lambda first: not first.arm.more_rows)  # the longest first
            stored = in_threads(partial(self._next, seed=seed), trained)
            of_student = {first.student: one for first, one in zip(trained, stored, strict=True)}
            for _ in range(len(left) - len(trained)):
                self.advance()
            for first in left:
                one = of_student[first.student]
                if isinstance(one, str):
                    notes.append(left_out(first.arm, f"its student of seed {seed} failed: {one}"))
                    del every[first.arm.name]
                else:
                    every[first.arm.name].append(one)
        return [self._finalists(first, every[first.arm.name]) for first in firsts if first.arm.name in every], notes

    def _next(self, first: First, *, seed: int) -> Mapping[str, Any] | str:
        """What is stored of one student, or why it could not be trained."""
        try:
            return self._finished(first.arm, first.trial, seed=seed)
        except (DamagedFile, CannotWrite):
            raise
        except TutelageError as error:
            return str(error)
        finally:
            self.advance()

    def _finalists(self, first: First, stored: Sequence[Mapping[str, Any]]) -> Finalists:
        module = self.families[first.trial.student].module(first.trial.settings)
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

    def _finished(self, arm: Arm, trial: Trial, *, seed: int) -> Mapping[str, Any]:
        """What is stored of one student; it is fitted if nothing is."""
        stem = f"{_stem(arm, trial)}_seed{seed}"
        name = f"work/finals/{stem}.json"
        if self.folder.has(name):
            found = self.folder.read(name)
            self.folder.check_file(found["file"], found["sha256"])
            return found
        rows, family = self.prepared(seed), self.families[trial.student]
        student = rows.fit(arm, family, trial.settings, seed=seed)
        figures = self.judge.figures(rows.validated(student, family, trial.settings), rows.validation, rows)
        path = self.folder.path / "students" / stem
        path.parent.mkdir(exist_ok=True)
        path = save_student(student, path)
        size, latency, excess = None, None, {}
        drop = self.judge.drop(figures, rows)
        if seed == 0:
            some = rows.validation.take(np.arange(min(1000, rows.validation.count))).rows
            seconds = SECONDS if self.judge.limits.latency is not None else SECONDS_IF_NO_LIMIT
            size = self.judge.size(student, some)
            latency = None if size is None else self.judge.latency(student, some, seconds=seconds)
            excess = self.judge.limits.excess(size=size, latency=upper_end(latency), drop=drop)
        found = {
            "file": str(path.relative_to(self.folder.path)),
            "sha256": sha256_of(path),
            "validation": figures,
            "size_bytes": size,
            "latency": None if latency is None else asdict(latency),
            "excess": excess,
            "drop": drop if math.isfinite(drop) else None,
        }
        self.folder.write(name, found)
        return found


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
