"""`tutelage export`: write a student as a file of another language or format, checked against the student."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import FOLDER, ROWS, debug_option, echo, json_option, network_option
from tutelage.core.file_systems.paths import AnyPath


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("file", type=FOLDER)
@click.option("--arm", help="Which student of a recipe; its main student by default.")
@click.option("--seed", type=int, help="Which seed of that student; the first by default.")
@click.option(
    "--data",
    type=ROWS,
    help="For a folder of `distill` or `train`: rows for the comparison; by default rows drawn within the ranges of its columns. "
    "For a run of tiny-fashion: the folder of data that it used.",
)
@click.option(
    "--precision",
    help="Of the file's numbers: double or single (C), half, int8 or int8-dynamic (ONNX), int8 (ExecuTorch); by default the student's.",
)
@click.option("--target-opset", type=int, help="For ONNX: the version of its operators.")
@click.option("--table", default="rows", show_default=True, help="For SQL: the table that the rows are in.")
@click.option("--prefix", help="For C: what the names in the file begin with; by default the name of the file.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    help="For half or 8 bits: percentage points that the file may lose on the rows of --data; 1 by default.",
)
@click.option("--unproven", is_flag=True, help="Write the file without comparing it with the student, where its runtime is not installed.")
@network_option
@json_option
@debug_option
def export(
    *,
    run: Path,
    file: Path,
    arm: str | None,
    seed: int | None,
    data: AnyPath | None,
    network: Any,
    as_json: bool,
    debug: bool,
    **settings: Any,
) -> None:
    """Export a student as a checked file.

    RUN is a folder that `distill`, `train` or `run` wrote. The end of FILE decides what is written: .onnx, .c, .js, .py, .sql or .pte
    (ExecuTorch). The file is run where it belongs - onnxruntime, a C compiler, Node.js, Python, SQLite, ExecuTorch - on 10 000 rows
    and on edge rows, and is written only if its answers and decisions match those of the student. FILE.json records the comparison.
    """
    from tutelage.data.tables.found_files import local_tables
    from tutelage.experiments.running import saved_student
    from tutelage.exporters.beside import name_student, record_path
    from tutelage.exporters.export import check_path
    from tutelage.exporters.export import export as write
    from tutelage.students.saved.trained_folder import own_files, sha256_of_student

    code = [Path(where) for module in list(sys.modules.values()) if (where := getattr(module, "__file__", None))]  # that of --network
    check_path(file, read=[*local_tables([] if data is None else [data], target=file), *own_files(run), *code])
    student, rows = saved_student(run, arm=arm, seed=seed, data=data, network=network)
    record = write(student, file, check_on=rows, **settings)
    of = sha256_of_student(run)
    if of is not None:
        name_student(file, of)
    if as_json:
        echo(record_path(file).read_text(encoding="utf-8"), nl=False)
    else:
        echo(str(record))
