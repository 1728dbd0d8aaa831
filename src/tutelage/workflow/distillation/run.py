"""A distillation from its problem and plan to its folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from tutelage.checks.findings import Preflight
from tutelage.checks.preflight import preflight
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.environment import environment
from tutelage.core.errors import BadInput, TutelageError, require, require_extras
from tutelage.core.records import Export
from tutelage.core.stages import Stages
from tutelage.data.rows import as_rows
from tutelage.data.transfer import Munge
from tutelage.exporters.export import export
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.distillation.words import answer_of
from tutelage.search.advice import CurvePoint
from tutelage.search.families import Family
from tutelage.search.study import Trial, front
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import query
from tutelage.softlabels.recording import record
from tutelage.workflow.distillation.evidence.choice import best_of, choose
from tutelage.workflow.distillation.evidence.conclusion import LABELS, PLAIN, TEACHER, arm_result, measure, questions, teacher_result
from tutelage.workflow.distillation.evidence.curve import transfer_points
from tutelage.workflow.distillation.evidence.finals import Finalists, Finals, First, left_out
from tutelage.workflow.distillation.evidence.helping import advice_of
from tutelage.workflow.distillation.evidence.looks import looks_before, with_this_look
from tutelage.workflow.distillation.folder import PREFLIGHT, RunFolder
from tutelage.workflow.distillation.given.class_weights import weights_by_name
from tutelage.workflow.distillation.given.part import Part, part_of
from tutelage.workflow.distillation.given.problem import Problem, RowSet
from tutelage.workflow.distillation.given.split import Places, split, weighed_like
from tutelage.workflow.distillation.plan import MADE_ROWS, Plan
from tutelage.workflow.distillation.reporting.loading import how_to_load
from tutelage.workflow.distillation.reporting.outputs import finished_record, write_record, write_split, write_student
from tutelage.workflow.distillation.reporting.pictures import figures_of
from tutelage.workflow.distillation.reporting.provenance import provenance_of
from tutelage.workflow.distillation.reporting.teacher_cost import teacher_cost
from tutelage.workflow.distillation.reporting.tracking import track
from tutelage.workflow.distillation.reporting.write import write_report
from tutelage.workflow.distillation.searching.arms import Arm, arms_of
from tutelage.workflow.distillation.searching.rows import DevelopmentRows, made_rows
from tutelage.workflow.distillation.searching.search import Judge
from tutelage.workflow.distillation.searching.search_arms import ArmSearch
from tutelage.workflow.distillation.searching.usable import plain_model, usable_students
from tutelage.workflow.evaluate import SPLIT
from tutelage.workflow.feature_guards import check_features

PACKAGES = ("tutelage", "numpy", "scipy", "scikit-learn", "optuna", "torch", "lightgbm")
"""Packages that draw settings and train students: another version may give other ones."""


def distillation(problem: Problem, plan: Plan, into: Path, stages: Stages) -> DistillationRecord:
    """Distil a teacher: check it, split the rows, search, test once, export, and write the folder.

    Args:
        problem: teacher and rows.
        plan: how.
        into: the folder; a run that was stopped there goes on.
        stages: measures and displays each stage.

    Raises:
        BadInput: the folder holds another run, or the rows are too few. SelfCheckFailed: preflight finds an error.
            CannotWrite: the folder cannot be written.
    """
    require_extras(("distill", "report"))
    folder = RunFolder(into)
    folder.check()
    _check_recorded(problem)
    split(problem, seed=plan.seed)  # too few rows are refused before there is a folder
    with folder.opened(_identity(problem, plan)):
        finished = finished_record(folder, plan)
        if finished is not None:
            with stages.stage("finished before, its results are read"):
                return finished
        folder.check_versions({name: one for name, one in environment(*PACKAGES).items() if name in ("python", *PACKAGES)})
        found = _Run(problem, plan, folder, stages).finish()
        track(found, into)
        return found


def _check_recorded(problem: Problem) -> None:
    """Check, before any work, that recorded answers hold all rows.

    Raises:
        LabelMismatch: they do not.
    """
    if isinstance(problem.teacher, LabelFolder | SoftLabels):
        for rows in (problem.given, problem.test, problem.pool):
            if rows is not None:
                query(problem.teacher, rows.asked)


def _identity(problem: Problem, plan: Plan) -> dict[str, Any]:
    sets = {"rows": problem.given, "test_rows": problem.test, "pool": problem.pool, "training_rows": problem.seen}
    return {
        "teacher": problem.teacher.fingerprint,
        **{name: None if rows is None else rows.identity() for name, rows in sets.items()},
        "class_weight": problem.class_weight,
        **plan.identity(),
    }


def _plain_arm(student: str) -> Arm:
    return Arm(PLAIN, f"a {student} model of the ground truth", "labels")


def _like(rows: Any, count: int, *, seed: int) -> tuple[Any, Places]:
    """Rows made from others, in the same kind of container, and (count, 2) the places of the two that each was made from."""
    if is_frame(rows) and not hasattr(rows, "iloc"):
        made, sources = Munge().make_with_sources(rows.to_pandas(), count, seed=seed)
        return require("polars").from_pandas(made), sources
    return Munge().make_with_sources(rows, count, seed=seed)


class _Run:
    """One distillation in the making."""

    def __init__(self, problem: Problem, plan: Plan, folder: RunFolder, stages: Stages) -> None:
        self.problem, self.plan, self.folder, self.stages = problem, plan, folder, stages
        self.form = problem.form
        self.made_from: Places | None = None
        self.notes: list[str] = []

    def finish(self) -> DistillationRecord:
        """All stages, in order."""
        self.looks = looks_before(self.folder, seeds=self.plan.seeds)
        with self.stages.stage("split"):
            self.split = split(self.problem, seed=self.plan.seed)
            self.notes += self.split.notes
            write_split(self.folder, self.problem, self.split)
        checked = self._preflight()
        with self.stages.stage("ask the teacher"):
            weights = self.split.class_weights
            self.given = part_of(self.problem.given, self._answers("given", self.problem.given), self.form, weights)
            self.notes += check_features(
                self.problem.given.rows, self.given.answers, self.form, self.problem.asked_columns, self.problem.single_truth
            )
            test = self.problem.test
            of_test = None if test is None else part_of(test, self._answers("test", test), self.form, weights)
            self.test = self.given.take(self.split.test) if of_test is None else of_test
            self.more, more_rows = self._more()
        self.judge = Judge(self.plan.metric, "truth" if self.problem.has_truth else "teacher", self.plan.limits, self.plan.exports[0])
        self.rows = DevelopmentRows(self.problem, self.split, self.given, self.more, self.made_from, seed=self.plan.seed)
        arms = self._arms(more_rows)
        trials = self._search(arms)
        every = self._finalists(arms, trials)
        self.curve = self._curve(every)
        with self.stages.stage("test"):
            tested = measure(every, self.test, self.form, self.judge)
        return self._record(every, trials, tested, checked)

    def _preflight(self) -> Preflight:
        """The checks of the teacher on the rows that it is asked; an error stops the run."""
        with self.stages.stage("preflight"):
            if not self.folder.has(PREFLIGHT):
                self.folder.write(PREFLIGHT, {"found": self._checked().raise_for_errors().to_json()})
            return Preflight.from_json(self.folder.read(PREFLIGHT)["found"]).raise_for_errors()

    def _checked(self) -> Preflight:
        given, test, places = self.problem.given, self.problem.test, self.split.development
        asked = given.asked.part(0, given.count)
        tested = _safe_indexing(asked, self.split.test) if test is None else test.asked
        truth, test_truth = None, None
        if given.truth is not None:
            truth = given.truth[places]
            test_truth = given.truth[self.split.test] if test is None else test.truth
        rows = _safe_indexing(asked, places)
        return preflight(self.problem.teacher, rows, truth, test=tested, test_labels=test_truth, seed=self.plan.seed)

    def _answers(self, name: str, rows: RowSet) -> Floats:
        """The teacher's answers to a set of rows, asked once."""
        teacher = self.problem.teacher
        if not isinstance(teacher, LabelFolder | SoftLabels):
            teacher = record(teacher, rows.asked, self.folder.path / "work" / "answers" / name, dtype="float64")
        return query(teacher, rows.asked)

    def _more(self) -> tuple[Part | None, str]:
        """Rows without ground truth, and what they are; none for recorded answers without a pool, and for texts."""
        pool = self.problem.pool
        if pool is not None:
            pool = weighed_like(self.problem, replace(pool, truth=None), self.split)
            found = part_of(pool, self._answers("pool", pool), self.form, self.split.class_weights).take(self.split.pool)
            return found, f"{found.count:,} rows of the pool"
        why = self.problem.cannot_make_rows
        if why:
            self.notes.append(f"No rows were made for the teacher to label: {why}. Pass a pool of rows to see what more of them bring.")
            return None, ""
        development, seed = self.split.development, self.plan.seed
        some = np.sort(np.random.default_rng(seed).permutation(development)[: MADE_ROWS // 2])
        count = made_rows(len(development))
        made, sources = _like(self.problem.every_column(some), count, seed=seed)
        self.made_from = some[sources]
        rows = weighed_like(self.problem, RowSet(self.problem.read_of(made), as_rows(self.problem.asked_of(made))), self.split)
        return part_of(rows, self._answers("made", rows), self.form, self.split.class_weights), f"{rows.count:,} made rows"

    def _arms(self, more_rows: str) -> dict[Arm, tuple[Family, ...]]:
        """The arms that there are, each with the students that can learn it."""
        every = arms_of(self.form, has_truth=self.problem.has_truth, more_rows=more_rows)
        name = "work/students.json"
        with self.stages.stage("try the students"):
            if not self.folder.has(name):
                found = usable_students(self.plan, every, self.rows.for_first_look())
                self.folder.write(name, {"families": found.families, "notes": found.notes})
        stored = self.folder.read(name)
        self.notes += stored["notes"]
        families = {family.name: family for family in self.plan.families}
        arms = {arm: tuple(families[one] for one in stored["families"][arm.name]) for arm in every if arm.name in stored["families"]}
        plain = plain_model(self.form.task)
        if self.problem.has_truth and plain.name not in families:
            arms[_plain_arm(plain.name)] = (plain,)
        return arms

    def _search(self, arms: Mapping[Arm, Sequence[Family]]) -> dict[str, tuple[Trial, ...]]:
        with self.stages.stage("search", len(arms) * self.plan.trials) as advance:
            rows = self.rows.for_search()
            return ArmSearch(rows, self.judge, self.folder, self.plan.trials, self.plan.seed, advance).search(arms)

    def _finalists(self, arms: Mapping[Arm, Sequence[Family]], trials: Mapping[str, tuple[Trial, ...]]) -> list[Finalists]:
        families = {family.name: family for of_arm in arms.values() for family in of_arm}
        with self.stages.stage("train all seeds", (len(arms) + 2) * self.plan.seeds) as advance:
            finals = Finals(families, self.rows.of_seed, self.judge, self.folder, self.plan.seeds, advance)
            firsts = self._firsts(finals, [(arm, trials[arm.name]) for arm in arms])
            firsts += self._firsts(finals, self._controls(trials, firsts))
            every, notes = finals.of_all_seeds(firsts)
        self.notes += notes
        if not any(one.arm.tuned and one.arm.learns != "labels" for one in every):
            raise BadInput(f"no student of the teacher's answers could be trained. {' '.join(self.notes)}")
        return every

    def _firsts(self, finals: Finals, arms: Iterable[tuple[Arm, Sequence[Trial]]]) -> list[First]:
        """The first students of the arms that have any; the others are left out with a note."""
        found = []
        for arm, trials in arms:
            try:
                found.append(finals.first(arm, trials))
            except BadInput as error:
                self.notes.append(left_out(arm, str(error)))
        return found

    def _controls(self, trials: Mapping[str, tuple[Trial, ...]], firsts: Sequence[First]) -> list[tuple[Arm, tuple[Trial, ...]]]:
        """Arms that answer a question: the student of the teacher's answers untuned, and a plain model of the ground truth."""
        found: list[tuple[Arm, tuple[Trial, ...]]] = []
        for answers in (one for one in firsts if one.arm.name == "answers"):
            untuned = next(trial for trial in trials["answers"] if trial.student == answers.trial.student)
            found.append((Arm("untuned", f"{answers.arm.meaning}, untuned", "answers", tuned=False), (untuned,)))
        name = plain_model(self.form.task).name
        plain = tuple(trial for trial in trials.get(LABELS, ()) if trial.student == name)
        if plain and PLAIN not in trials:
            found.append((_plain_arm(name), plain))
        return found

    def _curve(self, every: Sequence[Finalists]) -> tuple[CurvePoint, ...]:
        """The validation figures of the students of more rows, with fewer of them."""
        found = next((one for one in every if one.arm.more_rows), None)
        if found is None or self.more is None:
            return ()
        families = {family.name: family for family in self.plan.families}
        with self.stages.stage("transfer curve"):
            family = families[found.trial.student]
            return transfer_points(found, family, self.rows.of_seed, self.judge, self.folder, rows=self.more.count)

    def _exported(self, student: Any, rows: Any) -> tuple[Export, ...]:
        """The files of the chosen student; of one that cannot be written, the record says why."""
        found = []
        with self.stages.stage("export", len(self.plan.exports)) as advance:
            for end in self.plan.exports:
                try:
                    found.append(export(student, self.folder.path / f"student{end}", check_on=rows))
                except TutelageError as error:
                    self.notes.append(f"student{end} was not written: {error}")
                advance()
        return tuple(found)

    def _record(
        self, every: Sequence[Finalists], trials: Mapping[str, tuple[Trial, ...]], tested: Any, checked: Preflight
    ) -> DistillationRecord:
        allowed = {family.name for family in self.plan.families}  # the plain model of other students is only a comparison
        shipped, reason = choose([one for one in every if one.arm.tuned and one.trial.student in allowed], self.judge)
        kinds: Any = {LABELS: "baseline", PLAIN: "baseline", "untuned": "control"}
        names = [one.arm.name for one in every]
        taught = [one for one in every if kinds.get(one.arm.name) is None]
        distilled = shipped if shipped in taught else best_of(taught, self.judge)
        asked = questions([*names, TEACHER] if self.problem.has_truth else names, distilled.arm.name, shipped.arm.name)
        looks = with_this_look(self.folder, self.looks, seeds=self.plan.seeds)
        full = self.rows.of_seed(0)
        exports = self._exported(shipped.students[0], full.validation.rows)
        with self.stages.stage("measure the teacher"):
            cost = teacher_cost(self.problem.teacher, self.problem.given.asked, self.folder)
        of_teacher = full.validation.answers if self.form.task == "regression" else self.form.probabilities(full.validation.answers)
        found = DistillationRecord(
            title=self.problem.teacher_name,
            answer="",
            task=self.form.task,
            classes=self.form.classes,
            metric=self.judge.metric,
            against=self.judge.against,
            chosen=shipped.arm.name,
            reason=reason,
            arms=(
                *(arm_result(one, tested, kinds.get(one.arm.name, "distilled")) for one in every),
                teacher_result(tested, self.judge.figures(of_teacher, full.validation, full), cost),
            ),
            comparisons=tested.compare(asked, share=looks[-1].share),
            looks=looks,
            front=tuple({"arm": name, **trial.to_json()} for name, found in trials.items() if name in names for trial in front(found)),
            limits={"size": self.plan.limits.size, "latency": self.plan.limits.latency, "drop": self.plan.limits.drop},
            rows={
                "train": full.train.count,
                "validation": full.validation.count,
                "test": self.test.count,
                "more": 0 if self.more is None else self.more.count,
                "more_are": "rows of the pool" if self.problem.pool is not None else "made rows",
                "removed": self.split.removed,
                "repeated_test": self.split.repeated,
                "seen_test": self.split.seen,
                "test_rows": self.split.how,
                "weighted": self.problem.given.weights is not None,
                "class_weights": weights_by_name(self.split.class_weights, self.form),
                "names": SPLIT,
            },
            findings=checked.to_json(),
            exports=exports,
            notes=tuple(self.notes),
            curve=self.curve,
            options={"trials": self.plan.trials, "seeds": self.plan.seeds, "seed": self.plan.seed, "rows_shown": self.plan.show_rows},
            seconds={"total": self.stages.total(), **self.stages.seconds},
            environment=environment("tutelage", "numpy", "scikit-learn", "optuna", "onnxruntime"),
            provenance=provenance_of(self.problem),
        )
        found = replace(found, answer=answer_of(found), advice=advice_of(found, shipped.trial, trials.get(shipped.arm.name, ())))
        write_student(self.folder, self.problem, shipped, seconds=found.seconds)
        loading = how_to_load(self.folder, exports, self.problem.schema, text=isinstance(self.test.rows, list))
        answers, shown = tested.answers[shipped.arm.name], self.plan.show_rows
        figures = figures_of(shipped.arm.name, answers, self.test, self.form, show_rows=shown, loading=loading)
        write_report(self.folder, found, figures)
        write_record(self.folder, found)  # the last file: a folder that has it is finished
        return found
