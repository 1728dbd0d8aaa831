"""Settings files: options of the command line in TOML, once for all commands.

A file `tutelage.toml` in the current folder is read by every command, another one with --settings. Its keys are the names of options
without their hyphens in front. Keys at the top say what the columns of the rows are, and what the teacher is, for every command
that takes rows; a table with the name of a command is for that command alone. What is given on the command line comes first.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tutelage.cli.options import ASIDE, FILE, echo
from tutelage.core.errors import BadInput, did_you_mean, one_line, shown

SETTINGS_FILE = "tutelage.toml"
NOT_FROM_A_FILE = ("trust", "debug", "settings", "help", "dry-run")
"""Options that are decided at the command line: a file that came with the data must not make it execute code."""
OF_THE_ROWS = ("data", "truth", "drop", "text", "dtype", "inputs", "weight", "group", "time")
OF_THE_TEACHER = (
    *("classes", "kind", "task", "teacher-version"),
    *("answers", "content", "id", "rest", "repeated", "mapping", "smoothing"),
)
NO_FEATURES = ("weight", "group", "time")
"""Those of `OF_THE_ROWS` that are no features in commands that lack the option either; the time only where it is an array."""
SHARED = (*OF_THE_ROWS, *OF_THE_TEACHER)
"""Keys at the top of a file: they hold for every command that takes rows with a ground truth."""


def with_settings(command: click.Command) -> click.Command:
    """Add --settings to a command, whose other options then have the values of the file by default."""
    command.params.append(
        click.Option(
            ["--settings", "settings_file"],
            type=FILE,
            is_eager=True,  # before the options whose defaults it sets
            expose_value=False,
            callback=_read,
            help=f"Settings file (TOML) with values of these options; {SETTINGS_FILE} of the current folder by default.",
        )
    )
    return command


def arguments_from_settings(context: click.Context) -> list[str]:
    """The options of a call that a settings file gave, as arguments of the command line."""
    found: list[str] = []
    for option in _options(context.command):
        if context.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT_MAP:
            continue
        value = (context.default_map or {})[str(option.name)]
        flag = f"--{_key(option)}"
        if option.is_flag:
            found += [flag] if value else []
        else:
            for one in value if isinstance(value, list) else [value]:
                found += [flag, str(one)]
    return found


def arguments_without(context: click.Context, *names: str) -> list[str]:
    """The arguments of a call, those included that a settings file gave, without some options."""
    given = list(context.find_root().obj or ())
    given = given[given.index(context.info_name) + 1 :] if context.info_name in given else []
    found, left_out = [], {f"--{name}" for name in (*names, "settings")}
    flags = {f"--{_key(option)}" for option in _options(context.command) if option.is_flag}
    words = iter(given)
    for word in words:
        name, value, _ = word.partition("=")
        if name not in left_out:
            found.append(word)
        elif not value and name not in flags and "=" not in word:
            next(words, None)
    return [*found, *arguments_from_settings(context)]


def _read(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    place = Path(SETTINGS_FILE) if path is None else path
    if path is None and not place.is_file():
        return
    try:
        found = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"the settings file {place} cannot be read ({error.strerror or error}); name an existing file.") from error
    except ValueError as error:
        raise BadInput(f"the settings file {place} is no valid TOML ({one_line(error)}); correct it.") from error
    context.default_map = _defaults(context, found, place)
    context.meta[ASIDE] = _aside(context, found, place)
    if context.default_map:
        echo(f"settings of {place} ...", err=True)


def _defaults(context: click.Context, found: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """The values of the command's options, by the names of their arguments."""
    commands = _commands(context)
    for name, value in found.items():
        if name in commands:
            _check_table(place, name, value, commands[name])
        elif name not in SHARED:
            known = [*SHARED, *commands]
            hint = _belongs(name, commands) or did_you_mean(name, known)
            raise BadInput(f"the settings file {place} has the key {name!r}; expected one of {', '.join(SHARED)}, or a command.{hint}")
    mine = dict(found.get(str(context.command.name), {}))
    options = {_key(option): option for option in _options(context.command)}
    if "truth" in options:
        mine = {**{name: value for name, value in found.items() if name in SHARED and name not in commands}, **mine}
    return {str(options[name].name): _value(options[name], name, value, place) for name, value in mine.items() if name in options}


def _aside(context: click.Context, found: Mapping[str, Any], place: Path) -> dict[str, str]:
    """The columns that are no features of any command, and that this one has no option for, by their keys."""
    mine = set(map(_key, _options(context.command)))
    of_others = {_key(option): option for command in _commands(context).values() for option in _options(command)}
    left = [name for name in NO_FEATURES if name in found and name not in mine and name in of_others]
    return {name: str(_value(of_others[name], name, found[name], place)) for name in left} if "truth" in mine else {}


def _commands(context: click.Context) -> Mapping[str, click.Command]:
    group = context.parent.command if context.parent is not None else None
    return group.commands if isinstance(group, click.Group) else {str(context.command.name): context.command}


def _check_table(place: Path, name: str, table: Any, command: click.Command) -> None:
    known = [key for key in map(_key, _options(command)) if key not in NOT_FROM_A_FILE]
    if not isinstance(table, dict):
        raise BadInput(f"the settings file {place} has {name} = {shown(table)}; expected a table, [{name}], with options of that command.")
    for key in table:
        if key not in known:
            where = "is given on the command line alone" if key in NOT_FROM_A_FILE else "is no option of that command"
            raise BadInput(
                f"the table [{name}] of {place} has the key {key!r}, which {where}; expected {', '.join(known)}.{did_you_mean(key, known)}"
            )


def _belongs(name: str, commands: Mapping[str, click.Command]) -> str:
    """A hint for a key that belongs into the table of a command."""
    having = [of for of, command in commands.items() if name in map(_key, _options(command)) and name not in NOT_FROM_A_FILE]
    if name in NOT_FROM_A_FILE:
        return f" Give --{name} on the command line."
    return f" Write it below [{having[0]}]." if having else ""


def _options(command: click.Command) -> Iterator[click.Option]:
    return (option for option in command.params if isinstance(option, click.Option))


def _key(option: click.Option) -> str:
    """The name of an option in a file: its first long one, without the hyphens."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")


def _value(option: click.Option, name: str, value: Any, place: Path) -> Any:
    """A value of TOML as click takes it from a default: texts, and lists of them for options that are repeated."""
    wrong = BadInput(f"the settings file {place} has {name} = {shown(value)}; expected {_expected(option)}.")
    if option.is_flag:
        if not isinstance(value, bool):
            raise wrong
        return value
    if option.multiple:
        pairs = isinstance(value, dict) and (option.metavar or "").count("=") == 1
        listed = [f"{key}={_text(one)}" for key, one in value.items()] if pairs else value if isinstance(value, list) else [value]
        if any(isinstance(one, dict | list) for one in listed):
            raise wrong
        return [_text(one) for one in listed]
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        return json.dumps(value) if name == "classes" else ",".join(map(_text, value))
    if isinstance(value, dict | list):
        raise wrong
    return _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _expected(option: click.Option) -> str:
    if option.is_flag:
        return "true or false"
    several = " or a list of them" if option.multiple else ""
    table = ", or a table" if option.multiple and (option.metavar or "").count("=") == 1 else ""
    return f"a text or a number{several}{table}"
