"""The record of a distillation, from what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.checks.findings import Preflight
from tutelage.core.arrays import Floats
from tutelage.core.environment import environment
from tutelage.core.records import Cost, Export
from tutelage.losses.class_weights import weights_by_name
from tutelage.report.distillation.records import (
    ANSWERS,
    KINDS,
    LABELS,
    PLAIN,
    TEACHER,
    UNTUNED,
    CascadeResult,
    DistillationRecord,
    Look,
    OutputResult,
)
from tutelage.report.distillation.sentences import outputs_note
from tutelage.report.distillation.words import answer_of
from tutelage.search.advice import CurvePoint
from tutelage.search.study import front
from tutelage.students.saved.trained_folder import SPLIT
from tutelage.students.teaching import varies
from tutelage.workflow.distillation.evidence.choice import best_of
from tutelage.workflow.distillation.evidence.conclusion import Tested, arm_result, questions, teacher_result
from tutelage.workflow.distillation.evidence.every_seed import Trials
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.evidence.helping import advice_of
from tutelage.workflow.distillation.given.answered import MADE, Answered
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.given.problem import Problem
from tutelage.workflow.distillation.given.split import Split
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.distillation.reporting.provenance import provenance_of
from tutelage.workflow.distillation.searching.judge import Judge
from tutelage.workflow.distillation.searching.training import Prepared

SAME_STUDENTS = "The best student of the ground truth alone is the plain model: both arms have the same students, and are asked about once."
UNTUNED_IS_BEST = "On the validation rows no trial was better than the untuned student of the teacher's answers: tuning changed nothing."


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was found about the students.

    Attributes:
        every: the students of each arm.
        trials: of the search.
        tested: the scores of all arms on the test rows.
        shipped, reason: the students that are shipped, and why.
        curve: what more rows bring.
        looks: at the test rows, this one the last.
        judge: by what students were judged.
        cascade: the student with its teacher; None if there is to be no cascade.
    """

    every: Sequence[Finalists]
    trials: Trials
    tested: Tested
    shipped: Finalists
    reason: str
    curve: tuple[CurvePoint, ...]
    looks: tuple[Look, ...]
    judge: Judge
    cascade: CascadeResult | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured and found besides the students' scores.

    Attributes:
        checked: what the checks of the teacher found.
        cost: of the teacher.
        exports: the files of the shipped student.
        notes: what the reader of the figures should know, as sentences.
        seconds: of each stage and in total, over all calls of the run.
    """

    checked: Preflight
    cost: Cost
    exports: tuple[Export, ...]
    notes: Sequence[str]
    seconds: Mapping[str, float]


def record_of(
    problem: Problem, split: Split, plan: Plan, answered: Answered, full: Prepared, evidence: Evidence, measured: Measured
) -> DistillationRecord:
    """Everything that results.json and the report say.

    Args:
        problem: teacher and rows.
        split: which rows are for what.
        plan: how the students were made.
        answered: the rows with the teacher's answers.
        full: the rows of the first seed.
        evidence: what was found about the students.
        measured: what was measured besides.
    """
    form, judge, tested = problem.form, evidence.judge, evidence.tested
    names = [one.arm.name for one in evidence.every]
    outputs = output_results(tested.answers[evidence.shipped.arm.name], answered.test, judge, problem)
    of_teacher = full.validation.answers if form.task == "regression" else form.probabilities(full.validation.answers)
    found = DistillationRecord(
        title=problem.teacher_name,
        answer="",
        task=form.task,
        classes=form.classes,
        metric=judge.metric,
        against=judge.against,
        chosen=evidence.shipped.arm.name,
        reason=evidence.reason,
        arms=(
            *(arm_result(one, tested) for one in evidence.every),
            teacher_result(tested, judge.figures(of_teacher, full.validation, full), measured.cost),
        ),
        comparisons=tested.compare(_asked(problem, evidence), share=evidence.looks[-1].share),
        looks=evidence.looks,
        front=tuple(_front(evidence, names)),
        limits={"size": plan.limits.size, "latency": plan.limits.latency, "drop": plan.limits.drop},
        rows=_rows(problem, split, answered, full),
        findings=measured.checked.to_json(),
        exports=measured.exports,
        notes=(*measured.notes, *_twins(evidence).values(), *outputs_note(outputs, judge.against)),
        curve=evidence.curve,
        options={"trials": plan.trials, "seeds": plan.seeds, "seed": plan.seed, "rows_shown": plan.show_rows},
        seconds=measured.seconds,
        environment=environment(),
        provenance=provenance_of(problem),
        cascade=evidence.cascade,
        outputs=outputs,
    )
    shipped = evidence.shipped
    return replace(found, answer=answer_of(found), advice=advice_of(found, shipped.trial, evidence.trials.get(shipped.arm.name, ())))


def output_results(student: Floats, test: Part, judge: Judge, problem: Problem) -> tuple[OutputResult, ...]:
    """R2 of each of several values; none for a single one, and for classes.

    Args:
        student: (rows, outputs) its answers to the test rows.
        test: the test rows.
        judge: says what answers are measured against.
        problem: teacher and rows.
    """
    if test.units is None:
        return ()
    target = test.answers if test.truth is None or judge.against == "teacher" else test.truth
    of_student, of_teacher = (_r_squared(answers, target, test.weights) for answers in (student, test.answers))
    columns = tuple((problem.source or {}).get("truth") or problem.values)
    names = columns if len(columns) == len(of_student) else tuple(f"value_{place}" for place in range(len(of_student)))
    known = judge.against == "truth"
    return tuple(OutputResult(name, one, other if known else None) for name, one, other in zip(names, of_student, of_teacher, strict=True))


def _r_squared(answers: Floats, target: Floats, weights: Floats | None) -> list[float | None]:
    """R2 of each value; None for one that does not vary."""
    centred = target - np.average(target, axis=0, weights=weights)
    errors, variances = (np.average(one**2, axis=0, weights=weights).tolist() for one in (answers - target, centred))
    each = zip(errors, variances, varies(target), strict=True)
    return [1 - error / variance if vary and variance > 0 else None for error, variance, vary in each]


def _front(evidence: Evidence, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The trials of each arm that no other of the arm beats."""
    for name in names:
        for trial in front(evidence.trials.get(name, ())):
            yield {"arm": name, **trial.to_json()}


