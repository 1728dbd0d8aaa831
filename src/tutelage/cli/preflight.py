"""`tutelage preflight`: check the teacher's answers before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import ROWS, RowsOptions, as_options, debug_option, echo, json_option, rows_options, teacher_options
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages

FOUND_AN_ERROR = 3


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--test", type=ROWS, help="Rows on which the student will be measured; reveals leaks and distribution shift.")
@click.option("--train", type=ROWS, help="Rows on which the teacher was trained; reveals which of the other rows it has seen.")
@click.option("--rows", type=click.IntRange(1), default=2000, show_default=True, help="Maximum number of rows of each file to check.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the random samples.")
@teacher_options
@json_option
@debug_option
@click.pass_context
def preflight(
    context: click.Context,
    /,
    *,
    teacher: str,
    given_rows: RowsOptions,
    test: AnyPath | None,
    train: AnyPath | None,
    rows: int,
    seed: int,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Check the answers of TEACHER before training on them.

    The checks query the teacher on the rows of the data, on which a student will be trained. TEACHER is named as
    for `record`. With --truth there are more checks. The exit status is 3 if a finding is an error.
    """
    from tutelage.checks.preflight import preflight as run_checks
    from tutelage.core.records import dumps
    from tutelage.teachers.endpoints.chat_teacher import ChatTeacher, with_advance
    from tutelage.workflow.ground_truth import in_label_order
    from tutelage.workflow.open_answers import cached_beside, columns_known_to, in_columns_of, open_answers

    file = given_rows.open()
    stages = DisplayedStages()
    with stages.stage("teacher"):
        opened = open_answers(teacher, file, cached_beside(source, teacher, Path("preflight")))
        file = in_label_order(opened.form, in_columns_of(opened, file))
        test_file, train_file = (None if path is None else in_columns_of(opened, file.sibling(path)) for path in (test, train))
        columns = columns_known_to(opened, file)
    sets = [one.rows_of(columns) for one in (file, test_file) if one is not None]
    steps = sum(min(rows, one.count) for one in sets) if isinstance(opened, ChatTeacher) else 1
    with stages.stage("checks", steps) as advance:
        findings = run_checks(
            with_advance(opened, advance),
            file.rows_of(columns),
            file.truth_values(),
            test=None if test_file is None else test_file.rows_of(columns),
            test_labels=None if test_file is None else test_file.truth_values(),
            train=None if train_file is None else train_file.rows_of(columns),
            drop=(*file.drop, *file.truth),  # recorded answers may have been recorded with them
            seed=seed,
            rows=rows,
        )
    echo(dumps(findings.to_json()) if as_json else as_options(str(findings)), nl=not as_json)
    if findings.worst == "error":
        context.exit(FOUND_AN_ERROR)
