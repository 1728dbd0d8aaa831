"""An SQL statement in the making: a chain of queries, each of which adds columns to the one before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tutelage.core.errors import BadInput

ROW = "tutelage_row"
"""The column that numbers the rows, by which the answers are joined to the columns of the table."""
WIDEST = 1500
"""Largest number of columns of a query: PostgreSQL takes 1664, SQLite 2000."""
_COLUMN = re.compile(r"v\d+_\d+")
_OURS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(v\d+_\d+)\b""")
"""Our columns in an expression, outside of texts and quoted names."""


class Statement:
    """Collects columns, level by level: a column of one level is an expression of columns of earlier levels.

    Args:
        table: where the rows are, as SQL writes it.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.levels: list[dict[str, str]] = []

    def columns(self, expressions: Sequence[str]) -> list[str]:
        """Compute expressions once; the names under which later expressions have their results."""
        if all(_COLUMN.fullmatch(each) for each in expressions):
            return list(expressions)
        names = [each if _COLUMN.fullmatch(each) else f"v{len(self.levels)}_{place}" for place, each in enumerate(expressions)]
        self.levels.append({column: each for column, each in zip(names, expressions, strict=True) if column != each})
        return names

    def largest(self, values: Sequence[str]) -> str:
        """The column with the largest of some columns."""
        values = list(values)
        while len(values) > 1:
            values = self.columns([_largest(values[start : start + 4]) for start in range(0, len(values), 4)])
        return values[0]

    def text(self, answers: Sequence[str]) -> str:
        """The whole statement.

        Args:
            answers: expressions with their names, such as 'v3_0 AS "prediction"'. They come first: where the table has a column of such a
                name, the first is the one that SQLite and DuckDB find by it. The table may have columns named like ours.

        Raises:
            BadInput: more columns at a time than databases take.
        """
        needed = _used(answers)
        queries: list[str] = []
        for number in reversed(range(len(self.levels))):
            level = {name: value for name, value in self.levels[number].items() if name in needed}
            carried = sorted(needed - set(level))
            columns = [ROW, *carried, *(f"{value} AS {name}" for name, value in level.items())]
            if len(columns) > WIDEST:
                raise BadInput(f"this student cannot be written in SQL: it has {len(columns)} numbers at a time; {WIDEST} fit.")
            source = f"tutelage_{number - 1}" if number else "tutelage_rows"
            queries.append(f"tutelage_{number} AS MATERIALIZED (\n  SELECT {_lines(columns)}\n  FROM {source}\n)")  # noqa: S608
            needed = {*carried, *_used(level.values())}
        first = f"tutelage_rows AS MATERIALIZED (\n  SELECT ROW_NUMBER() OVER () AS {ROW}, given.* FROM {self.table} AS given\n)"  # noqa: S608
        last = f"tutelage_{len(self.levels) - 1}"
        qualified = [_OURS.sub(lambda found: f"{last}.{found[0]}" if found[1] else found[0], each) for each in answers]
        return (
            f"WITH {', '.join([first, *reversed(queries)])}\nSELECT {_lines(qualified)},\n    tutelage_rows.*\n"
            f"FROM tutelage_rows JOIN {last} ON {last}.{ROW} = tutelage_rows.{ROW}\n"
        )


def _used(expressions: Iterable[str]) -> set[str]:
    return {found for each in expressions for found in _OURS.findall(each) if found}


def _lines(columns: Sequence[str]) -> str:
    return ",\n    ".join(columns)


def _largest(values: list[str]) -> str:
    """The largest of a few columns."""
    *others, last = values
    tests = [
        f"WHEN {' AND '.join(f'{value} >= {other}' for other in values[place + 1 :])} THEN {value}" for place, value in enumerate(others)
    ]
    return f"CASE {' '.join(tests)} ELSE {last} END" if tests else last
