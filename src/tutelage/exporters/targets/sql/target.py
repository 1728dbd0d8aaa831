"""A student as one SQL statement that reads a table and answers each of its rows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.errors import BadInput
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.sources import column_units
from tutelage.exporters.targets.sql import databases
from tutelage.exporters.targets.sql.literals import exact_number, labels, name, total
from tutelage.exporters.targets.sql.operations import Row, column_names, read_row, result_of
from tutelage.exporters.targets.sql.statement import Statement


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The statement, by file name.

    Args:
        job: what to write; its table may name a schema, as "shop.customers".
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: an operation, a precision or a name that SQL does not have.
    """
    job.settings.check("SQL", ("double",))
    program = job.program
    table = ".".join(map(name, job.settings.table.split(".")))
    if job.settings.table.lower().startswith("tutelage_"):
        raise BadInput(f"table is {job.settings.table!r}; names that begin with 'tutelage_' are those of the statement's own steps.")
    added = {*prediction_names(program), *(f"probability_{place}" for place in range(program.outputs) if program.form.task != "regression")}
    if program.threshold is not None:
        added.add("deferred")
    for column in column_names(program):
        if column.lower() in added:
            raise BadInput(f"a column is named {column!r}, as one of the answers that the statement adds; rename it.")
    statement = Statement(table)
    row = read_row(statement, program)
    results: list[Row] = []
    for step in program.steps:
        results.append(result_of(step.operation, statement, row, [results[each] for each in step.sources]))
    values = results[-1]
    if row.unread:  # a text where a number is expected is no missing number: there is no answer
        values = [f"CASE WHEN {row.unread} = 0 THEN {value} END" for value in values]
    text = statement.text(_answers(statement, program, statement.columns(values)))
    comments = [
        *header,
        f"It reads the columns {', '.join(map(repr, column_names(program)))} of {job.settings.table!r}.",
        *_legend(program),
        *_units(program),
    ]
    lines = [f"-- {part}\n" for line in comments for part in textwrap.wrap(" ".join(line.split()), 97)]
    return {f"{job.stem}.sql": ("".join(lines) + text).encode()}


def _legend(program: Program) -> list[str]:
    """What the columns of the answers are."""
    if program.form.task == "regression":
        return [
            "It adds the predicted value as prediction." if program.outputs == 1 else "It adds the predicted values as prediction_0, ..."
        ]
    several = len(prediction_names(program)) > 1
    names = range(program.outputs) if program.form.classes is None else program.form.classes
    each = ", ".join(f"probability_{place} is that of {one!r}" for place, one in enumerate(names))
    decided = "the decisions as prediction_0, ..., which are 0 or 1" if several else "the decision as prediction"
    decided += ", which is 0 or 1" if program.form.task == "multilabel" and not several else ""
    deferred = [] if program.threshold is None else ["It adds deferred, which is 1 for rows that are left to the teacher and 0 for others."]
    return [
        f"It adds the probabilities of the {'labels' if program.form.task == 'multilabel' else 'classes'} and {decided}: {each}.",
        *deferred,
    ]


def _units(program: Program) -> list[str]:
    """What the columns of the table hold."""
    units = column_units(program, "database")
    if any(one.type == "date" for one in program.inputs):
        units.append(
            "A date d is julianday(d) - 2440587.5 in SQLite, epoch(d) / 86400 in DuckDB and EXTRACT(EPOCH FROM d) / 86400 in PostgreSQL: "
            "convert it in a view."
        )
    if program.numbers:
        units.append("A row with a text in a column of numbers has no answers: they are NULL.")
    return units


def _answers(statement: Statement, program: Program, values: Sequence[str]) -> list[str]:
    """The columns of the answers and of the decision."""
    if program.form.task == "regression":
        return [f"{value} AS {each}" for value, each in zip(values, prediction_names(program), strict=True)]
    answers = [f"{value} AS probability_{place}" for place, value in enumerate(values)]
    if program.form.task == "multilabel":
        decided = [f"CASE WHEN {value} > 0.5e0 THEN 1 WHEN {value} <= 0.5e0 THEN 0 END" for value in values]
        confident = [*values]
    else:
        largest = statement.largest(values)
        confident = [largest]
        classes = labels(program.form.classes or ())
        cases = " ".join(f"WHEN {value} = {largest} THEN {each}" for value, each in zip(values, classes, strict=True))
        decided = [f"CASE {cases} END"]
    deferred = [] if program.threshold is None else [f"{_deferred(confident, program.threshold, program.form.task)} AS deferred"]
    return answers + [f"{each} AS {column}" for each, column in zip(decided, prediction_names(program), strict=True)] + deferred


def _deferred(values: Sequence[str], threshold: float, task: str) -> str:
    """1 for a row that is left to the teacher, because a value is not sure enough; so is one without answers."""
    least, several = exact_number(threshold), task == "multilabel"
    unsure = [f"CASE WHEN {value} >= {least}{f' OR 1e0 - {value} >= {least}' if several else ''} THEN 0 ELSE 1 END" for value in values]
    return f"CASE WHEN {total(unsure)} = 0 THEN 0 ELSE 1 END" if several else unsure[0]


def prediction_names(program: Program) -> list[str]:
    """The columns of the decision, or of the values."""
    several = program.outputs > 1 and program.form.task in ("regression", "multilabel")
    return [f"prediction_{place}" for place in range(program.outputs)] if several else ["prediction"]


def runtimes(job: Job) -> list[Runtime]:
    """Where such a statement is proven: in SQLite, and in DuckDB if it is installed.

    Raises:
        BadInput: this Python has a SQLite that cannot run it.
    """
    return databases.found(job)


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls in SQLite, as `Child` runs it: the rows are in the table already."""
    return databases.timed(path, job, folder)
