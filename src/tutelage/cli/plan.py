"""`tutelage plan`: a recording that many processes make, shard by shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import RECORDING, RowsOptions, debug_option, echo, json_option, rows_options, teacher_options_without_chat
from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages
from tutelage.softlabels.options import DTYPES

if TYPE_CHECKING:
    from tutelage.softlabels.labelling.plan import Plan


@click.command()
@click.argument("teacher")
@rows_options
@click.option("--into", type=RECORDING, required=True, help="Folder to record into, which all processes share, or its URI.")
@click.option("--label", "labelled", metavar="SHARDS", help="Label these shards: 7, 0-99, or missing for all that are missing.")
@click.option("--finish", is_flag=True, help="Prove every shard, write the manifest, and remove the plan.")
@click.option("--precision", type=click.Choice(DTYPES), help="Type of the numbers on disk; the teacher's by default.")
@click.option(
    "--top-k", type=click.IntRange(1), help="Store only this many of the most probable classes per row, and the total of the rest."
)
@click.option("--shard-rows", type=click.IntRange(1), help="Rows per file; by default 65,536, or fewer whose answers take 256 MiB.")
@teacher_options_without_chat
@json_option
@debug_option
def plan(
    *,
    teacher: str,
    given_rows: RowsOptions,
    into: AnyPath,
    labelled: str | None,
    finish: bool,
    precision: Any,
    top_k: int | None,
    shard_rows: int | None,
    source: Any,
    as_json: bool,
    debug: bool,
) -> None:
    """Plan a recording that many processes make, on one machine or many that share the folder.

    Every process runs the same command with --label, such as the tasks of a job array with --label $TASK, and one of them runs it with
    --finish in the end. The folder then holds what `tutelage record` would have written. Without either, the plan is made and shown.
    """
    from tutelage.core.records import dumps
    from tutelage.softlabels.labelling.plan import plan as planned
    from tutelage.softlabels.shards import MANIFEST
    from tutelage.teachers.files.open import CHAT
    from tutelage.workflow.open_answers import columns_known_to, for_other_processes, in_columns_of, open_answers

    if teacher.startswith(CHAT):
        raise BadInput(
            f"{teacher} is asked many texts at a time already, within a budget that holds for one process; record its answers in one, with "
            "tutelage record."
        )
    file = given_rows.open()
    stages = DisplayedStages()
    with stages.stage("teacher"):
        opened = open_answers(teacher, file, source)
        file = in_columns_of(opened, file)
        rows = file.rows_of(columns_known_to(opened, file))
    made = planned(for_other_processes(opened, teacher, source), rows, into, dtype=precision, top_k=top_k, shard_rows=shard_rows)
    shards = () if labelled is None else _shards(labelled, made)
    if shards:
        with stages.stage("label", len(shards)) as advance:
            for shard in shards:
                made.label(shard)
                advance()
    if finish:
        with stages.stage("finish", len(made)) as advance:
            made.finish(advance)
    missing, finished = made.missing(), (into / MANIFEST).is_file()
    record = {"schema": 1, "folder": str(into), "rows": rows.count, "shards": len(made), "missing": missing, "finished": finished}
    echo(dumps(record) if as_json else _summary(made, missing, finished=finished), nl=not as_json)


def _shards(text: str, plan: Plan) -> tuple[int, ...]:
    """The shards that are named: "7", "0-99" or "missing".

    Raises:
        BadInput: another text, or shards that there are not.
    """
    if text == "missing":
        return tuple(plan.missing())
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise BadInput(f"label is {text!r}; expected the number of a shard, two numbers such as 0-99, or missing.")
    start, stop = int(first), int(last or first)
    if not start <= stop < len(plan):
        raise BadInput(f"label is {text!r}; expected shards of 0 to {len(plan) - 1}.")
    return tuple(range(start, stop + 1))


def _summary(plan: Plan, missing: list[int], *, finished: bool) -> str:
    rows, shards = plan.provenance.rows, len(plan)
    held = f"{plan.folder}: {rows:,} row{'s' if rows > 1 else ''} in {shards} shard{'s' if shards > 1 else ''}"
    if finished:
        return f"{held}, finished and proven."
    left = f"{len(missing)} missing (first: {missing[0]})" if missing else "all labelled; finish it with --finish"
    return f"{held} of {plan.provenance.shard_rows:,}, {left}."
