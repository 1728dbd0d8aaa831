"""Options shared by several commands, and the parsing of their values."""

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

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
data_option = click.option("--data", type=FILE, required=True, help="File of rows: .parquet, .csv, .jsonl or .npy.")
truth_option = click.option(
    "--truth", "--target", multiple=True, metavar="COLUMN", help="Column of the ground truth; it is not used as a feature."
)
drop_option = click.option(
    "--drop", multiple=True, metavar="COLUMN", help="Column that is not a feature, such as an id. Repeat it for more columns."
)
text_option = click.option("--text", metavar="COLUMN", help="Column of texts, if each row is one text.")


def labels(text: str) -> tuple[Any, ...]:
    """Parse class names from a comma-separated or JSON list; if all of them are whole numbers, they become integers."""
    if text.startswith("["):
        try:
            return tuple(json.loads(text))
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not a valid JSON list ({error}).") from error
    names = [name.strip() for name in text.split(",")]
    try:
        return tuple(int(name) for name in names)
    except ValueError:
        return tuple(names)


def setting(text: str) -> tuple[str, Any]:
    """Parse NAME=VALUE; the value is a number, true, false, none, a list, or otherwise a text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not a setting; write NAME=VALUE, for example max_leaf_nodes=32.")
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
    click.option("--trust", is_flag=True, help="Load a pickle or a skops file with unknown types; both can execute arbitrary code."),
    click.option(
        "--classes",
        type=labels,
        metavar="CLASSES",
        help="Class of each answer column in order, as a,b,c or a JSON list, for a teacher that does not name them.",
    ),
    click.option(
        "--kind", type=click.Choice(LOGGED_KINDS), help="What the answers are; required for a log, and for a teacher that does not say."
    ),
    click.option("--task", type=click.Choice(TASKS), help="The task, if it does not follow from the classes."),
    click.option(
        "--teacher-version",
        metavar="TEXT",
        help="Identifies a teacher that calls a service or holds what cannot be read; change it whenever its answers change.",
    ),
    click.option("--answers", multiple=True, metavar="COLUMN", help="Log only: the column of answers; repeat it for one column per class."),
    click.option(
        "--content",
        multiple=True,
        metavar="COLUMN",
        help="Log only: a column of the row itself. Without it, line n belongs to row n.",
    ),
    click.option("--id", "id_column", metavar="COLUMN", help="Log only: a column of ids that the data has too."),
    click.option(
        "--rest",
        type=click.Choice(RESTS),
        help="Top-k log only: spread the remaining probability over the other classes, or drop it.",
    ),
    click.option(
        "--repeated", type=click.Choice(REPEATED), help="Log only: for different answers to the same row, stop or take their mean."
    ),
    click.option("--smoothing", type=float, help="Votes only: number added to the count of every class."),
)
"""Options that describe a teacher or a log; a command receives them as one argument `source`."""


def teacher_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options above to a command, which receives them as one argument `source`."""

    @wraps(command)
    def gathered(**given: Any) -> Any:
        from tutelage.workflow.open_answers import SourceOptions

        return command(source=SourceOptions(**{field.name: given.pop(field.name) for field in fields(SourceOptions)}), **given)

    return _with(gathered, TEACHER_OPTIONS)


def rows_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data, --truth, --drop and --text to a command."""
    return _with(command, (data_option, truth_option, drop_option, text_option))


def _with(command: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
