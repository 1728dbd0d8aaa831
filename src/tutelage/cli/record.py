"""`tutelage record`: query a teacher once on every row and store its answers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import RECORDING, RowsOptions, debug_option, echo, json_option, on_option, rows_options, teacher_options
from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages
from tutelage.softlabels.options import DTYPES

if TYPE_CHECKING:
    from tutelage.softlabels.folder import LabelFolder
    from tutelage.teachers.endpoints.chat_teacher import ChatTeacher


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--into", type=RECORDING, required=True, help="Folder to record into, or its URI; an interrupted recording there is resumed.")
@click.option("--precision", type=click.Choice(DTYPES), help="Type of the numbers on disk; the teacher's by default.")
@click.option(
    "--top-k", type=click.IntRange(1), help="Store only this many of the most probable classes per row, and the total of the rest."
)
@click.option("--shard-rows", type=click.IntRange(1), help="Rows per file; by default 65,536, or fewer whose answers take 256 MiB.")
@on_option("Ask the teacher in other processes: local:4 for four on this machine, ray:64 for 64 workers of Ray. The files are the same.")
@click.option("--dry-run", "only_plan", is_flag=True, help="Print what would be asked, and what it costs; ask and write nothing.")
@click.option(
    "--ask-again",
    type=click.IntRange(1),
    metavar="N",
    help="chat: only: ask N of the texts twice, to say how well the model agrees with itself.",
)
@teacher_options
@json_option
@debug_option
def record(
    *,
    teacher: str,
    given_rows: RowsOptions,
    into: AnyPath,
    precision: Any,
    top_k: int | None,
    shard_rows: int | None,
    on: Any,
    only_plan: bool,
    ask_again: int | None,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Record the answers of TEACHER to every row of the data.

    The answers are written to a folder of Parquet files, valid for exactly these rows. TEACHER is an ONNX file
    (.onnx), a skops file (.skops), a LightGBM (.txt, .lgb), XGBoost (.json, .ubj) or CatBoost (.cbm) model file,
    module:object, a folder of recorded answers, a log of answers (.parquet, .csv, .jsonl; with --kind and
    --answers), or chat:MODEL for a language model behind an endpoint.
    """
    from tutelage.core.records import dumps
    from tutelage.softlabels import recording
    from tutelage.softlabels.folder import check_folder
    from tutelage.softlabels.labelling.request import Request
    from tutelage.softlabels.querying import rows_of_a_shard
    from tutelage.softlabels.shards import MANIFEST
    from tutelage.teachers.endpoints.chat_teacher import ChatTeacher
    from tutelage.workflow.open_answers import cached_beside, columns_known_to, for_other_processes, in_columns_of, open_answers

    file = given_rows.open()
    check_folder(into)
    stages = DisplayedStages()
    with stages.stage("teacher"):
        opened = open_answers(teacher, file, cached_beside(source, teacher, into))
        recording.check_into(into, opened)
        file = in_columns_of(opened, file)
        rows = file.rows_of(columns_known_to(opened, file))
    chat = opened if isinstance(opened, ChatTeacher) else None
    if chat is None and ask_again is not None:
        raise BadInput(f"ask_again= does not apply to {teacher}, which is no language model; leave it out.")
    if chat is not None and on is not None:
        raise BadInput(f"on= does not apply to {teacher}, whose endpoint is asked many texts at a time already; leave it out.")
    texts = None if chat is None else rows.part(0, rows.count)
    if only_plan:
        estimate = None if chat is None else chat.estimate(texts, again=ask_again or 0)
        planned = {"schema": 1, **({"rows": rows.count} if estimate is None else asdict(estimate))}
        said = f"{teacher} would be asked {rows.count:,} rows. Nothing was asked." if estimate is None else str(estimate)
        echo(dumps(planned) if as_json else said, nl=not as_json)
        return
    of_a_shard = shard_rows or rows_of_a_shard(rows, opened)
    if chat is not None and isinstance(into, Path):
        recording.check_fits(into, Request.of(chat, rows, dtype=precision, top_k=top_k, shard_rows=of_a_shard))
        # What is recorded is not asked, even if its stored answers are gone, or were stored in memory alone.
        begun = chat.store.folder is None and any(into.glob("part-*.parquet"))
        _ask(chat, texts, ask_again, stages, recorded=begun or (into / MANIFEST).exists())
    with stages.stage("record", -(-rows.count // of_a_shard)) as advance:
        asked = opened if on is None else for_other_processes(opened, teacher, source)
        try:
            labels = recording.record(asked, rows, into, dtype=precision, top_k=top_k, shard_rows=of_a_shard, on=on, advance=advance)
        except BaseException as error:
            if not isinstance(error, Exception):  # stopped by the user or the system
                error.add_note(f"complete files are in {into}, and the same command goes on from there.")
            raise
    echo(dumps(labels.to_json()) if as_json else _summary(labels), nl=not as_json)
    if chat is not None:
        report = chat.report(texts)
        if report.model is not None:
            echo(str(report), err=True)


def _ask(chat: ChatTeacher, texts: Any, again: int | None, stages: DisplayedStages, *, recorded: bool) -> None:
    """Ask a language model all texts that are not recorded, and some of them once more."""
    from tutelage.teachers.endpoints.chat_teacher import texts_to_ask, with_advance

    if not recorded:
        with stages.stage("ask", texts_to_ask(chat, texts)) as advance:
            with_advance(chat, advance).answer(texts)
    if again is not None:
        with stages.stage("ask again", again):
            found = chat.consistency(texts, texts=again)
        echo(str(found), err=True)


def _summary(labels: LabelFolder) -> str:
    from tutelage.core.answer_values.class_names import list_classes

    of, form = labels.provenance, labels.form
    encoding = of.encoding.dtype + (f", top {of.encoding.top_k} and the rest" if of.encoding.top_k is not None else "")
    classes = f" for the classes {list_classes(form.classes)}" if form.classes else ""
    files = f"{of.shards} file{'s' if of.shards > 1 else ''}"
    cost, one = labels.cost, "row" if form.positions is None else "position"
    lossy = f"Measured loss of this encoding: {labels.cost_unit} {cost.mean:.2g} per {one} on average, {cost.worst:.2g} at worst."
    loss = lossy if cost.total else "Stored without loss."
    return f"{labels.path}: {form.kind}{classes}, {len(labels):,} rows in {files} ({encoding}).\n{loss}"
