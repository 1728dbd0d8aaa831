"""`distill`: the whole way from a teacher and rows to a student that is proven, as one function."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.checks.findings import Preflight
from tutelage.core.answer_kinds import Task
from tutelage.core.answer_values.named_columns import are_numbers, column_names, columns_like
from tutelage.core.arguments import flag, number, one_of_type, seed_of, text, whole
from tutelage.core.arguments import path as checked_path
from tutelage.core.arrays import is_frame
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch, shown
from tutelage.core.file_systems.places import check_file_place
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import Comparison, Export
from tutelage.core.running.stages import Stages
from tutelage.exporters.beside import name_student
from tutelage.exporters.export import check_target, export
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.losses.class_weights import checked_class_weight
from tutelage.report.distillation.page import render_distillation
from tutelage.report.distillation.records import ArmResult, DistillationRecord
from tutelage.search.families import Family, families_of
from tutelage.search.limits import Limits
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.saved.trained import TrainedStudent
from tutelage.students.saved.trained_folder import own_files, sha256_of_student
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.boosters import BoosterTeacher
from tutelage.teachers.adapters.onnx_file import OnnxTeacher
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher
from tutelage.teachers.relabel import RelabelledTeacher
from tutelage.workflow.distillation.folder import file_name
from tutelage.workflow.distillation.given.alike import in_columns
from tutelage.workflow.distillation.given.problem import Problem, refuse_positions, row_set
from tutelage.workflow.distillation.given.unlabelled import labelled
from tutelage.workflow.distillation.plan import SEEDS, SHOWN_ROWS, TRIALS, Plan
from tutelage.workflow.distillation.reporting.write import stored_figures, stored_playground
from tutelage.workflow.distillation.run import distillation
from tutelage.workflow.train import open_trained

STUDENTS: dict[str, tuple[str, ...]] = {
    "binary": ("tree", "logistic", "mlp"),
    "multiclass": ("tree", "logistic", "mlp"),
    "multilabel": ("tree", "logistic"),
    "regression": ("tree", "linear", "mlp"),
}
"""The students that are tried if none are named; of texts networks only where they are named, as they take longer."""
NAME_NETWORKS = "name a torch network of yours, or a function that builds one: students={'mine': build}, or --students my_module:build"
"""How students of rows of several inputs are named."""


@dataclass(frozen=True, eq=False)
class Distillation:
    """A finished distillation.

    Attributes:
        folder: where it is stored.
        record: all figures, as in results.json.
        student: the chosen student.

    Example: see `distill`.
    """

    folder: Path
    record: DistillationRecord
    student: TrainedStudent

    @property
    def verdict(self) -> str:
        """The answer in a sentence or two: ship this student, because; or do not distil, because."""
        return self.record.answer

    @property
    def chosen(self) -> ArmResult:
        """The arm whose student is shipped."""
        return self.record.arm(self.record.chosen)

    @property
    def arms(self) -> tuple[ArmResult, ...]:
        """All arms, the teacher last."""
        return self.record.arms

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Paired differences on the test rows, with their verdicts."""
        return self.record.comparisons

    @property
    def front(self) -> tuple[Mapping[str, Any], ...]:
        """The trials that no other of their arm beats in loss and size, and in latency where both were timed."""
        return self.record.front

    @property
    def preflight(self) -> Preflight:
        """What the checks of the teacher found."""
        return Preflight.from_json(self.record.findings)

    def cascade(self, teacher: Any = None) -> Cascade:
        """The chosen student with its teacher behind it, of a run with `cascade`.

        Args:
            teacher: that of the run, as for `distill`. Without it the cascade can be exported and saved, and answers nothing that the
                student is unsure of.

        Raises:
            BadInput: the run was made without `cascade`, or its student may answer no row. LabelMismatch: another teacher.
        """
        found = self.record.cascade
        if found is None:
            raise BadInput("this distillation has no cascade; run it with cascade=0.99, the rate that student and teacher are to keep.")
        if not found.attained:
            raise BadInput(f"the student may answer no row on its own at {100 * found.guarantee['target']:g} %; ask for a lower rate.")
        opened = None if teacher is None else as_teacher(teacher)
        if opened is not None and opened.fingerprint != found.guarantee["teacher"]:
            raise LabelMismatch(
                f"the threshold was calibrated with the teacher {found.guarantee['teacher']}, and this is {opened.fingerprint}; pass the "
                "teacher of the run."
            )
        return with_threshold(self.student, Guarantee(**found.guarantee), opened)

    def report(self, path: Path | str) -> Path:
        """Write the report, one self-contained page, to another file than report.html in the folder.

        Raises:
            CannotWrite: the file cannot be written. DamagedFile: the folder was changed.
        """
        page = render_distillation(self.record, stored_figures(self.folder), stored_playground(self.folder))
        target = checked_path("path", path)
        check_file_place(target, read=own_files(self.folder))
        write_text(target, page)
        return target

    def export(self, path: Path | str, *, check_on: Any, **settings: Any) -> Export:
        """Export the chosen student as another file, with its threshold if it has one; see `tutelage.export`."""
        attained = self.record.cascade is not None and self.record.cascade.attained
        found = export(self.cascade() if attained else self.student, path, check_on=check_on, **settings)
        of = sha256_of_student(self.folder)
        if of is not None:
            name_student(Path(path), of)
        return found


