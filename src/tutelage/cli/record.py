"""`tutelage record`: query a teacher once on every row and store its answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import FOLDER, RowsOptions, debug_option, echo, json_option, rows_options, teacher_options
from tutelage.core.progress import DisplayedStages
from tutelage.softlabels.options import DTYPES

if TYPE_CHECKING:
    from tutelage.softlabels.folder import LabelFolder


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--into", type=FOLDER, required=True, help="Folder to record into; an interrupted recording there is resumed.")
@click.option("--precision", type=click.Choice(DTYPES), help="Type of the numbers on disk; the teacher's by default.")
@click.option(
    "--top-k", type=click.IntRange(1), help="Store only this many of the most probable classes per row, and the total of the rest."
)
@click.option("--shard-rows", type=click.IntRange(1), help="Rows per file; by default 65,536, or fewer whose answers take 256 MiB.")
@teacher_options
@json_option
@debug_option
def record(
    *,
    teacher: str,
    given_rows: RowsOptions,
    into: Path,
    precision: Any,
    top_k: int | None,
    shard_rows: int | None,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Record the answers of TEACHER to every row of the data.

    The answers are written to a folder of Parquet files, valid for exactly these rows. TEACHER is an ONNX file
    (.onnx), a skops file (.skops), a LightGBM (.txt, .lgb), XGBoost (.json, .ubj) or CatBoost (.cbm) model file,
    module:object, a folder of recorded answers, or a log of answers (.parquet, .csv, .jsonl; with --kind and
    --answers).
    """
    from tutelage.core.records import dumps
    from tutelage.softlabels import recording
    from tutelage.workflow.open_answers import columns_known_to, in_columns_of, open_answers

    file = given_rows.open()
    recording.check_folder(into)
    stages = DisplayedStages()
    with stages.stage("teacher"):
        opened = open_answers(teacher, file, source)
        file = in_columns_of(opened, file)
        rows = file.rows_of(columns_known_to(opened, file))
    of_a_shard = shard_rows or recording.rows_of_a_shard(rows, opened)
    with stages.stage("record", -(-rows.count // of_a_shard)) as advance:
        labels = recording.record(opened, rows, into, dtype=precision, top_k=top_k, shard_rows=of_a_shard, advance=advance)
    echo(dumps(labels.to_json()) if as_json else _summary(labels), nl=not as_json)


def _summary(labels: LabelFolder) -> str:
    from tutelage.core.answers import list_classes

    of, form = labels.provenance, labels.form
    encoding = of.encoding.dtype + (f", top {of.encoding.top_k} and the rest" if of.encoding.top_k is not None else "")
    classes = f" for the classes {list_classes(form.classes)}" if form.classes else ""
    files = f"{of.shards} file{'s' if of.shards > 1 else ''}"
    cost, one = labels.cost, "row" if form.positions is None else "position"
    lossy = f"Measured loss of this encoding: {labels.cost_unit} {cost.mean:.2g} per {one} on average, {cost.worst:.2g} at worst."
    loss = lossy if cost.total else "Stored without loss."
    return f"{labels.path}: {form.kind}{classes}, {len(labels):,} rows in {files} ({encoding}).\n{loss}"
