"""The arms of a distillation: students that differ in what they learn and in nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import require
from tutelage.losses.targets import harden
from tutelage.report.distillation.records import ANSWERS, DECISIONS, LABELS, MORE_ROWS, PLAIN, UNTUNED
from tutelage.students.temperature import Targets
from tutelage.workflow.distillation.given.part import Part

Learns = Literal["labels", "decisions", "answers"]


@dataclass(frozen=True)
class Arm:
    """What the students of an arm learn.

    Attributes:
        name: in results.
        meaning: a phrase that says what they learn.
        learns: the ground truth, the teacher's most probable classes, or its answers.
        more_rows: whether rows without ground truth are added, which the teacher labels.
        tuned: whether its settings are searched; otherwise they are those of the first trial of "soft labels".
        search_of: name of the arm among whose trials its settings are; its own if empty.
    """

    name: str
    meaning: str
    learns: Learns
    more_rows: bool = False
    tuned: bool = True
    search_of: str = ""

    @property
    def searched(self) -> str:
        """Name of the arm among whose trials its settings are: students of the same trial of it are the same students."""
        return self.search_of or self.name

    def space(self, form: AnswerForm, *, has_truth: bool) -> dict[str, Any]:
        """The settings of the targets that are searched, with Optuna distributions."""
        if self.learns != "answers":
            return {}
        one_of = require("optuna.distributions").CategoricalDistribution
        found: dict[str, Any] = {}
        if form.task != "regression":
            found["temperature"] = one_of([1.0, 2.0, 4.0])
        if has_truth:
            found["soft_weight"] = one_of([1.0, 0.8, 0.5])
        return found

    def targets(self, part: Part, form: AnswerForm, settings: Mapping[str, Any]) -> Targets:
        """What its students learn of rows that have all that the arm needs."""
        if self.learns == "labels":
            return Targets.of(part.answers, form, truth=part.truth, soft_weight=0.0)
        if self.learns == "decisions":
            return Targets.of(part.answers, form, truth=_decided(part.answers, form), soft_weight=0.0)
        weight = settings.get("soft_weight", 1.0) if part.truth is not None else 1.0
        return Targets.of(part.answers, form, truth=part.truth, soft_weight=weight, temperature=settings.get("temperature", 1.0))


def arms_of(form: AnswerForm, *, has_truth: bool, more_rows: str) -> tuple[Arm, ...]:
    """The arms that a problem has, in the order of the report.

    Args:
        form: of the teacher's answers.
        has_truth: whether the ground truth is known.
        more_rows: what the rows without ground truth are, such as "5 000 rows of the pool"; "" if there are none.
    """
    values = form.task == "regression"
    found = []
    if has_truth:
        found.append(Arm(LABELS, "the ground truth alone, without the teacher", "labels"))
    if not values:
        found.append(Arm(DECISIONS, "the teacher's most probable class", "decisions"))
    answers = "the teacher's values" if values else "the teacher's probabilities"
    found.append(Arm(ANSWERS, answers, "answers"))
    if more_rows:
        found.append(Arm(MORE_ROWS, f"{answers}, on {more_rows} too", "answers", more_rows=True))
    return tuple(found)


def plain_arm(student: str) -> Arm:
    """The arm of a plain model, such as "logistic"."""
    return Arm(PLAIN, f"a {student} model of the ground truth", "labels", search_of=LABELS)


def untuned_arm(arm: Arm) -> Arm:
    """The arm whose students learn the same at the settings of the first trial."""
    return Arm(UNTUNED, f"{arm.meaning}, untuned", arm.learns, tuned=False, search_of=arm.name)


def _decided(answers: Floats, form: AnswerForm) -> Floats:
    if form.task == "multilabel":
        return np.asarray(form.probabilities(answers) > 0.5, dtype=np.float64)
    return harden(form.probabilities(answers)).astype(np.float64)
