"""`tutelage train`: train a student on recorded answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tutelage.cli.options import (
    FOLDER,
    RECORDING,
    RowsOptions,
    debug_option,
    echo,
    json_option,
    refuse_given,
    rows_options,
    setting,
    show_warning,
)
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.progress import DisplayedStages


@click.command()
@click.argument("student")
@click.option("--labels", type=RECORDING, required=True, help="Folder that `record` wrote.")
@rows_options
@click.option("--weight", metavar="COLUMN", help="Column of the weights of the rows; it is not used as a feature.")
@click.option("--out", type=FOLDER, required=True, help="Folder to write; the output of an earlier `train` there is replaced.")
@click.option(
    "--set", "settings", type=setting, multiple=True, metavar="NAME=VALUE", help="Setting of the student, for example max_leaf_nodes=32."
)
@click.option(
    "--soft-weight",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the teacher's answers in the targets; the rest is the column --truth.",
)
@click.option(
    "--temperature", type=float, default=1.0, show_default=True, help="Temperature of the targets; the student's answers are at 1."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the student's random draws.")
@click.option("--max-words", type=click.IntRange(1), help="With --text: use only this many of the most frequent words and word pairs.")
@json_option
@debug_option
def train(
    *,
    student: str,
    labels: AnyPath,
    given_rows: RowsOptions,
    weight: str | None,
    out: Path,
    settings: tuple[tuple[str, Any], ...],
    soft_weight: float,
    temperature: float,
    seed: int,
    max_words: int | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Train STUDENT on recorded answers.

    STUDENT is tree, forest, logistic, boosting or mlp; for regression tree, forest, linear, boosting or mlp. Categories
    and missing values are encoded for it, and the encoding is saved with the student.
    """
    from tutelage.core.records import dumps
    from tutelage.softlabels.folder import open_labels
    from tutelage.workflow import train as training

    if given_rows.text is None:
        refuse_given("max_words", of="rows without --text")
    spec = training.TrainingSpec(student, dict(settings), soft_weight=soft_weight, temperature=temperature, seed=seed, max_words=max_words)
    file = given_rows.open(weight=weight)
    record = training.train(spec, open_labels(labels), file, out=out, stages=DisplayedStages())
    for warning in record["warnings"]:
        show_warning(warning)
    echo(dumps(record) if as_json else _summary(out, record), nl=not as_json)


def _summary(out: Path, record: Mapping[str, Any]) -> str:
    parts = f", {record['parts']['count']:,} {record['parts']['unit']}" if record["parts"] else ""
    at = f" at temperature {record['temperature']:g}" if record["temperature"] != 1 else ""
    blend = f", {record['soft_weight']:.0%} the teacher's answers and the rest the truth" if record["soft_weight"] < 1 else ""
    shape, count = record["data"]["row_shape"], len(record["columns"])
    width = f"{' x '.join(map(str, shape))} numbers" if shape else f"{count} column{'s' if count > 1 else ''}"
    return (
        f"{out / record['file']['name']}: a {record['student']} of {record['file']['size_bytes']:,} bytes{parts}, trained on "
        f"{record['data']['rows']:,} rows of {width}{at}{blend}."
    )