def _asked(problem: Problem, evidence: Evidence) -> list[tuple[str, str, str]]:
    """The questions that the test answers."""
    names = [name for name in (one.arm.name for one in evidence.every) if name not in _twins(evidence)]
    taught = [one for one in evidence.every if one.arm.name not in KINDS]
    distilled = evidence.shipped if evidence.shipped in taught else best_of(taught, evidence.judge)
    return questions([*names, TEACHER] if problem.has_truth else names, distilled.arm.name, evidence.shipped.arm.name)


def _twins(evidence: Evidence) -> dict[str, str]:
    """The arms that have the same students as another one, and are not asked about, each with the note that says so.

    The best student of the ground truth may be the plain model: the same difference would be counted as two questions. The untuned student
    may be the best of its search: the difference is none.
    """
    files = {one.arm.name: one.files for one in evidence.every}
    found = {}
    if LABELS in files and files[LABELS] == files.get(PLAIN):
        found[LABELS if evidence.shipped.arm.name == PLAIN else PLAIN] = SAME_STUDENTS
    if ANSWERS in files and files[ANSWERS] == files.get(UNTUNED):
        found[UNTUNED] = UNTUNED_IS_BEST
    return found


def _rows(problem: Problem, split: Split, answered: Answered, full: Prepared) -> Mapping[str, Any]:
    """The number of rows of each part, and where they are from."""
    more = answered.more
    return {
        "development": len(split.development) + len(split.validation),
        "train": full.train.count,
        "validation": full.validation.count,
        "own_validation": problem.validation is not None,
        "test": answered.test.count,
        "calibration": 0 if answered.calibration is None else answered.calibration.count,
        "more": 0 if more is None else more.part.count,
        "more_learnt": 0 if full.more is None else full.more.count,
        "more_are": MADE if more is None else more.are,
        "removed": split.removed,
        "repeated_test": split.repeated,
        "seen_test": split.seen,
        "test_rows": split.how,
        "weighted": problem.given.weights is not None,
        "class_weights": weights_by_name(split.class_weights, problem.form),
        "names": SPLIT,
    }
