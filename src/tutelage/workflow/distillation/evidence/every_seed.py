"""The training of all arms: the settings that validation chose, at every seed, and the controls that answer a question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput
from tutelage.report.distillation.records import ANSWERS, LABELS
from tutelage.search.study import Trial
from tutelage.workflow.distillation.evidence.finals import Finalists, Finals, First
from tutelage.workflow.distillation.searching.arms import Arm, plain_arm, untuned_arm
from tutelage.workflow.distillation.searching.usable import plain_model

CONTROLS = 2
"""Arms that are trained besides those that are searched, at most."""
Trials = Mapping[str, tuple[Trial, ...]]
"""Of each arm, by its name."""


def train_every_seed(finals: Finals, arms: Iterable[Arm], trials: Trials, task: Task) -> tuple[list[Finalists], list[str]]:
    """Train the best of each arm, and the controls, at every seed.

    Returns:
        (students, notes): of the arms that have a student of every seed, and why the others are left out.

    Raises:
        BadInput: no student of the teacher's answers is left.
    """
    firsts, notes = finals.firsts([(arm, trials[arm.name]) for arm in arms])
    controls, why_not = finals.firsts(_controls(trials, firsts, task))
    every, lost = finals.of_all_seeds([*firsts, *controls])
    notes = [*notes, *why_not, *lost]
    if not any(one.arm.tuned and one.arm.learns != "labels" for one in every):
        raise BadInput(f"no student of the teacher's answers could be trained. {' '.join(notes)}")
    return every, notes


def _controls(trials: Trials, firsts: Sequence[First], task: Task) -> list[tuple[Arm, tuple[Trial, ...]]]:
    """The student of the teacher's answers untuned, and a plain model of the ground truth."""
    found: list[tuple[Arm, tuple[Trial, ...]]] = []
    for answers in (one for one in firsts if one.arm.name == ANSWERS):
        untuned = next(trial for trial in trials[ANSWERS] if trial.student == answers.trial.student)
        found.append((untuned_arm(answers.arm), (untuned,)))
    plain = plain_arm(plain_model(task).name)
    tried = tuple(trial for trial in trials.get(LABELS, ()) if trial.student == plain_model(task).name)
    if tried and plain.name not in trials:
        found.append((plain, tried))
    return found
