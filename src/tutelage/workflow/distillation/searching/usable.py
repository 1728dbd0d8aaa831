"""A first look at the students: which of them learn what each arm learns, and can be exported, before minutes are spent on the others."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, TutelageError
from tutelage.exporters.export import export
from tutelage.search.families import Family
from tutelage.students.saved.save_load import save_student
from tutelage.workflow.distillation.arms import Arm
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.distillation.training import Prepared


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
    reasons: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    for family in plan.families:
        fitted = None
        for arm in arms:
            try:
                student = prepared.fit(arm, family, family.untuned, seed=0)
                fitted = student if fitted is None else fitted
                if fitted is student:
                    _check_files(family, student, plan, prepared.validation.rows, notes)
            except _Refused as refusal:
                raise BadInput(str(refusal)) from refusal
            except TutelageError as error:
                reasons.setdefault(family.name, {})[arm.name] = str(error)
            else:
                found[arm.name].append(family.name)
    notes += [_left_out(name, of_arms, len(arms)) for name, of_arms in reasons.items()]
    if not any(found.values()):
        raise BadInput(f"no student can be used. {' '.join(notes)}")
    empty = [name for name, families in found.items() if not families]
    notes += [f"There is no arm {name!r}: no student can learn it." for name in empty]
    return Usable({name: tuple(families) for name, families in found.items() if families}, tuple(notes))


class _Refused(Exception):
    """A file that was asked for cannot be written."""


def _check_files(family: Family, student: Any, plan: Plan, rows: Any, notes: list[str]) -> None:
    """Save and export a student.

    Raises:
        TutelageError: it cannot be saved, or it has no file and the file is limited. _Refused: a format that was asked for.
    """
    limited = plan.limits.size is not None or plan.limits.latency is not None
    with tempfile.TemporaryDirectory(prefix="tutelage-") as folder:
        save_student(student, Path(folder) / "saved")
        for place, end in enumerate(plan.exports):
            try:
                export(student, Path(folder) / f"student{end}", check_on=rows, unproven=True)
            except TutelageError as error:
                if limited and place == 0:
                    raise
                sentence = f"The student {family.name!r} cannot be exported to {end} ({str(error).rstrip('.')})"
                if plan.exports_asked_for:
                    raise _Refused(f"{sentence}; leave it out of the students, or the format out of the exports.") from error
                notes.append(f"{sentence}.")


def _left_out(name: str, reasons: Mapping[str, str], arms: int) -> str:
    distinct = list(dict.fromkeys(reasons.values()))
    where = "" if len(reasons) == arms else f" of {' and '.join(map(repr, reasons))}"
    return f"The student {name!r} is left out{where}: {' '.join(distinct)}"
