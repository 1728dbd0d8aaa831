"""The test: every arm is measured once on rows that chose nothing, and the questions are answered by paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.records import Comparison, Cost, Interval, Verdict
from tutelage.evaluation.intervals import grand_mean_interval, mean_interval, weighted_mean_interval
from tutelage.evaluation.scoring.row_scores import Settings
from tutelage.evaluation.verdicts import detectable_difference, holm, p_value, paired_difference
from tutelage.report.distillation.records import ANSWERS, DECISIONS, KINDS, LABELS, MORE_ROWS, PLAIN, TEACHER, UNTUNED, ArmResult
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.given.part import Part, scores_of
from tutelage.workflow.distillation.searching.judge import BETTER_IF_HIGHER, Judge

FALSE_VERDICTS = 0.05
"""How often a run may have any false verdict, over all questions and looks, counted on both sides."""
Question = tuple[str, str, str]
"""The two arms, and what their difference answers."""


@dataclass(frozen=True, eq=False)
class Tested:
    """Scores of all arms on the test rows.

    Attributes:
        scores: for each arm and figure, (seeds, rows); the teacher has one seed.
        judge: names the metric.
        weights: (rows,) of the test rows; None if all weigh the same.
        answers: for each arm, (rows, columns) of its first seed, at temperature 1.
    """

    scores: Mapping[str, Mapping[str, Floats]]
    judge: Judge
    weights: Floats | None = None
    answers: Mapping[str, Floats] = field(default_factory=dict)

    def compare(self, asked: Sequence[Question], *, share: float) -> tuple[Comparison, ...]:
        """Answer all questions by paired differences in the metric, corrected for their number by Holm's procedure and for the looks.

        Args:
            asked: the questions.
            share: of the false verdicts that this look at the test rows may spend.
        """
        found = [self._difference(*question, level=1 - FALSE_VERDICTS * share / len(asked)) for question in asked]
        corrected = [min(1.0, p / share) for p in holm([1.0 if one.p_value is None else one.p_value for one in found])]
        return tuple(
            replace(one, corrected_p=p, verdict=self._verdict(one.difference) if p <= FALSE_VERDICTS else "no difference")
            for one, p in zip(found, corrected, strict=True)
        )

    def _difference(self, a: str, b: str, question: str, *, level: float) -> Comparison:
        of_a, of_b = (self.scores[name][self.judge.metric] for name in (a, b))
        largest = Settings().largest(self.judge.metric)
        difference, interval = paired_difference(of_a, of_b, shared_rows=True, weights=self.weights, largest=largest)
        low, high = (interval.low, interval.high) if largest is None else np.clip((interval.low, interval.high), -largest, largest).tolist()
        return Comparison(
            a=a,
            b=b,
            metric=self.judge.metric,
            difference=difference,
            ci95=(low, high),
            verdict="no difference",
            question=question,
            over=interval.over,
            caution=interval.caution,
            p_value=p_value(of_a, of_b, shared_rows=True, weights=self.weights),
            detectable=detectable_difference(of_a, of_b, shared_rows=True, weights=self.weights, level=level),
        )

    def _verdict(self, difference: float) -> Verdict:
        return "beats" if (difference > 0) == (self.judge.metric in BETTER_IF_HIGHER) else "worse"

    def interval(self, name: str) -> Interval:
        """Of the mean of the metric, within the values that it may have: a share within 0 and 1, a loss from 0 on."""
        found, largest = self._interval(self.scores[name][self.judge.metric]), Settings().largest(self.judge.metric)
        return replace(found, low=max(found.low, 0.0), high=found.high if largest is None else min(found.high, largest))

    def _interval(self, scores: Floats) -> Interval:
        if len(scores) > 1:
            return grand_mean_interval(scores, shared_rows=True, weights=self.weights)
        return mean_interval(scores[0], over="test rows") if self.weights is None else weighted_mean_interval(scores[0], self.weights)

    def means(self, name: str) -> dict[str, tuple[float, ...]]:
        """For each figure, the mean over rows of each seed."""
        found = {figure: np.average(values, axis=1, weights=self.weights) for figure, values in self.scores[name].items()}
        return {figure: tuple(values.tolist()) for figure, values in found.items()}


def measure(every: Sequence[Finalists], test: Part, form: AnswerForm, judge: Judge) -> Tested:
    """Ask every student, and the teacher, every test row once; two arms may have the same students."""
    scores: dict[str, dict[str, Floats]] = {}
    first: dict[str, Floats] = {}
    asked: dict[tuple[str, ...], str] = {}
    for one in every:
        name, same = one.arm.name, asked.setdefault(one.files, one.arm.name)
        if same != name:
            scores[name], first[name] = scores[same], first[same]
            continue
        answers = [student.answer(test.rows) for student in one.students]
        found = [_figures_of(each, test, form, judge) for each in answers]
        scores[name] = {figure: np.stack([each[figure] for each in found]) for figure in found[0]}
        first[name] = answers[0]
    first[TEACHER] = test.answers if form.task == "regression" else form.probabilities(test.answers)
    scores[TEACHER] = {figure: values[None] for figure, values in _figures_of(first[TEACHER], test, form, judge).items()}
    return Tested(scores, judge, test.weights, first)


def _figures_of(answers: Floats, test: Part, form: AnswerForm, judge: Judge) -> dict[str, Floats]:
    """(rows,) of each figure, and of the fidelity: `agreement` with the teacher, or `teacher_mse` for values."""
    found = scores_of(answers, test, form, judge.against)
    if judge.against == "truth":
        name = "mse" if form.task == "regression" else "agreement"
        found["teacher_mse" if name == "mse" else name] = scores_of(answers, test, form, "teacher")[name]
    return found


def arm_result(one: Finalists, tested: Tested) -> ArmResult:
    """The record of one arm."""
    return ArmResult(
        name=one.arm.name,
        meaning=one.arm.meaning,
        kind=KINDS.get(one.arm.name, "distilled"),
        student=one.trial.student,
        settings=one.trial.settings,
        seeds=tuple(range(len(one.students))),
        trials=one.trials,
        validation={name: tuple(each[name] for each in one.validation) for name in one.validation[0]},
        test=tested.means(one.arm.name),
        interval=tested.interval(one.arm.name),
        size_bytes=one.size_bytes,
        latency=one.latency,
        excess=one.excess,
        drop=one.drop,
    )


def teacher_result(tested: Tested, validation: Mapping[str, float], cost: Cost) -> ArmResult:
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
        test=tested.means(TEACHER),
        interval=tested.interval(TEACHER),
        size_bytes=cost.size_bytes,
        latency=cost.alone,
    )


def questions(names: Sequence[str], distilled: str, shipped: str) -> list[Question]:
    """The pairs that are compared, with the question that each answers.

    Args:
        names: of the arms; with the teacher if there is ground truth to compare it by.
        distilled: the arm of the teacher's students that is shipped, or the best of them by validation.
        shipped: the arm that is shipped, which may be one of the ground truth.
    """
    asked = [
        (distilled, LABELS, "Does the teacher help, compared with the ground truth alone?"),
        *([(distilled, PLAIN, "Does the teacher help, compared with a plain model of the ground truth?")] if shipped == PLAIN else []),
        (ANSWERS, DECISIONS, "Do the teacher's probabilities help more than its decisions?"),
        (MORE_ROWS, ANSWERS, "Do more rows help, labelled by the teacher?"),
        (ANSWERS, UNTUNED, "Does tuning help?"),
        (shipped, PLAIN, "Is the chosen student better than a plain model of the ground truth?"),
        (shipped, TEACHER, "Does the chosen student reach the teacher?"),
    ]
    return [(a, b, question) for a, b, question in asked if a in names and b in names and a != b]
