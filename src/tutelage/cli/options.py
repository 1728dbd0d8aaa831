"""Options that several verbs share, and what is typed after them as values."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tutelage.core.answer_kinds import TASKS
from tutelage.softlabels.options import LOGGED_KINDS, REPEATED, RESTS

FOLDER = click.Path(path_type=Path)
FILE = click.Path(path_type=Path)

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
data_option = click.option("--data", type=FILE, required=True, help="The rows: a .parquet, .csv, .jsonl or .npy file.")
truth_option = click.option("--truth", "--target", multiple=True, metavar="COLUMN", help="A column that holds the truth; it is no feature.")
drop_option = click.option(
    "--drop", multiple=True, metavar="COLUMN", help="A column that is no feature, such as an id. Give it again for more."
)
text_option = click.option("--text", metavar="COLUMN", help="The column whose texts are the rows.")


def labels(text: str) -> tuple[Any, ...]:
    """Labels with commas between them, or a JSON list; whole numbers are numbers where all are."""
    if text.startswith("["):
        try:
            return tuple(json.loads(text))
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is no JSON list ({error}).") from error
    names = [name.strip() for name in text.split(",")]
    try:
        return tuple(int(name) for name in names)
    except ValueError:
        return tuple(names)


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is a number, true, false, none, a list, or else a text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} sets nothing; write NAME=VALUE, as in max_leaf_nodes=32.")
    return name.strip(), _value(value.strip())


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


TEACHER_OPTIONS = (
    click.option("--trust", is_flag=True, help="Load a pickle, or a skops file of unknown types: both can run any code."),
    click.option(
        "--classes",
        type=labels,
        metavar="LABELS",
        help="The label of each answer in order, as a,b,c or a JSON list, where the teacher has none.",
    ),
    click.option("--kind", type=click.Choice(LOGGED_KINDS), help="What its numbers are, where it cannot say; needed for a log."),
    click.option("--task", type=click.Choice(TASKS), help="What they are about, where classes do not tell."),
    click.option("--answers", multiple=True, metavar="COLUMN", help="Of a log: the column of answers, or one for each class."),
    click.option("--content", multiple=True, metavar="COLUMN", help="Of a log: a column of the rows themselves; else line n is row n."),
    click.option("--id", "id_column", metavar="COLUMN", help="Of a log: a column of ids that the data has as well."),
    click.option("--rest", type=click.Choice(RESTS), help="Of a top-k log: what becomes of the mass not named."),
    click.option("--repeated", type=click.Choice(REPEATED), help="Of a log: lines about one row that disagree."),
    click.option("--smoothing", type=float, help="Of votes: added to every class before counting."),
)
"""What may be told of a teacher; a verb gets them as one value `told`."""


def teacher_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options above, gathered in one argument `told`."""

    @wraps(verb)
    def gathered(**given: Any) -> Any:
        from tutelage.workflow.open_answers import SourceOptions

        return verb(told=SourceOptions(**{field.name: given.pop(field.name) for field in fields(SourceOptions)}), **given)

    return _with(gathered, TEACHER_OPTIONS)


def rows_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb --data, --truth, --drop and --text."""
    return _with(verb, (data_option, truth_option, drop_option, text_option))


def _with(verb: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> Callable[..., Any]:
    for option in reversed(options):
        verb = option(verb)
    return verb
