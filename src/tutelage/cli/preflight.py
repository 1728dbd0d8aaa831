"""`tutelage preflight`: is the teacher's signal sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import FILE, debug_option, json_option, rows_options, teacher_options
from tutelage.cli.progress import ShownStages

FOUND_AN_ERROR = 3


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--test", type=FILE, help="Rows that the student will be measured on: shows leaks and shift.")
@click.option("--train", type=FILE, help="Rows that the teacher was trained on: shows which of the others it has seen.")
@click.option("--rows", type=click.IntRange(1), default=2000, show_default=True, help="Ask about so many rows of each file at most.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of everything drawn.")
@teacher_options
@json_option
@debug_option
@click.pass_context
def preflight(
    context: click.Context,
    /,
    *,
    teacher: str,
    data: Path,
    truth: tuple[str, ...],
    drop: tuple[str, ...],
    text: str | None,
    test: Path | None,
    train: Path | None,
    rows: int,
    seed: int,
    told: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Check TEACHER before anyone trains on it.

    Its answers to the rows that a student is to be taught on are checked. TEACHER is named as for `record`.
    With --truth more is checked. The exit status is 3 if a finding is an error.
    """
    from tutelage.checks.preflight import preflight as fly
    from tutelage.core.records import dumps
    from tutelage.data.table_file import TableFile
    from tutelage.workflow.open_answers import columns_known_to, open_answers

    file = TableFile.open(data, truth=truth, drop=drop, text=text)
    held, seen = (None if path is None else file.sibling(path) for path in (test, train))
    stages = ShownStages()
    with stages.stage("teacher"):
        asked = open_answers(teacher, file, told)
        columns = columns_known_to(asked, file)
    with stages.stage("checks"):
        found = fly(
            asked,
            file.rows_of(columns),
            file.truth_values(),
            test=None if held is None else held.rows_of(columns),
            test_labels=None if held is None else held.truth_values(),
            train=None if seen is None else seen.rows_of(columns),
            seed=seed,
            rows=rows,
        )
    click.echo(dumps(found.to_json()) if as_json else str(found), nl=not as_json)
    if found.worst == "error":
        context.exit(FOUND_AN_ERROR)
