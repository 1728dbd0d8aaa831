"""A distillation from its problem and plan to its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from tutelage.checks.findings import Preflight
from tutelage.checks.preflight import preflight
from tutelage.core.arrays import Floats
from tutelage.core.environment import environment
from tutelage.core.errors import require_extras
from tutelage.core.stages import Stages
from tutelage.data.rows import as_rows
from tutelage.data.transfer import Munge
from tutelage.exporters.export import export
from tutelage.report.distillation.records import DistillationRecord
from tutelage.report.distillation.words import answer_of
from tutelage.search.study import Trial, front
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import query
from tutelage.softlabels.recording import record
from tutelage.workflow.distillation.arms import Arm, arms_of
from tutelage.workflow.distillation.conclusion import LABELS, TEACHER, arm_result, measure, questions, teacher_result
from tutelage.workflow.distillation.evidence.choice import best_of, choose
from tutelage.workflow.distillation.evidence.looks import looks_before, with_this_look
from tutelage.workflow.distillation.finals import Finalists, finalists
from tutelage.workflow.distillation.folder import PREFLIGHT, RunFolder, file_name
from tutelage.workflow.distillation.outputs import finished_record, write_record, write_split, write_student
from tutelage.workflow.distillation.part import Part, part_of
from tutelage.workflow.distillation.plan import MADE_ROWS, SEARCH_CELLS, Plan
from tutelage.workflow.distillation.problem import Problem, RowSet
from tutelage.workflow.distillation.reporting.loading import how_to_load
from tutelage.workflow.distillation.reporting.pictures import figures_of
from tutelage.workflow.distillation.reporting.provenance import provenance_of
from tutelage.workflow.distillation.reporting.teacher_cost import teacher_cost
from tutelage.workflow.distillation.reporting.write import write_report
from tutelage.workflow.distillation.search import Judge, search_family
from tutelage.workflow.distillation.split import Places, not_validated, parts_of, split
from tutelage.workflow.distillation.training import Prepared
from tutelage.workflow.evaluate import SPLIT


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
    with folder.opened(_identity(problem, plan)):
        finished = finished_record(folder, plan)
        if finished is not None:
            with stages.stage("finished before, its results are read"):
                return finished
        return _Run(problem, plan, folder, stages).finish()


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
    sets = {"rows": problem.given, "test_rows": problem.test, "pool": problem.pool}
    return {
        "teacher": problem.teacher.fingerprint,
        **{name: None if rows is None else rows.identity() for name, rows in sets.items()},
        **plan.identity(),
    }


class _Run:
    """One distillation in the making."""

    def __init__(self, problem: Problem, plan: Plan, folder: RunFolder, stages: Stages) -> None:
        self.problem, self.plan, self.folder, self.stages = problem, plan, folder, stages
        self.form = problem.form
        self.stopped = False
        self._of_seed: dict[int, Prepared] = {}

    def finish(self) -> DistillationRecord:
        """All stages, in order."""
        self.looks = looks_before(self.folder, seeds=self.plan.seeds)
        with self.stages.stage("split"):
            self.split = split(self.problem, seed=self.plan.seed)
            write_split(self.folder, self.problem, self.split)
        checked = self._preflight()
        with self.stages.stage("ask the teacher"):
            self.given = part_of(self.problem.given, self._answers("given", self.problem.given), self.form)
            test = self.problem.test
            self.test = part_of(test, self._answers("test", test), self.form) if test is not None else self.given.take(self.split.test)
            self.more, more_rows = self._more()
        self.judge = Judge(self.plan.metric, "truth" if self.problem.has_truth else "teacher", self.plan.limits, self.plan.exports[0])
        arms = arms_of(self.form, has_truth=self.problem.has_truth, more_rows=more_rows)
        trials = self._search(arms)
        every = self._finalists(arms, trials)
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
            found = part_of(replace(pool, truth=None), self._answers("pool", pool), self.form).take(self.split.pool)
            return found, f"{found.count:,} rows of the pool"
        if isinstance(self.problem.teacher, LabelFolder | SoftLabels) or isinstance(self.problem.given.rows, list):
            return None, ""
        development, seed = self.split.development, self.plan.seed
        some = np.sort(np.random.default_rng(seed).permutation(development)[: MADE_ROWS // 2])
        count = min(MADE_ROWS, 5 * len(development))
        made = Munge().make(self.problem.every_column(some), count, seed=seed)
        self.made_from = some[Munge().sources(len(some), count, seed=seed)]
        rows = RowSet(self.problem.read_of(made), as_rows(self.problem.asked_of(made)))
        return part_of(rows, self._answers("made", rows), self.form), f"{rows.count:,} made rows"

    def _more_of(self, validation: Places) -> Part | None:
        """The rows without ground truth that one seed learns from: not its validation rows again, nor rows made from them."""
        if self.more is None:
            return None
        if self.problem.pool is not None:
            return self.more.take(not_validated(self.problem, self.split, validation))
        return self.more.take(~np.isin(self.made_from, validation))

    def _prepared(self, seed: int) -> Prepared:
        """The rows of one seed; those of the first seed are those of the search."""
        if seed not in self._of_seed:
            train, validation = parts_of(self.problem, self.split, seed=self.plan.seed + seed)
            self._of_seed[seed] = self._prepare(self.given.take(train), self.given.take(validation), self._more_of(validation))
        return self._of_seed[seed]

    def _prepare(self, train: Part, validation: Part, more: Part | None) -> Prepared:
        return Prepared(self.form, train, validation, more, self.problem.schema, isinstance(train.rows, list))

    def _search(self, arms: Sequence[Arm]) -> dict[str, tuple[Trial, ...]]:
        """The trials of each arm: those of all families, one after the other."""
        full = self._prepared(0)
        columns = int(np.prod(np.shape(full.train.rows)[1:])) or 1
        most = max(SEARCH_CELLS // columns, 1000)
        fewer = full.train.take(np.random.default_rng(self.plan.seed).permutation(full.train.count)[:most])
        more = None if full.more is None else full.more.take(slice(0, most))
        prepared = self._prepare(fewer, full.validation, more)
        jobs = [(arm, place) for arm in arms for place in range(len(self.plan.families))]
        for family in self.plan.families:  # encoded before threads share them
            prepared.encoded(family, "validation")
        found: dict[tuple[str, str], tuple[Trial, ...]] = {}
        with self.stages.stage("search", len(arms) * self.plan.trials) as advance, ThreadPoolExecutor(self.plan.jobs) as pool:
            running = [pool.submit(self._search_family, arm, place, prepared, advance) for arm, place in jobs]
            try:
                for (arm, place), one in zip(jobs, running, strict=True):
                    found[arm.name, self.plan.families[place].name] = one.result()
            except BaseException:  # Ctrl-C, or a search that failed: the others end after their trial
                self.stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {arm.name: tuple(trial for family in self.plan.families for trial in found[arm.name, family.name]) for arm in arms}

    def _search_family(self, arm: Arm, place: int, prepared: Prepared, advance: Any) -> tuple[Trial, ...]:
        family, trials = self.plan.families[place], self.plan.trials_of(place)
        names = [f"work/trials/{file_name(arm.name, family.name, number)}.json" for number in range(trials)]
        before: list[Trial] = []
        for name in names:
            if not self.folder.has(name):
                break
            stored = self.folder.read(name)
            before.append(Trial(**{key: value for key, value in stored.items() if key != "schema"}))
            advance()

        def done(trial: Trial) -> None:
            self.folder.write(names[trial.number], trial.to_json())
            advance()
            if self.stopped:
                raise CancelledError

        return search_family(arm, family, prepared, self.judge, trials=trials, seed=self.plan.seed, before=before, done=done)

    def _finalists(self, arms: Sequence[Arm], trials: Mapping[str, tuple[Trial, ...]]) -> list[Finalists]:
        families = {family.name: family for family in self.plan.families}
        every = []
        with self.stages.stage("train all seeds", (len(arms) + 2) * self.plan.seeds) as advance:
            for arm in arms:
                every.append(self._finalists_of(arm, trials[arm.name], families, advance))
            every += [self._finalists_of(arm, found, families, advance) for arm, found in self._controls(arms, trials, every)]
        return every

    def _finalists_of(self, arm: Arm, trials: Sequence[Trial], families: Any, advance: Any) -> Finalists:
        return finalists(arm, trials, families, self._prepared, self.judge, self.folder, seeds=self.plan.seeds, advance=advance)

    def _controls(
        self, arms: Sequence[Arm], trials: Mapping[str, tuple[Trial, ...]], every: Sequence[Finalists]
    ) -> list[tuple[Arm, tuple[Trial, ...]]]:
        """Arms that answer a question: the student of the teacher's answers untuned, and a plain model of the ground truth."""
        answers = next(one for one in every if one.arm.name == "answers")
        first = next(trial for trial in trials["answers"] if trial.student == answers.trial.student)
        found: list[tuple[Arm, tuple[Trial, ...]]] = [(Arm("untuned", f"{answers.arm.meaning}, untuned", "answers", tuned=False), (first,))]
        plain = [trial for trial in trials.get(LABELS, ()) if trial.student in ("logistic", "linear")]
        if plain:
            found.append((Arm("plain model", f"a {plain[0].student} model of the ground truth", "labels"), tuple(plain)))
        return found

    def _record(
        self, every: Sequence[Finalists], trials: Mapping[str, tuple[Trial, ...]], tested: Any, checked: Preflight
    ) -> DistillationRecord:
        shipped, reason = choose([one for one in every if one.arm.tuned and one.arm.name != "plain model"], self.judge)
        student = shipped.students[0]
        kinds: Any = {LABELS: "baseline", "plain model": "baseline", "untuned": "control"}
        names = [one.arm.name for one in every]
        taught = [one for one in every if kinds.get(one.arm.name) is None]
        distilled = shipped if shipped in taught else best_of(taught, self.judge)
        asked = questions([*names, TEACHER], distilled.arm.name, shipped.arm.name)
        looks = with_this_look(self.folder, self.looks, seeds=self.plan.seeds)
        with self.stages.stage("export", len(self.plan.exports)) as advance:
            exports = []
            for end in self.plan.exports:
                exports.append(export(student, self.folder.path / f"student{end}", check_on=self._prepared(0).validation.rows))
                advance()
        with self.stages.stage("measure the teacher"):
            cost = teacher_cost(self.problem.teacher, self.problem.given.asked, self.folder)
        full = self._prepared(0)
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
            front=tuple({"arm": name, **trial.to_json()} for name, found in trials.items() for trial in front(found)),
            limits={"size": self.plan.limits.size, "latency": self.plan.limits.latency, "drop": self.plan.limits.drop},
            rows={
                "train": full.train.count,
                "validation": full.validation.count,
                "test": self.test.count,
                "more": 0 if self.more is None else self.more.count,
                "removed": self.split.removed,
                "repeated_test": self.split.repeated,
                "seen_test": self.split.seen,
                "test_rows": self.split.how,
                "names": SPLIT,
            },
            findings=checked.to_json(),
            exports=tuple(exports),
            options={"trials": self.plan.trials, "seeds": self.plan.seeds, "seed": self.plan.seed},
            seconds={"total": self.stages.total(), **self.stages.seconds},
            environment=environment("tutelage", "numpy", "scikit-learn", "optuna", "onnxruntime"),
            provenance=provenance_of(self.problem),
        )
        found = replace(found, answer=answer_of(found))
        write_student(self.folder, self.problem, shipped, seconds=found.seconds)
        write_record(self.folder, found)
        loading = how_to_load(self.folder, exports, self.problem.schema, text=isinstance(self.test.rows, list))
        answers, shown = tested.answers[shipped.arm.name], self.plan.show_rows
        figures = figures_of(shipped.arm.name, answers, self.test, self.form, show_rows=shown, loading=loading)
        write_report(self.folder, found, figures)
        return found
