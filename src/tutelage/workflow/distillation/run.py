"""A distillation from its problem and plan to its folder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tutelage.checks.findings import Finding, Preflight
from tutelage.checks.preflight import check_validation_rows, preflight
from tutelage.core.environment import environment
from tutelage.core.errors import CannotWrite, TutelageError, require_extras
from tutelage.core.records import Export, Latency
from tutelage.core.running.stages import Stages
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.structures.row_parts import taken
from tutelage.exporters.beside import name_student
from tutelage.exporters.export import export
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.report.distillation.records import CascadeResult, DistillationRecord
from tutelage.search.advice import CurvePoint
from tutelage.students.cascade import Guarantee
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher, check_stored_apart, texts_to_ask, with_advance
from tutelage.workflow.distillation.evidence.cascade import Beside, choose_for_cascade, measured_cascade
from tutelage.workflow.distillation.evidence.choice import choose
from tutelage.workflow.distillation.evidence.conclusion import measure
from tutelage.workflow.distillation.evidence.curve import transfer_points
from tutelage.workflow.distillation.evidence.every_seed import CONTROLS, train_every_seed
from tutelage.workflow.distillation.evidence.finals import Finalists, Finals
from tutelage.workflow.distillation.evidence.looks import looks_before, with_this_look
from tutelage.workflow.distillation.folder import PREFLIGHT, RunFolder
from tutelage.workflow.distillation.given.answered import answered_rows, check_answerable
from tutelage.workflow.distillation.given.calibration import check_cascade
from tutelage.workflow.distillation.given.part import Against, Part
from tutelage.workflow.distillation.given.problem import Problem
from tutelage.workflow.distillation.given.split import Split, split
from tutelage.workflow.distillation.plan import Plan
from tutelage.workflow.distillation.reporting.loading import how_to_load
from tutelage.workflow.distillation.reporting.outputs import finished_record, write_record, write_split, write_student
from tutelage.workflow.distillation.reporting.pictures import figures_of
from tutelage.workflow.distillation.reporting.record import Evidence, Measured, record_of
from tutelage.workflow.distillation.reporting.spent import Spent
from tutelage.workflow.distillation.reporting.teacher_cost import teacher_cost
from tutelage.workflow.distillation.reporting.tracking import track
from tutelage.workflow.distillation.reporting.trying import playground_of_run
from tutelage.workflow.distillation.reporting.write import write_report
from tutelage.workflow.distillation.searching.arms import arms_of
from tutelage.workflow.distillation.searching.judge import Judge
from tutelage.workflow.distillation.searching.rows import LOOKED_AT, DevelopmentRows, number_of
from tutelage.workflow.distillation.searching.search_arms import ArmSearch
from tutelage.workflow.distillation.searching.usable import arms_with_students, no_plain_model, stored_students
from tutelage.workflow.distillation.searching.workplace import Shared, Workplace, check_sendable, workplace
from tutelage.workflow.reference import write_reference

CHOOSE_ON_OTHERS = (
    "Where students have to learn from these rows, choose them on rows that the teacher has not seen (validation=, --validation): on its "
    "own rows, validation prefers students that repeat what it remembers."
)
TRAINING = ("tutelage", "numpy", "scipy", "scikit-learn", "optuna", "torch", "lightgbm")
"""Packages that draw settings and train students: another version may give other ones."""


def distillation(problem: Problem, plan: Plan, into: Path, stages: Stages, *, on: Any = None) -> DistillationRecord:
    """Distil a teacher: check it, split the rows, search, test once, export, and write the folder.

    Args:
        problem: teacher and rows.
        plan: how.
        into: the folder; a run that was stopped there goes on.
        stages: measures and displays each stage.
        on: where students are trained, as `distill` takes it; None for this process. The record is the same.

    Raises:
        BadInput: the folder holds another run, the rows are too few, or students that other processes cannot make.
        SelfCheckFailed: preflight finds an error. CannotWrite: the folder cannot be written.
    """
    require_extras(("distill", "report"))
    check_sendable(plan.families, on)
    folder = RunFolder(into)
    folder.check()
    check_stored_apart(problem.teacher, into)
    if plan.cascade is not None:
        check_cascade(problem, plan.exports)
    check_answerable(problem)
    with stages.stage("split"):
        drawn = split(problem, seed=plan.seed, cascade=plan.cascade)  # too few rows are refused before there is a folder
    with folder.opened(_identity(problem, plan, drawn)):
        finished = finished_record(folder, plan)
        if finished is not None:
            with stages.stage("finished before, its results are read"):
                return finished
        folder.check_versions({name: one for name, one in environment(*TRAINING).items() if name in ("python", *TRAINING)})
        spent = Spent(folder, stages)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # validation judges students whose training ended early
            try:
                found = _distilled(problem, drawn, plan, folder, spent, stages, on)
            finally:
                with suppress(CannotWrite):  # which a stage has said
                    spent.store()
        track(found, into)
        return found


def _identity(problem: Problem, plan: Plan, drawn: Split) -> dict[str, Any]:
    sets = {"rows": problem.given, "test_rows": problem.test, "pool": problem.pool, "training_rows": problem.seen}
    own = {} if problem.validation is None else {"validation_rows": problem.validation}  # not of earlier versions
    return {
        "teacher": problem.teacher.fingerprint,
        **{name: None if rows is None else rows.identity() for name, rows in {**sets, **own}.items()},
        "class_weight": problem.class_weight,
        **plan.identity(),
        "split": drawn.fingerprint(problem, seed=plan.seed),
    }


def _distilled(problem: Problem, drawn: Split, plan: Plan, folder: RunFolder, spent: Spent, stages: Stages, on: Any) -> DistillationRecord:
    """All stages, in order; each resumes from what the folder holds of it."""
    looks = looks_before(folder, seeds=plan.seeds)
    write_split(folder, problem, drawn)
    if not folder.has(PREFLIGHT):
        _ask_texts(problem, stages)
    with stages.stage("preflight"):
        checked = _preflight(problem, drawn, plan, folder)
    with stages.stage("ask the teacher"):
        answered = answered_rows(problem, drawn, folder, seed=plan.seed)
    judge = _judge(problem, plan)
    rows = DevelopmentRows.of(problem, drawn, answered, seed=plan.seed, seeds=plan.seeds)
    named = "" if answered.more is None else f"{number_of(rows.more_learnt())} {answered.more.are}"
    every_arm = arms_of(problem.form, has_truth=problem.has_truth, more_rows=named)
    with stages.stage("try the students"):
        usable = stored_students(plan, every_arm, lambda: rows.prepared(LOOKED_AT), folder)
    arms = arms_with_students(plan, every_arm, usable, problem)
    families = {family.name: family for of_arm in arms.values() for family in of_arm}
    with workplace(Shared(rows, judge, families), folder, on) as place:
        with stages.stage("search", len(arms) * plan.trials) as advance:
            trials = ArmSearch(place, folder, plan.trials, plan.seed, advance).search(arms)
        with stages.stage("train all seeds", (len(arms) + CONTROLS) * plan.seeds) as advance:
            every, lost = train_every_seed(Finals(place, folder, plan.seeds, advance), arms, trials, problem.form.task)
        with stages.stage("transfer curve"):
            curve = _curve(every, place, folder)
    with stages.stage("test"):
        tested = measure(every, answered.test, problem.form, judge)
    allowed = {family.name for family in plan.families}  # the plain model of other students is only a comparison
    with stages.stage("measure the teacher"):
        cost = teacher_cost(problem.teacher, problem.given.asked, folder)
    full = rows.prepared(0)
    beside = _beside(problem, plan, cost.alone)
    shipped, reason = _chosen([one for one in every if one.arm.tuned and one.trial.student in allowed], judge, full.validation, beside)
    cascade = None if beside is None else measured_cascade(shipped, answered, tested, beside)
    looks = with_this_look(folder, looks, seeds=plan.seeds)
    student = _with_its_threshold(shipped.students[0], cascade)
    with stages.stage("export", len(plan.exports)):
        exports, not_written = _exported(student, full.validation.rows, plan, folder, sha256_of(folder.path / shipped.files[0]))
    notes = [*drawn.notes, *answered.notes, *no_plain_model(problem), *usable.notes, *lost, *not_written]
    evidence = Evidence(every, trials, tested, shipped, reason, curve, looks, judge, cascade)
    found = record_of(problem, drawn, plan, answered, full, evidence, Measured(checked, cost, exports, notes, spent.seconds()))
    write_student(folder, problem, drawn, shipped, found)
    write_reference(folder.path, shipped.students[0], answered.test.rows)  # as they come: no row is left out of them
    loading = how_to_load(folder, exports, problem.schema, problem.given.rows)
    name = shipped.arm.name
    figures = figures_of(name, tested.answers[name], answered.test, problem.form, show_rows=plan.show_rows, loading=loading)
    playground = playground_of_run(
        student, full.train.rows, answered.test, problem.form, disagreements=figures.shown, show_rows=plan.show_rows
    )
    write_report(folder, found, figures, playground)
    write_record(folder, found)  # the last file: a folder that has it is finished
    return found


def _judge(problem: Problem, plan: Plan) -> Judge:
    """By what students are judged; the files of a cascade have a threshold."""
    against: Against = "truth" if problem.has_truth else "teacher"
    return Judge(plan.metric, against, plan.limits, plan.exports[0], None if plan.cascade is None else problem.teacher.fingerprint)


def _beside(problem: Problem, plan: Plan, latency: Latency | None) -> Beside | None:
    """The teacher of a cascade; None if there is to be none."""
    if plan.cascade is None:
        return None
    return Beside(problem.form, plan.cascade, problem.teacher.fingerprint, latency, over_groups=problem.given.groups is not None)


def _ask_texts(problem: Problem, stages: Stages) -> None:
    """Ask a language model all texts, before anything else needs some of the answers, so that the display shows how far it is."""
    if isinstance(problem.teacher, ChatTeacher):
        texts = problem.every_asked
        with stages.stage("ask the language model", texts_to_ask(problem.teacher, texts)) as advance:
            with_advance(problem.teacher, advance).answer(texts)


def _chosen(candidates: Sequence[Finalists], judge: Judge, validation: Part, beside: Beside | None) -> tuple[Finalists, str]:
    """The students that are shipped, and why: for a cascade those that are fastest beside the teacher, if they may answer any row."""
    found = None if beside is None else choose_for_cascade(candidates, validation, beside)
    return choose(candidates, judge, weighted=validation.weights is not None) if found is None else found


def _preflight(problem: Problem, drawn: Split, plan: Plan, folder: RunFolder) -> Preflight:
    """The checks of the teacher on the rows that it is asked; an error stops the run."""
    if not folder.has(PREFLIGHT):
        folder.write(PREFLIGHT, {"found": _checked(problem, drawn, plan).raise_for_errors().to_json()})
    return Preflight.from_json(folder.read(PREFLIGHT)["found"]).raise_for_errors()


def _checked(problem: Problem, drawn: Split, plan: Plan) -> Preflight:
    given, test, places = problem.given, problem.test, drawn.development
    asked = given.asked.part(0, given.count)
    tested = taken(asked, drawn.test) if test is None else test.asked
    truth, test_truth = None, None
    if given.truth is not None:
        truth = given.truth[places]
        test_truth = given.truth[drawn.test] if test is None else test.truth
    rows = taken(asked, places)
    found = preflight(problem.teacher, rows, truth, test=tested, test_labels=test_truth, seed=plan.seed)
    findings = [_of_the_teacher(one, problem) for one in found.findings]
    if problem.validation is not None:
        validated = taken(problem.validation.asked.part(0, problem.validation.count), drawn.validation)
        names = problem.names["validation"][drawn.validation]
        seen = None if problem.seen is None else float(np.isin(names, problem.names["seen"]).mean())
        findings += check_validation_rows(problem.teacher, validated, tested, seen=seen, seed=plan.seed)
    return replace(found, findings=tuple(findings))


def _of_the_teacher(finding: Finding, problem: Problem) -> Finding:
    """A finding as one of a distillation.

    A leak is one in the columns that the teacher reads: the split has left out rows that are equal in the student's. Where the teacher was
    trained on the rows, students can be chosen on others.
    """
    if finding.check == "own-rows" and finding.severity == "warning" and problem.validation is None:
        return replace(finding, remedy=f"{finding.remedy} {CHOOSE_ON_OTHERS}")
    if finding.check != "leak" or finding.severity != "error" or problem.equal_by_chance:
        return finding
    shared, tested = finding.figure["shared rows"], finding.figure["test rows"]
    sentence = f"{shared:,} of {tested:,} test rows equal others in the columns that the teacher reads, and differ in those of the student."
    return replace(finding, severity="note", sentence=sentence, remedy="")


def _curve(every: Sequence[Finalists], place: Workplace, folder: RunFolder) -> tuple[CurvePoint, ...]:
    """The validation figures of the students of more rows, with fewer of them."""
    found = next((one for one in every if one.arm.more_rows), None)
    return () if found is None else transfer_points(found, place, folder)


def _with_its_threshold(student: Any, cascade: CascadeResult | None) -> Any:
    """The student as it is written: with the threshold of a cascade if there is one."""
    if cascade is None or not cascade.attained:
        return student
    return with_threshold(student, Guarantee(**cascade.guarantee))


def _exported(student: Any, rows: Any, plan: Plan, folder: RunFolder, sha256: str) -> tuple[tuple[Export, ...], list[str]]:
    """The files of the chosen student, whose own file has this SHA-256, and why others were not written."""
    found, notes = [], []
    for end in plan.exports:
        try:
            found.append(export(student, folder.path / f"student{end}", check_on=rows))
            name_student(folder.path / f"student{end}", sha256)
        except TutelageError as error:
            notes.append(f"student{end} was not written: {error}")
    return tuple(found), notes
