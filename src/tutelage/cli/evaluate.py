"""`tutelage evaluate`: what a trained student kept and lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tutelage.cli.options import FOLDER, debug_option, json_option, rows_options, teacher_options
from tutelage.cli.progress import ShownStages


@click.command()
@click.argument("run", type=FOLDER)
@rows_options
@click.option("--labels", type=FOLDER, help="Fidelity to the answers recorded in this folder on these rows.")
@click.option("--teacher", help="Fidelity to this teacher, named as for `record`.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of the bootstrap's draws.")
@teacher_options
@json_option
@debug_option
def evaluate(
    *,
    run: Path,
    data: Path,
    truth: tuple[str, ...],
    drop: tuple[str, ...],
    text: str | None,
    labels: Path | None,
    teacher: str | None,
    seed: int,
    told: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Measure a trained student on other rows.

    RUN is a folder that `train` wrote. Against the truth (the column that `train` was told, if the data has
    it), and against a teacher with --labels or --teacher. Every figure has its interval over test rows.
    """
    from tutelage.workflow.evaluate import measure, open_answer_source, rows_to_measure
    from tutelage.workflow.train import open_trained

    student, record = open_trained(run)
    file = rows_to_measure(record, data, truth=truth, drop=drop, text=text)
    stages = ShownStages()
    with stages.stage("teacher"):
        asked = open_answer_source(file, labels=labels, teacher=teacher, options=told)
    with stages.stage("evaluate"):
        evaluation = measure(student, record, file, asked, seed=seed)
    console = Console()
    if as_json:
        click.echo(evaluation.dumps(), nl=False)
    elif console.is_terminal:
        console.print(evaluation)
    else:
        click.echo(str(evaluation))