def distill(
    teacher: Any,
    X: Any,
    y: Any = None,
    *,
    students: str | Iterable[Any] | Mapping[str, Any] | None = None,
    pool: Any = None,
    unlabelled: str | None = None,
    test: Any = None,
    validation: Any = None,
    train: Any = None,
    limits: Limits | None = None,
    trials: int = TRIALS,
    seeds: int = SEEDS,
    metric: str | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    groups: Any = None,
    times: Any = None,
    export: str | Sequence[str] | None = None,
    seed: int = 0,
    show_rows: bool = False,
    cascade: float | None = None,
    on: Any = None,
    into: Path | str | None = None,
) -> Distillation:
    """Distil a teacher into a small student, with evidence: searched on validation rows, tested once on rows that chose nothing.

    Several arms get the same number of trials and seeds: students of the ground truth alone, of the teacher's decisions, of its
    probabilities, and of its probabilities on more rows. The best of them on the validation rows is exported.

    Args:
        teacher: a Teacher, or a model that `as_teacher` accepts without further arguments, fitted on other rows.
        X: (rows, ...) an array, a frame, a list of texts, or several inputs by name (see `StructuredRows`), as both teacher and student
            take them.
        y: ground truth; None if it is not known, and then all is measured against the teacher.
        students: names such as ["tree", "logistic", "mlp"], by default those and their like for the task (no networks for texts); or
            estimators of your own with their spaces, {"mine": (estimator, {"setting": [1, 2, 3]})}: lists, ranges, or distributions of
            Optuna or scipy. A torch network, or a function that builds one, counts as an estimator: see `TorchClassifier`. Rows of several
            inputs are for such networks alone, which have to be named.
        pool: rows without ground truth, which the teacher labels; also (X, weights), (X, weights, groups) or (X, weights, groups, times),
            with None for what there is not. With times, rows are left out that are not older than those validated and tested on.
        unlabelled: what is done with rows whose ground truth is missing: "pool" lets the teacher label them, as rows of the pool, "drop"
            leaves them out; test rows are left out. By default they are refused.
        test: (X, y), (X, y, weights) or (X, y, weights, groups) of rows that choose nothing, with None for what there is not; a share
            of X by default. X alone if no ground truth is known.
        validation: rows that settings and students are chosen on, as for test; by default each seed draws a fifth of X that is not tested
            on. Best rows that the teacher was not trained on: on its own rows, validation prefers students that repeat what it remembers.
            Each seed then trains on its own 80 % of the rows of X that are left to train on.
        train: rows that the teacher was trained on, to say how many of the test rows it has seen.
        limits: of the student's size, latency and drop against the teacher.
        trials: of each arm, shared among the students.
        seeds: trainings of each arm, two at least.
        metric: the figure that decides: "accuracy" (the default), "nll_nats" or "brier"; "mse" for values, of
            several as the mean of each in units of its variance on the training rows.
        sample_weight: (rows,) weights of the rows of X.
        class_weight: a dict from classes to weights, 1 for the others, or "balanced", which lets all classes of the rows to train and
            validate on weigh the same in total, without rows given to validate on. They multiply the weights of the rows, in training and
            in every figure, so that the figures say what mistakes cost; a row without ground truth has the mean under the teacher's
            probabilities.
        groups: (rows,) of rows that belong together and stay on one side of the split.
        times: (rows,) when each row was seen; the latest are tested on, with groups those that end latest.
        export: formats of the student's files, "onnx" if not given; the first is measured against the limits.
        seed: of the split and all random draws.
        show_rows: show the rows on which student and teacher disagree most in the report, and some to try the student on; otherwise it
            holds no row.
        cascade: such as 0.99, for a student that leaves the rows it is unsure of to the teacher: with probability 95 %, at least this
            share of all answers are the teacher's, with groups as a rate over groups. A fifth of the rows that are not tested on is held
            back to calibrate from which confidence on the student answers; the student is chosen by the latency of both together, and its
            files say which rows it defers. See `Cascade`.
        on: where students are trained, by several processes: `Local(workers)`, `Ray(workers=...)`, or an object with `submit`, as for
            `record`. They read the rows from the folder, which all of them have to see. The record is the same but for times; latencies
            are measured by this process, while no student is trained. The teacher is asked by this process.
        into: the folder; a run that was stopped there goes on. By default a new one among the temporary files, which stays there.

    Returns:
        A `Distillation`.

    Raises:
        BadInput: settings or rows that cannot be used, a folder that holds another run; with `on`, students that other processes cannot
            make, or a training that failed three times. SelfCheckFailed: preflight finds an error. CannotWrite: the folder cannot be
            written. MissingExtra: a package is not installed.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import make_moons
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = make_moons(900, noise=0.3, random_state=0)
        >>> teacher = RandomForestClassifier(50, random_state=0).fit(X[:300], y[:300])
        >>> found = tl.distill(teacher, X[300:], y[300:], students=["tree"], trials=2, seeds=2, export="py")
        >>> found.chosen.student, [arm.name for arm in found.arms][:3], [one.verdict for one in found.comparisons][:1]
        ('tree', ['labels', 'decisions', 'answers'], ['no difference'])
        >>> found.student.predict(X[:3]).shape, found.preflight.worst
        ((3,), 'note')
    """
    opened = as_teacher(teacher)
    refuse_positions(opened.form)
    task = opened.form.task
    X_test, y_test, test_weights, test_groups = parts_given("test", test, ("y", "weights", "groups"))
    X_validation, y_validation, *of_validation = parts_given("validation", validation, ("y", "weights", "groups"))
    X_pool, pool_weights, pool_groups, pool_times = parts_given("pool", pool, ("weights", "groups", "times"))
    if task == "regression":
        y_test = columns_like(y_test, y, "the columns of y of the test")
        y_validation = columns_like(y_validation, y, "the columns of y of the validation")
    chosen_on = None
    if validation is not None:
        chosen_on = row_set(X_validation, y_validation, form=opened.form, weights=of_validation[0], groups=of_validation[1])
    tested = None if test is None else row_set(X_test, y_test, form=opened.form, weights=test_weights, groups=test_groups)
    more = None if pool is None else row_set(X_pool, weights=pool_weights, groups=pool_groups, times=pool_times)
    given = row_set(X, y, form=opened.form, weights=sample_weight, groups=groups, times=times)
    found = labelled(
        given,
        in_columns(given, tested, "test", teacher_too=True),
        in_columns(given, more, "pool", teacher_too=True),
        opened.form,
        unlabelled=unlabelled,
        validation=in_columns(given, chosen_on, "validation", teacher_too=True),
    )
    problem = Problem(
        opened,
        _title_of(teacher, opened),
        found.given,
        found.test,
        found.pool,
        seen=in_columns(given, None if train is None else row_set(train), "train", teacher_too=True),
        unlabelled=found.unlabelled,
        class_weight=checked_class_weight(class_weight, opened.form, has_truth=y is not None),
        values=tuple(map(str, column_names(y))) if is_frame(y) and not are_numbers(column_names(y)) else (),
        validation=found.validation,
    )
    plan = plan_of(
        task,
        has_truth=y is not None,
        texts=problem.is_text,
        inputs=problem.inputs,
        students=students,
        limits=limits,
        trials=trials,
        seeds=seeds,
        metric=metric,
        export=export,
        seed=seed,
        show_rows=show_rows,
        cascade=cascade,
    )
    folder = Path(tempfile.mkdtemp(prefix="tutelage-")) if into is None else checked_path("into", into)
    return distilled(problem, plan, folder, Stages(), on=on)


