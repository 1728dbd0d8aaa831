"""The test: every arm is measured once on rows that chose nothing, and the questions are answered by paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.records import Comparison, Interval
from tutelage.evaluation.intervals import grand_mean_interval, mean_interval
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.report.distillation.records import ArmKind, ArmResult
from tutelage.workflow.distillation.finals import Finalists
from tutelage.workflow.distillation.part import Part, scores_of
from tutelage.workflow.distillation.search import BETTER_IF_HIGHER, Judge

TEACHER = "teacher"
LABELS = "labels"


@dataclass(frozen=True, eq=False)
class Tested:
    """Scores of all arms on the test rows.

    Attributes:
        scores: for each arm and figure, (seeds, rows); the teacher has one seed.
    """

    scores: Mapping[str, Mapping[str, Floats]]
    judge: Judge

    def compare(self, a: str, b: str, question: str) -> Comparison:
        """The paired difference of two arms in the metric."""
        metric = self.judge.metric
        lower = metric not in BETTER_IF_HIGHER
        difference, interval = paired_difference(self.scores[a][metric], self.scores[b][metric], shared_rows=True)
        return Comparison(
            a=a,
            b=b,
            metric=metric,
            difference=difference,
            ci95=(interval.low, interval.high),
            verdict=verdict(difference, interval, lower_is_better=lower),
            question=question,
            over=interval.over,
            caution=interval.caution,
        )

    def interval(self, name: str) -> Interval:
        """Of the mean of the metric."""
        scores = self.scores[name][self.judge.metric]
        return mean_interval(scores[0], over="test rows") if len(scores) == 1 else grand_mean_interval(scores, shared_rows=True)


def measure(every: Sequence[Finalists], test: Part, form: AnswerForm, judge: Judge) -> Tested:
    """Ask every student, and the teacher, every test row once."""
    scores: dict[str, dict[str, Floats]] = {}
    for one in every:
        found = [scores_of(student.answer(test.rows), test, form, judge.against) for student in one.students]
        scores[one.arm.name] = {figure: np.stack([each[figure] for each in found]) for figure in found[0]}
    answers = test.answers if form.task == "regression" else form.probabilities(test.answers)
    scores[TEACHER] = {figure: values[None] for figure, values in scores_of(answers, test, form, judge.against).items()}
    return Tested(scores, judge)


def arm_result(one: Finalists, tested: Tested, kind: ArmKind) -> ArmResult:
    """The record of one arm."""
    figures = tested.scores[one.arm.name]
    return ArmResult(
        name=one.arm.name,
        meaning=one.arm.meaning,
        kind=kind,
        student=one.trial.student,
        settings=one.trial.settings,
        seeds=tuple(range(len(one.students))),
        trials=one.trials,
        validation={name: tuple(each[name] for each in one.validation) for name in one.validation[0]},
        test={name: tuple(values.mean(axis=1).tolist()) for name, values in figures.items()},
        interval=tested.interval(one.arm.name),
        size_bytes=one.size_bytes,
        excess=one.excess,
    )


def teacher_result(tested: Tested, validation: Mapping[str, float]) -> ArmResult:
    """The record of the teacher."""
    return ArmResult(
        name=TEACHER,
        meaning="the teacher itself",
        kind="teacher",
        student="",
        settings={},
        seeds=(0,),
        trials=0,
        validation={name: (value,) for name, value in validation.items()},
        test={name: tuple(values.mean(axis=1).tolist()) for name, values in tested.scores[TEACHER].items()},
        interval=tested.interval(TEACHER),
    )


def questions(names: Sequence[str], distilled: str) -> list[tuple[str, str, str]]:
    """The pairs that are compared, with the question that each answers.

    Args:
        names: of the arms.
        distilled: the arm of the teacher's students that validation prefers.
    """
    asked = [
        (distilled, LABELS, "Does the teacher help, compared with the ground truth alone?"),
        ("answers", "decisions", "Do the teacher's probabilities help more than its decisions?"),
        ("answers, more rows", "answers", "Do more rows help, labelled by the teacher?"),
        ("answers", "untuned", "Does tuning help?"),
        (distilled, "plain model", "Is it better than a plain model of the ground truth?"),
        (distilled, TEACHER, "Does it reach its teacher?"),
    ]
    return [(a, b, question) for a, b, question in asked if a in names and b in names and a != b]
