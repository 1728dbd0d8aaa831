"""`tutelage compare`: two trained students, or all seeds of two distillations, on the same rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import FOLDER, RowsOptions, debug_option, echo, json_option, networks_option, rows_options, teacher_options
from tutelage.core.running.progress import DisplayedStages


@click.command()
@click.argument("run_a", type=FOLDER)
@click.argument("run_b", type=FOLDER)
@rows_options
@click.option(
    "--teacher", help="Compare the fidelity to this teacher, named as for `record`; where the truth is known, with --against teacher."
)
@click.option("--metric", help="A figure that is a mean over rows, such as accuracy, nll_nats, brier, agreement or mse.")
@click.option("--against", type=click.Choice(["truth", "teacher"]), help="What they are measured against; the truth if it is known.")
@networks_option
@teacher_options
@json_option
@debug_option
def compare(
    *,
    run_a: Path,
    run_b: Path,
    given_rows: RowsOptions,
    teacher: str | None,
    metric: str | None,
    against: Any,
    networks: tuple[Any, ...],
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Compare the students of two folders on the same rows, which neither of them was trained on.

    RUN_A and RUN_B are folders that `distill` or `train` wrote. Where both hold students of several seeds, the interval is over seeds and
    rows, and the verdict is about two ways of training; otherwise it is over rows, and about these two students.
    """
    from tutelage.core.records import dumps
    from tutelage.teachers.endpoints.chat_teacher import check_stored_apart
    from tutelage.workflow.compare import compare_folders, open_both
    from tutelage.workflow.evaluate import open_answer_source, rows_to_measure
    from tutelage.workflow.open_answers import cached_beside

    a, b = open_both(run_a, run_b, networks)
    given, stages = given_rows, DisplayedStages()
    roles: dict[str, Any] = {"truth": given.truth, "drop": given.drop, "text": given.text, "inputs": given.inputs}
    file = given.without_aside(rows_to_measure(a.record, given.data, **roles, dtype=given.dtype))
    with stages.stage("teacher"):
        answers = open_answer_source(file, labels=None, teacher=teacher, options=cached_beside(source, teacher or "", run_a))
        for run in (run_a, run_b):
            check_stored_apart(answers, run)
    with stages.stage("compare"):
        found = compare_folders(a, b, file, answers, metric=metric, against=against)
    echo(dumps({"schema": 1, **asdict(found)}) if as_json else f"{found.question}\n{found}", nl=not as_json)
