"""The lines of a log of answers: its columns, and answers in the forms in which language models report them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.arguments import place
from tutelage.core.errors import BadInput, shown
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.tables.column_types import Known
from tutelage.data.tables.csv_text import TextFile
from tutelage.data.tables.found_files import table_suffix
from tutelage.data.tables.sources import read_table

NUMBER_OF_TOKEN = {"logprob": "log-probabilities", "log_prob": "log-probabilities", "probability": "probabilities", "prob": "probabilities"}
"""Under which names a token's number is logged, and its kind."""

Pairs = list[tuple[Any, Any]]
"""Classes, or tokens that stand for classes, with their numbers."""


@dataclass(frozen=True)
class LogLines:
    """A log of answers by column. Lines are counted from 0.

    Attributes:
        columns: for each name, the (lines,) Python values, or an Arrow column.
        count: number of lines.
    """

    columns: Mapping[str, Any]
    count: int

    @classmethod
    def of(cls, source: Any, known: Mapping[str, Known] | None = None) -> LogLines:
        """Read a log.

        Args:
            source: path or URI of a .parquet, .csv, .tsv or .jsonl file, or a pyarrow Table.
            known: what is known of some columns.

        Raises:
            BadInput: a file that cannot be read; the message names the line of a JSONL file.
        """
        if hasattr(source, "column_names") and hasattr(source, "num_rows"):
            table = source
        else:
            file = place("source", source)
            if table_suffix(file) == ".jsonl" and file.is_file():
                return _json_lines(file)
            table = read_table(file, known)
        return cls({name: table.column(name) for name in table.column_names}, table.num_rows)

    def cells(self, name: str) -> list[Any]:
        """(lines,) Python values of a column.

        Raises:
            BadInput: no such column.
        """
        if name not in self.columns:
            raise BadInput(f"the log has no column {name!r}; it has {', '.join(map(repr, self.columns))}.")
        column = self.columns[name]
        return column if isinstance(column, list) else list(column.to_pylist())

    def answers(self, name: str) -> list[Any]:
        """As `cells`; texts that hold JSON, as in a CSV file, are parsed."""
        cells = self.cells(name)
        known = [cell for cell in cells if cell is not None]
        if not known or not all(isinstance(cell, str) and cell[:1] in "[{" for cell in known):
            return cells
        return [None if cell is None else _parsed(cell, line, name) for line, cell in enumerate(cells)]


def _parsed(cell: str, line: int, name: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError as error:
        raise BadInput(
            f"column {name!r} looks like JSON and cannot be parsed in line {line} ({error}). Correct it, or log the values in columns."
        ) from error


def _json_lines(path: AnyPath) -> LogLines:
    """A JSONL file, whose objects may have different keys: a missing one is None."""
    objects: list[dict[str, Any]] = []
    try:
        with TextFile.of(path).opened() as file:
            for line, text in enumerate(part for part in file if part.strip()):
                try:
                    found = json.loads(text, object_pairs_hook=_unique)
                except ValueError as error:
                    raise BadInput(f"line {line} of {path} is not a JSON object ({error}). Correct the line, or drop it.") from error
                if not isinstance(found, dict):
                    raise BadInput(
                        f"line {line} of {path} holds a {type(found).__name__}; expected a JSON object. Correct the line, or drop it."
                    )
                objects.append(found)
    except (OSError, EOFError) as error:
        raise BadInput(f"{path} cannot be read ({error}).") from error
    names = dict.fromkeys(name for found in objects for name in found)
    return LogLines({name: [found.get(name) for found in objects] for name in names}, len(objects))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return found


def token_numbers(answer: Any, kind: str, line: int) -> Pairs | None:
    """The classes, or tokens, of one line with their numbers, which may be None; None for another form of answer.

    Args:
        answer: a mapping from class to number, or a list of objects such as {"token": " yes", "logprob": -0.1}.
        kind: the declared kind of the numbers.
        line: for the error.

    Raises:
        BadInput: an object of the list has no token or no number, or its number is of another kind.
    """
    if isinstance(answer, Mapping):
        return list(answer.items())
    if not isinstance(answer, list) or not answer:
        return None
    if all(isinstance(pair, tuple) and len(pair) == 2 for pair in answer):  # a map of Arrow
        return answer
    if not all(isinstance(token, Mapping) for token in answer):
        return None
    found = []
    for token in answer:
        name = next((name for name in NUMBER_OF_TOKEN if name in token), None)
        if name is None or isinstance(token.get("token"), list | Mapping | None):
            raise BadInput(
                f"line {line} holds {shown(dict(token))}; expected a token and its logprob, as in {{'token': 'yes', 'logprob': -0.1}}."
            )
        if NUMBER_OF_TOKEN[name] != kind:
            raise BadInput(f"line {line} holds a {name} for each token; expected kind={NUMBER_OF_TOKEN[name]!r} instead of {kind!r}.")
        found.append((token["token"], token[name]))
    return found
