"""The databases in which a statement is proven."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, ParityError, one_line
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.sql.literals import name
from tutelage.exporters.targets.sql.operations import column_names
from tutelage.exporters.targets.sql.statement import ROW
from tutelage.exporters.targets.timed_process import PYTHON_LOOP

KEY = "tutelage_key"


class SQLite:
    """The SQLite of this Python.

    Args:
        table: the table that the statement reads.
    """

    def __init__(self, table: str) -> None:
        self.name = f"SQLite {sqlite3.sqlite_version}"
        self._table = table
        self._database: sqlite3.Connection | None = None

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        with _reported(self.name, sqlite3.Error):
            table = _place(self._table)[1]
            if self._database is None:  # stays open, because it remembers the compiled statement
                self._database = self._opened(program)
            cells = [[*row, place] for place, row in enumerate(rows.cells(program.inputs))]
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608
            self._database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * (len(program.inputs) + 1))})", cells)  # noqa: S608
            found = self._database.execute(_statement(path))
            return _answers(program, [each[0] for each in found.description], found.fetchall(), len(rows))

    def _opened(self, program: Program) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:")
        for definition in self.definitions(program):
            database.execute(definition)
        return database

    def definitions(self, program: Program) -> list[str]:
        """The statements that make the table."""
        schema, table = _place(self._table)
        kinds = zip(column_names(program), program.inputs, strict=True)
        columns = [f"{name(each)} {'REAL' if one.kind == 'number' else 'TEXT'}" for each, one in kinds]
        attached = [] if schema in ("", "main", "temp") else [f"ATTACH ':memory:' AS {name(schema)}"]
        return [*attached, f"CREATE TABLE {table} ({', '.join(columns)}, {KEY} INTEGER)"]


class DuckDB:
    """DuckDB, if it is installed.

    Every second missing number is given as NaN, which is a number there. Where a student takes truth values, the table first has a BOOLEAN
    column, then one of whole numbers, then one of any numbers.

    Args:
        table: the table that the statement reads.
    """

    def __init__(self, table: str) -> None:
        import duckdb

        self.name = f"DuckDB {duckdb.__version__}"
        self._table = table
        self._database: Any = None
        self._schema: Any = None
        self._truths = ["bool", "int64"]

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        import duckdb

        with _reported(self.name, duckdb.Error):
            schema, table = _place(self._table)
            given = _arrow_table(program, rows, self._truths.pop(0) if self._truths else "float64")
            if self._database is None:  # stays open, because it plans the statement once for each type of table
                self._database = duckdb.connect(config={"threads": 1})
                self._database.execute(f"CREATE SCHEMA IF NOT EXISTS {name(schema or 'main')}")
            self._database.register("tutelage_given", given)
            if given.schema != self._schema:
                self._schema = given.schema
                self._database.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM tutelage_given")  # noqa: S608
                self._database.execute(f"PREPARE answer AS {_statement(path)}")
            else:
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608
                self._database.execute(f"INSERT INTO {table} SELECT * FROM tutelage_given")  # noqa: S608
            found = self._database.execute("EXECUTE answer")
            return _answers(program, [each[0] for each in found.description], found.fetchall(), len(rows))


def found(job: Job) -> list[Runtime]:
    """The databases that are installed.

    Raises:
        BadInput: the SQLite of this Python lacks exp and ln, and there is no DuckDB.
    """
    databases: list[Runtime] = []
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("WITH one AS MATERIALIZED (SELECT exp(0), ln(1), ROW_NUMBER() OVER ()) SELECT * FROM one")
            databases.append(SQLite(job.settings.table))
        except sqlite3.Error:
            pass
    if find_spec("duckdb"):
        databases.append(DuckDB(job.settings.table))
    if not databases:
        raise BadInput(
            f"the SQLite {sqlite3.sqlite_version} of this Python lacks exp, ln or materialized queries, and DuckDB is not installed; "
            "install duckdb, or pass unproven=True."
        )
    return databases


def _statement(path: Path) -> str:
    """The statement of a file, with the ends of lines that texts have in it."""
    return path.read_bytes().decode()


def _place(table: str) -> tuple[str, str]:
    """The schema of a table, empty if none is named, and the table as SQL writes it."""
    return table.rpartition(".")[0], ".".join(map(name, table.split(".")))


@contextmanager
def _reported(name: str, error_of_database: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error_of_database as error:
        raise ParityError(f"the statement fails in {name}: {one_line(error)}; nothing was written.") from error


def _arrow_table(program: Program, rows: CheckRows, truths: str) -> Any:
    """Rows; their columns of truth values have the type `truths` where it holds their cells."""
    import pyarrow as pa

    cells = list(zip(*rows.cells(program.inputs), strict=True))
    arrays = [
        _with_nulls(values, truths if one.type == "boolean" else "float64") if one.kind == "number" else pa.array(values, pa.string())
        for one, values in zip(program.inputs, cells, strict=True)
    ]
    return pa.table([*arrays, pa.array(range(len(rows)))], names=[*column_names(program), KEY])


def _with_nulls(cells: Sequence[float], kind: str) -> Any:
    """Numbers in which every second missing one is NULL, the others NaN; all are NULL in a type without NaN."""
    import pyarrow as pa

    values = np.array(cells, dtype=np.float64)
    missing = np.isnan(values)
    if kind != "float64" and np.isin(values[~missing], (0, 1)).all():
        return pa.array(np.where(missing, 0, values).astype(kind), mask=missing)
    return pa.array(values, mask=missing & (np.cumsum(missing) % 2 == 1))


def _answers(program: Program, names: Sequence[str], found: Sequence[Sequence[Any]], count: int) -> Answers:
    """The answers, in the order of the rows."""
    if len(found) != count:
        raise ParityError(f"the statement answers {len(found)} rows of {count}; nothing was written.")
    ordered = sorted(found, key=lambda row: row[names.index(KEY)])
    outputs, ours = program.outputs, names.index(ROW)
    values = np.array([row[:outputs] for row in ordered], dtype=np.float64).reshape(count, outputs)
    if program.form.task == "regression":
        return Answers(values, None)
    deferred = None if program.threshold is None else np.array([row[ours - 1] != 0 for row in ordered])
    decided = [row[outputs : ours - (deferred is not None)] for row in ordered]
    if program.form.task == "multilabel":
        return Answers(values, np.array([[-1 if each is None else each for each in row] for row in decided], dtype=np.int64), deferred)
    codes = {label: code for code, label in enumerate(program.form.classes or ())}
    return Answers(values, np.array([codes.get(label, -1) for (label,) in decided], dtype=np.int64), deferred)


_TIMED = (
    PYTHON_LOOP
    + """
import json, sqlite3
with open(sys.argv[1], "rb") as file:
    statement = file.read().decode()
with open(sys.argv[2], encoding="utf-8") as file:
    create, insert, delete, given = json.load(file)
database = sqlite3.connect(":memory:")
for line in create:
    database.execute(line)
held = 0
def answer(start, rows):
    global held
    if rows != held:
        database.execute(delete)
        database.executemany(insert, given[:rows])
        held = rows
    database.execute(statement).fetchall()
serve(answer, len(given))
"""
)


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls in SQLite, as `Child` runs it: the rows are in the table already."""
    database = SQLite(job.settings.table)
    cells = [
        [None if isinstance(cell, float) and np.isnan(cell) else cell for cell in row] + [place]
        for place, row in enumerate(job.rows.cells(job.program.inputs))
    ]
    table = _place(job.settings.table)[1]
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * (len(job.program.inputs) + 1))})"  # noqa: S608
    stored = folder / "sql.json"
    stored.write_text(json.dumps([database.definitions(job.program), insert, f"DELETE FROM {table}", cells]))  # noqa: S608
    return [sys.executable, "-W", "ignore", "-c", _TIMED, str(path), str(stored)]
