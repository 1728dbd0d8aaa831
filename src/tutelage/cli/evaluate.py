"""`tutelage evaluate`: measure a trained student against the truth and its teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tutelage.cli.options import (
    FILE,
    FOLDER,
    RECORDING,
    RowsOptions,
    debug_option,
    echo,
    json_option,
    network_option,
    rows_options,
    teacher_options,
)
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages


@click.command()
@click.argument("run", type=FOLDER)
@rows_options
@click.option("--weight", metavar="COLUMN", help="Column of the weights of the rows in the figures.")
@click.option("--labels", type=RECORDING, help="Measure fidelity to the answers in this folder, recorded on these rows.")
@click.option("--teacher", help="Measure fidelity to this teacher, named as for `record`.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the bootstrap intervals.")
@click.option("--rows-out", "answers_path", type=FILE, help="Also write the answers row by row to this file, .csv or .parquet.")
@network_option
@teacher_options
@json_option
@debug_option
def evaluate(
    *,
    run: Path,
    given_rows: RowsOptions,
    weight: str | None,
    labels: AnyPath | None,
    teacher: str | None,
    seed: int,
    answers_path: Path | None,
    network: Any,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Evaluate a trained student on other rows.

    RUN is a folder that `distill` or `train` wrote. The student is measured against the truth (by default the column given
    there, if the data has it), and with --labels or --teacher against a teacher. The figures have 95 %
    intervals over test rows.
    """
    from tutelage.data.tables.found_files import local_tables
    from tutelage.students.saved.trained_folder import own_files
    from tutelage.teachers.endpoints.chat_teacher import ChatTeacher, check_stored_apart, with_advance
    from tutelage.workflow.evaluate import measure, open_answer_source, places_with_truth, row_table, rows_to_measure
    from tutelage.workflow.open_answers import cached_beside
    from tutelage.workflow.predict import check_target, write_tables
    from tutelage.workflow.train import open_trained

    if answers_path is not None:
        named = [labels, None if teacher is None else Path(teacher), source.prompt]
        check_target(answers_path, read=[*local_tables(given_rows.data, target=answers_path), *own_files(run), *named])
    student, record = open_trained(run, network)
    given = given_rows
    roles: dict[str, Any] = {"truth": given.truth, "drop": given.drop, "text": given.text, "inputs": given.inputs}
    file = given.without_aside(rows_to_measure(record, given.data, **roles, weight=weight, dtype=given.dtype))
    stages = DisplayedStages()
    with stages.stage("teacher"):
        answers = open_answer_source(file, labels=labels, teacher=teacher, options=cached_beside(source, teacher or "", run))
        check_stored_apart(answers, run)
    with stages.stage("evaluate", file.rows().count if isinstance(answers, ChatTeacher) else 1) as advance:
        asked = None if answers is None else with_advance(answers, advance)
        evaluation = measure(student, record, file, asked, seed=seed, folder=run)
    if answers_path is not None:
        places = places_with_truth(file, student.labels)
        write_tables(iter([row_table(evaluation, file.truth, places=places)]), answers_path)
    console = Console()
    if as_json:
        echo(evaluation.dumps(), nl=False)
    elif console.is_terminal:
        console.print(evaluation)
    else:
        echo(str(evaluation))