def _title_of(given: Any, teacher: Teacher) -> str:
    """What a teacher is called in the report: the name of its file, or the type of the model that it is.

    Args:
        given: what was passed: a Teacher, a model, or the place of its file.
        teacher: what `as_teacher` made of it, which knows what it wraps. A model has attributes of its own: the `estimator` of a forest is
            one of its trees.
    """
    if isinstance(given, str | Path):
        return Path(given).name
    if isinstance(teacher, RelabelledTeacher):
        return _title_of(teacher.teacher, teacher.teacher)
    if isinstance(teacher, ChatTeacher):
        return teacher.model
    if isinstance(teacher, BoosterTeacher):
        return f"{teacher.engine} booster"
    if isinstance(teacher, OnnxTeacher):
        return "an ONNX file"
    wrapped = next((getattr(teacher, name) for name in ("estimator", "network", "function") if hasattr(teacher, name)), given)
    return type(wrapped).__name__


def parts_given(argument: str, value: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Rows, and what comes with them by position: a tuple holds the rows and then these parts, anything else is rows alone.

    Args:
        argument: its name, for messages.
        value: what was passed.
        names: of the parts that may follow the rows.

    Raises:
        BadInput: a tuple of another length, or of texts.

    Example:
        >>> parts_given("pool", ([[1.0]], [2.0]), ("weights", "groups"))
        ([[1.0]], [2.0], None)
    """
    parts = value if isinstance(value, tuple) else (value, *[None] * len(names))
    if not 2 <= len(parts) <= 1 + len(names) or isinstance(parts[0], str):
        expected = ", ".join(f"(X, {', '.join(names[: count + 1])})" for count in range(len(names)))
        found = "texts" if parts and isinstance(parts[0], str) else str(len(parts))
        raise BadInput(f"{argument} is a tuple of {found}; expected rows in a list, an array or a frame, or one of {expected}.")
    return (*parts, *[None] * (1 + len(names) - len(parts)))


def distilled(problem: Problem, plan: Plan, into: Path, stages: Stages, *, on: Any = None) -> Distillation:
    """Run a distillation, and open what it wrote."""
    record = distillation(problem, plan, into, stages, on=on)
    shipped = record.arm(record.chosen)
    module = next((family.module(shipped.settings) for family in plan.families if family.name == shipped.student), None)
    return Distillation(into, record, open_trained(into, module, if_needed=True)[0])


def plan_of(
    task: Task,
    *,
    has_truth: bool,
    texts: bool = False,
    inputs: Sequence[str] = (),
    students: Any = None,
    limits: Limits | None = None,
    trials: int = TRIALS,
    seeds: int = SEEDS,
    metric: str | None = None,
    export: str | Sequence[str] | None = None,
    seed: int = 0,
    show_rows: bool = False,
    cascade: float | None = None,
) -> Plan:
    """The settings of a distillation, checked.

    Raises:
        BadInput: one of them is of no use.
    """
    if inputs and students is None:
        raise BadInput(f"{_several(inputs)}, for which there is no usual student; {NAME_NETWORKS}.")
    usual = [name for name in STUDENTS[task] if not (texts and name == "mlp")]
    families = families_of(usual if students is None else students, task)
    _check_names(families)
    lacking = next((family.name for family in families if inputs and not family.takes_inputs), None)
    if lacking is not None:
        raise BadInput(f"{_several(inputs)}, and the student {lacking!r} takes tables, texts and arrays; {NAME_NETWORKS}.")
    figures = {"truth": ["accuracy", "nll_nats", "brier"], "teacher": ["agreement", "kl_nats", "nll_nats", "brier"]}
    known = ["mse"] if task == "regression" else figures["truth" if has_truth else "teacher"]
    if metric is not None and metric not in known:
        raise BadInput(f"metric is {shown(metric)}; expected one of {', '.join(known)}.")
    exports = _targets("onnx" if export is None else export)
    if cascade is not None:
        cascade = number("cascade", cascade, above=0, below=1)
        _check_cascade(task, exports)
    if whole("trials", trials, 1) < len(families):
        named = ", ".join(family.name for family in families)
        raise BadInput(f"trials is {trials}; expected {len(families)} or more, one for each of the students {named}.")
    return Plan(
        families,
        Limits() if limits is None else one_of_type("limits", limits, Limits, "tutelage.Limits(...)"),
        trials=whole("trials", trials, 1),
        seeds=whole("seeds", seeds, 2),
        metric=known[0] if metric is None else metric,
        seed=seed_of("seed", seed),
        exports=exports,
        exports_asked_for=export is not None,
        show_rows=SHOWN_ROWS if flag("show_rows", show_rows) else 0,
        cascade=cascade,
    )


def _several(inputs: Sequence[str]) -> str:
    return f"the rows are several inputs ({', '.join(inputs)})"


def _check_cascade(task: Task, exports: Sequence[str]) -> None:
    """Refuse a cascade of values, and files without a place for its threshold.

    Raises:
        BadInput: one of them.
    """
    if task == "regression":
        raise BadInput("cascade is given, and the teacher answers values, which have no confidence; leave it out.")
    if ".pte" in exports:
        raise BadInput("cascade is given, and a file for ExecuTorch has no place for its threshold; leave pte out of the exports.")


def _check_names(families: Sequence[Family]) -> None:
    """Refuse students whose files would have the same name, or none."""
    names: dict[str, str] = {}
    for family in families:
        stem = file_name(family.name)
        if not stem:
            raise BadInput(f"students names a student {family.name!r}, of which no file can be named; use letters or digits.")
        if stem in names:
            alike = f"{names[stem]!r} and {family.name!r}"
            raise BadInput(f"students names {alike}, which differ in capitals and punctuation alone; give each a name of its own.")
        names[stem] = family.name


def _targets(export: str | Iterable[str]) -> tuple[str, ...]:
    """The ends of the files to write."""
    names = [export] if isinstance(export, str) or not isinstance(export, Iterable) else list(export)
    if not names:
        raise BadInput("export is empty; expected one format at least, such as 'onnx'.")
    return tuple(dict.fromkeys(check_target(text("export", name)) for name in names))
