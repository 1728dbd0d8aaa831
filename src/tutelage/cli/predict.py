"""`tutelage predict`: the answers of a trained student to the rows of a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import FILE, FOLDER, column_type, data_option, debug_option, dtype_option, echo, network_option, refuse_given
from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath


@click.command()
@click.argument("run", type=FOLDER)
@data_option
@dtype_option
@click.option(
    "--file", "exported", type=FILE, help="Ask an exported file of the student instead, such as student.onnx, by its name in RUN."
)
@click.option("--probabilities", is_flag=True, help="Also write the probability of each class.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Column of the file to copy, such as an id. Repeat it for more columns.")
@click.option("--out", type=FILE, help="File to write, .csv or .parquet; CSV to standard output by default.")
@network_option
@debug_option
def predict(
    *,
    run: Path,
    data: tuple[AnyPath, ...],
    dtype: Sequence[str],
    exported: Path | None,
    probabilities: bool,
    keep: tuple[str, ...],
    out: Path | None,
    network: Any,
    debug: bool,
) -> None:
    """Answer the rows of a file with a trained student.

    RUN is a folder that `distill` or `train` wrote. The file needs the columns that the student reads, in any order; others are left out.
    Each row is answered by one line, in the same order: the column "prediction" holds the class or the value. After `distill --cascade`,
    the column "deferred" says which rows the student, or its exported file, leaves to the teacher.
    """
    from tutelage.data.tables.found_files import local_tables
    from tutelage.students.saved.trained_folder import own_files
    from tutelage.workflow.evaluate import rows_to_measure
    from tutelage.workflow.predict import check_target, exported_answers, predictions, write_tables
    from tutelage.workflow.train import open_trained

    if exported is not None and network is not None:
        raise BadInput(f"--file asks the exported file {exported.name}, which needs no code; leave --network out, or --file.")
    if out is not None:
        check_target(out, read=[*local_tables(data, target=out), *own_files(run)])
    student, record = open_trained(run, network, asked=exported is None)
    if student.task == "regression":
        refuse_given("probabilities", of="a student of values")
    file = rows_to_measure(record, data, dtype=dict(map(column_type, dtype)))
    answer = None if exported is None else exported_answers(run, exported, student)
    tables = predictions(student, record, file, probabilities=probabilities, keep=keep, answer=answer)
    target: Any = sys.stdout.buffer if out is None else out
    count = write_tables(tables, target)
    if out is not None:
        echo(f"{out}: the answers to {count:,} rows.")
