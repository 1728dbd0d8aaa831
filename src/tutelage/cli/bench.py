"""`tutelage bench`: what an answer of a student costs in each exported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tutelage.cli.options import FOLDER, ROWS, debug_option, echo, json_option, network_option, refuse_given, teacher_options
from tutelage.core.file_systems.paths import AnyPath

WIDTH = 100
"""Characters of a line, where the output is no terminal."""


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--to", multiple=True, metavar="TARGET", help="onnx, c, js, py, sql or pte; repeat it. By default all that can be measured.")
@click.option("--arm", help="Which student of a recipe; its main student by default.")
@click.option("--seed", type=int, help="Which seed of that student; the first by default.")
@click.option("--data", type=ROWS, help="Rows to answer, as for `export`.")
@click.option("--teacher", help="Measure this teacher beside the student, named as for `record`.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, help="Time for each contender.")
@network_option
@teacher_options
@json_option
@debug_option
def bench(
    *,
    run: Path,
    to: tuple[str, ...],
    arm: str | None,
    seed: int | None,
    data: AnyPath | None,
    network: Any,
    teacher: str | None,
    seconds: float,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Measure what an answer costs in each exported file.

    RUN is a folder that `distill`, `train` or `run` wrote. Its student is written for each target, and every file answers single rows and
    batches in the runtime where it belongs, on one thread, in turns with the student itself and its teacher. The files are
    not kept, nor compared with the student: `export` does that.
    """
    from dataclasses import asdict, fields

    from tutelage.core.records import dumps
    from tutelage.experiments.running import saved_student
    from tutelage.exporters.bench.display import bench_table
    from tutelage.exporters.bench.measure import bench as measure
    from tutelage.workflow.open_answers import opened_teacher

    if teacher is None:
        refuse_given(*(option.name for option in fields(source)), of="a measurement without --teacher")
    student, rows = saved_student(run, arm=arm, seed=seed, data=data, network=network)
    beside = None if teacher is None else opened_teacher(teacher, data, source)
    result = measure(student, rows, to=to or None, teacher=beside, seconds=seconds)
    if as_json:
        echo(dumps({"schema": 1, **asdict(result)}), nl=False)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(bench_table(result))
    for reason in result.skipped:
        echo(f"Not measured - {reason}")
