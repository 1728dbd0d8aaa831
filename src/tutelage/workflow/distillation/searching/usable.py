"""A first look at the students: which of them learn what each arm learns, and can be exported, before minutes are spent on the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput, TutelageError
from tutelage.exporters.bench.shipped import shipped_file
from tutelage.exporters.subject.threshold import with_any_threshold
from tutelage.search.families import Family, family_named
from tutelage.students.saved.save_load import save_student
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.given.problem import Problem
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.distillation.searching.arms import Arm, plain_arm
from tutelage.workflow.distillation.searching.training import Prepared

STUDENTS = "work/students.json"


@dataclass(frozen=True)
class Usable:
    """The students of each arm.

    Attributes:
        families: for each arm that has any, the names of its families.
        notes: what is left out and why, a sentence each.
    """

    families: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def usable_students(plan: Plan, arms: Sequence[Arm], prepared: Prepared) -> Usable:
    """Fit each student once in each arm to a few rows, save it, and export it.

    A student that cannot learn, or be saved, is left out; so is one without a file, if the size or the latency of the file is limited.

    Args:
        plan: the students, and the files to write.
        arms: what they learn.
        prepared: a few rows.

    Raises:
        BadInput: no student is left, or one cannot be exported to a format that was asked for.
    """
    found: dict[str, list[str]] = {arm.name: [] for arm in arms}
    reasons: dict[str, Mapping[str, str]] = {}
    notes: list[str] = []
    for family in plan.families:
        students, reasons[family.name] = _fitted(family, arms, prepared)
        if students:
            problem = _without_files(family, next(iter(students.values())), plan, prepared.validation.rows, notes)
            if problem:
                students, reasons[family.name] = {}, dict.fromkeys(found, problem)
        for name in students:
            found[name].append(family.name)
    notes += [_left_out(name, of_arms, len(arms)) for name, of_arms in reasons.items() if of_arms]
    if not any(found[arm.name] for arm in arms if arm.learns != "labels"):
        raise BadInput(f"no student is left that can learn from the teacher and be used. {' '.join(notes)}")
    empty = [name for name, families in found.items() if not families]
    notes += [f"There is no arm {name!r}: no student can learn it." for name in empty]
    return Usable({name: tuple(families) for name, families in found.items() if families}, tuple(notes))


def stored_students(plan: Plan, arms: Sequence[Arm], rows: Callable[[], Prepared], folder: RunFolder) -> Usable:
    """`usable_students`, stored in the folder of the run; a run that was stopped reads it."""
    if not folder.has(STUDENTS):
        found = usable_students(plan, arms, rows())
        folder.write(STUDENTS, {"families": found.families, "notes": found.notes})
    stored = folder.read(STUDENTS)
    return Usable({name: tuple(families) for name, families in stored["families"].items()}, tuple(stored["notes"]))


def arms_with_students(plan: Plan, arms: Sequence[Arm], usable: Usable, problem: Problem) -> dict[Arm, tuple[Family, ...]]:
    """The arms that there are, each with the students that can learn it; a plain model that is not among them has an arm of its own."""
    families = {family.name: family for family in plan.families}
    found = {arm: tuple(families[one] for one in usable.families[arm.name]) for arm in arms if arm.name in usable.families}
    plain = plain_model(problem.form.task)
    if problem.has_truth and not problem.inputs and plain.name not in families:
        found[plain_arm(plain.name)] = (plain,)
    return found


def no_plain_model(problem: Problem) -> list[str]:
    """Why no plain model of the ground truth is compared with, in a sentence; nothing if one is, or no ground truth is known."""
    if not problem.has_truth or not problem.inputs:
        return []
    name = plain_model(problem.form.task).name
    return [f"There is no plain model to compare with: a {name} model takes tables, texts and arrays, and the rows are several inputs."]


def plain_model(task: Task) -> Family:
    """The model that every other is compared with."""
    return family_named("linear" if task == "regression" else "logistic", task)


def _fitted(family: Family, arms: Sequence[Arm], prepared: Prepared) -> tuple[dict[str, Any], dict[str, str]]:
    """A student of each arm that it can learn, and for the others the reason why it cannot."""
    students, reasons = {}, {}
    for arm in arms:
        try:
            settings = {**family.untuned, **prepared.untuned(family)}
            student = prepared.fit(arm, family, settings, seed=0)
            prepared.validated(student, family, settings)
            students[arm.name] = student
        except TutelageError as error:
            reasons[arm.name] = str(error)
    return students, reasons


def _without_files(family: Family, student: Any, plan: Plan, rows: Any, notes: list[str]) -> str:
    """Save and export a student: "", or why it cannot be used. What it can be used without is added to the notes.

    Raises:
        BadInput: a format that was asked for.
    """
    shipped = student if plan.cascade is None else with_any_threshold(student, "the teacher")
    limited = plan.limits.size is not None or plan.limits.latency is not None
    with tempfile.TemporaryDirectory(prefix="tutelage-") as folder:
        try:
            save_student(student, Path(folder) / "saved")
        except TutelageError as error:
            return f"it cannot be saved. {error}"
    for place, end in enumerate(plan.exports):
        try:
            shipped_file(shipped, end, check_on=rows)
        except TutelageError as error:
            if limited and place == 0:
                return f"the size or latency of its file is limited, and it has none. {error}"
            sentence = f"The student {family.name!r} cannot be exported to {end} ({str(error).rstrip('.')})"
            if plan.exports_asked_for:
                raise BadInput(f"{sentence}; leave it out of the students, or the format out of the exports.") from error
            notes.append(f"{sentence}.")
    return ""


def _left_out(name: str, reasons: Mapping[str, str], arms: int) -> str:
    first, where = next(iter(reasons.values())), "" if len(reasons) == arms else f" of {' and '.join(map(repr, reasons))}"
    return f"The student {name!r} is left out{where}: {first}"
