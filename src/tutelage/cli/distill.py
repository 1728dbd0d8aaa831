"""`tutelage distill`: from a teacher and rows to a student that is proven, in one command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tutelage.cli.options import (
    FOLDER,
    ROWS,
    RowsOptions,
    as_options,
    class_weights,
    debug_option,
    echo,
    json_option,
    on_option,
    rows_options,
    show_warning,
    teacher_options,
)
from tutelage.cli.settings import arguments_without
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages

if TYPE_CHECKING:
    from tutelage.data.table_file import TableFile


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _students(text: str | None) -> list[Any] | None:
    """Students by name, and those of the user's that module:object names."""
    names = _names(text)
    if names is None:
        return None
    from tutelage.teachers.files.open import imported

    found: list[Any] = []
    for name in names:
        given = imported(name, "a student's name, or module:object") if ":" in name else name
        found.append(given if isinstance(given, str | Mapping) else {name.partition(":")[2]: given})
    return found


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--weight", metavar="COLUMN", help="Column of the weights of the rows; it is not used as a feature.")
@click.option(
    "--class-weight",
    multiple=True,
    metavar="CLASS=WEIGHT",
    callback=lambda context, option, given: class_weights(given),
    help="What mistakes cost: balanced, or weights of classes such as fraud=10,ok=1, which multiply those of their rows.",
)
@click.option("--test", type=ROWS, help="Rows that choose nothing; a fifth of the data if not given.")
@click.option(
    "--validation",
    type=ROWS,
    help="Rows that settings and students are chosen on, best such as the teacher was not trained on; if not given, each seed draws its "
    "own from the data.",
)
@click.option("--pool", type=ROWS, help="Rows without ground truth, which the teacher labels.")
@click.option(
    "--unlabelled",
    type=click.Choice(["pool", "drop"]),
    help="Rows without ground truth: pool lets the teacher label them, drop leaves them out; refused if not given.",
)
@click.option("--train", type=ROWS, help="Rows that the teacher was trained on, to say how many test rows it has seen.")
@click.option(
    "--students",
    metavar="NAMES",
    help="Students to try, separated by commas: tree, forest, logistic, boosting, mlp, linear, or module:object for an "
    "estimator or a torch network of your own.",
)
@click.option("--max-size", metavar="SIZE", help="Largest size of the exported file, such as 64kB.")
@click.option("--max-latency", metavar="TIME", help="Longest time for one row in the exported file, such as 20us.")
@click.option(
    "--max-drop", type=click.FloatRange(0), help="Percentage points of accuracy, or per cent of the squared error, that it may lose."
)
@click.option("--trials", type=click.IntRange(1), default=24, show_default=True, help="Trials of each arm, shared among the students.")
@click.option("--seeds", type=click.IntRange(2), default=5, show_default=True, help="Trainings of each arm.")
@click.option(
    "--metric",
    help="The figure that decides: accuracy, nll_nats or brier; without --truth agreement, kl_nats, nll_nats or brier; mse for values.",
)
@click.option("--group", metavar="COLUMN", help="Column of rows that belong together; it is not used as a feature.")
@click.option("--time", metavar="COLUMN", help="Column that orders the rows in time; the latest are tested on.")
@click.option("--export", "formats", metavar="FORMATS", help="Formats, separated by commas: onnx,c,...  [default: onnx]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of all random draws.")
@click.option(
    "--show-rows",
    is_flag=True,
    help="Show rows in the report: those on which student and teacher disagree most, and some to try the student on.",
)
@click.option(
    "--cascade",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="RATE",
    help="Leave rows to the teacher so that this share of all answers, such as 0.99, is the teacher's with probability 95 %.",
)
@on_option("Train students in other processes: local:4 for four on this machine, ray:64 for 64 workers of Ray. The results are the same.")
@click.option("--out", type=FOLDER, required=True, help="Folder to write; a run that was stopped there goes on.")
@click.option(
    "--dry-run",
    "only_plan",
    is_flag=True,
    help="Print what would be done, and roughly how long it takes, or for chat: what the answers cost; write nothing.",
)
@teacher_options
@json_option
@debug_option
def distill(
    *,
    teacher: str,
    given_rows: RowsOptions,
    weight: str | None,
    class_weight: Any,
    test: AnyPath | None,
    validation: AnyPath | None,
    pool: AnyPath | None,
    unlabelled: str | None,
    train: AnyPath | None,
    students: str | None,
    max_size: str | None,
    max_latency: str | None,
    max_drop: float | None,
    trials: int,
    seeds: int,
    metric: str | None,
    group: str | None,
    time: str | None,
    formats: str | None,
    seed: int,
    show_rows: bool,
    cascade: float | None,
    on: Any,
    out: Path,
    only_plan: bool,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Distil TEACHER into a small student that is chosen on validation rows, tested once, and exported.

    TEACHER is named as for `record`. The folder holds the student, its exports with their proofs, and a report.
    """
    from tutelage.core.records import dumps
    from tutelage.report.distillation.table import terminal_table
    from tutelage.search.limits import Limits
    from tutelage.teachers.endpoints.chat_teacher import ChatTeacher
    from tutelage.workflow.distillation.distill import distilled, plan_of
    from tutelage.workflow.distillation.folder import RunFolder
    from tutelage.workflow.distillation.given.from_files import problem_of_files
    from tutelage.workflow.distillation.reporting.reproduce import write_reproduce
    from tutelage.workflow.dry_run import dry_run
    from tutelage.workflow.open_answers import cached_beside

    stages = DisplayedStages()
    limits = Limits(max_size, max_latency, max_drop)
    with stages.stage("open"):
        file = given_rows.open(weight=weight)
        problem = problem_of_files(
            teacher,
            file,
            cached_beside(source, teacher, out),
            test=test,
            validation=validation,
            pool=pool,
            train=train,
            group=group,
            time=time,
            unlabelled=unlabelled,
            class_weight=class_weight,
        )
    plan = plan_of(
        problem.form.task,
        has_truth=problem.has_truth,
        texts=problem.is_text,
        inputs=problem.inputs,
        students=_students(students),
        limits=limits,
        trials=trials,
        seeds=seeds,
        metric=metric,
        export=_names(formats),
        seed=seed,
        show_rows=show_rows,
        cascade=cascade,
    )
    if only_plan:
        chat = problem.teacher if isinstance(problem.teacher, ChatTeacher) else None
        # A language model is not asked even the few rows that the plan of a run is timed on.
        planned: Any = dry_run(problem, plan, stages, on=on) if chat is None else chat.estimate(problem.every_asked)
        echo(dumps({"schema": 1, **asdict(planned)}) if as_json else as_options(str(planned)), nl=not as_json)
        return
    try:
        found = distilled(problem, plan, out, stages, on=on)
    except BaseException as error:
        if not isinstance(error, Exception) and out.exists():  # Ctrl-C and SIGTERM
            error.add_note(f"what is finished is in {out}, and the same command goes on from there.")
        raise
    arguments = arguments_without(click.get_current_context(), "out", "dry-run")
    write_reproduce(RunFolder(out), arguments, _inputs(file, Path(teacher), test, validation, pool, train))
    for note in found.record.notes:
        show_warning(note)
    if as_json:
        echo(dumps(found.record.to_json()), nl=False)
        return
    Console().print(terminal_table(found.record))
    if isinstance(problem.teacher, ChatTeacher):
        echo(str(problem.teacher.report(problem.every_asked)), err=True)
    echo(f"Report: {out / 'report.html'}")


def _inputs(file: TableFile, *others: AnyPath | None) -> list[Path]:
    """The files that a run reads, as far as they are files of this machine."""
    paths = [*(file.source.paths if file.source is not None else [file.path]), *others]
    return [path for path in paths if isinstance(path, Path) and path.exists()]
