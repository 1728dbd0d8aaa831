"""`tutelage export`: write a student as an ONNX file, checked against the student."""

from __future__ import annotations

from pathlib import Path

import click

from tutelage.cli.options import FILE, FOLDER, debug_option, echo, json_option
from tutelage.core.errors import BadInput
from tutelage.core.files import check_file_place
from tutelage.core.records import Parity


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("file", type=FOLDER)
@click.option("--arm", help="Which student of a recipe; its main student by default.")
@click.option("--seed", type=int, help="Which seed of that student; the first by default.")
@click.option(
    "--data",
    type=FILE,
    help="For a folder written by `train`: rows for the comparison; by default rows drawn within the ranges of its columns. "
    "For a run of tiny-fashion: the folder of data that it used.",
)
@json_option
@debug_option
def export(*, run: Path, file: Path, arm: str | None, seed: int | None, data: Path | None, as_json: bool, debug: bool) -> None:
    """Export a student as a checked ONNX file.

    RUN is a folder that `run` or `train` wrote. FILE is written only if its answers and decisions match those of the student on
    up to 10 000 rows and on edge rows; its metadata holds the result of the comparison.
    """
    from dataclasses import asdict

    from tutelage.core.errors import require_extras
    from tutelage.core.records import dumps
    from tutelage.experiments.running import saved_student
    from tutelage.exporters.parity import export_onnx

    if file.suffix != ".onnx":
        raise BadInput(f"{file} does not end in .onnx, the only supported format. Name it {file.with_suffix('.onnx').name}.")
    require_extras(["onnx"])
    check_file_place(file)
    student, rows = saved_student(run, arm=arm, seed=seed, data=data)
    parity = export_onnx(student, file, check_on=rows)
    record = {"schema": 1, "file": file.name, "size_bytes": file.stat().st_size, "parity": asdict(parity)}
    if as_json:
        echo(dumps(record), nl=False)
    else:
        echo(f"{file}: {record['size_bytes']:,} bytes. {_summary(parity)}")


def _summary(parity: Parity) -> str:
    """The result of the comparison in a sentence, and in another what the student refuses."""
    refused = f" The student refuses {' and '.join(parity.refused)}: do not give them to the file." if parity.refused else ""
    return (
        f"Compared with the student on {parity.rows:,} rows and {parity.edge_rows:,} edge rows: worst difference "
        f"{parity.worst_difference:.2g} (allowed {parity.tolerance:g}), {parity.decisions_changed} decisions changed.{refused}"
    )
