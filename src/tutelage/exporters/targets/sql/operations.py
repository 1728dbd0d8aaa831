"""How each operation of a program is written: expressions of one row, one for each number of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.sql.literals import LARGEST, double, exact_number, name, number, text, total
from tutelage.exporters.targets.sql.statement import ROW, Statement
from tutelage.exporters.targets.sql.trees import trees

Row = Sequence[str]
FAR = 700
"""Beyond this, exp leaves the range of double precision: PostgreSQL takes that for an error."""
BOTTOM = -1e300
"""Stands for the logarithm of zero: databases have no common way to write infinity."""


class Cells(NamedTuple):
    """The cells of a row, as columns of a statement.

    Attributes:
        numbers: NULL where missing.
        texts: NULL where missing.
        unread: 1 if a cell is no number where one is expected, otherwise 0; empty if the student takes no numbers.
    """

    numbers: Row
    texts: Row
    unread: str


def column_names(program: Program) -> tuple[str, ...]:
    """The columns of the table that the statement reads.

    Raises:
        BadInput: rows, or names, that no table has.
    """
    if not program.inputs:
        raise BadInput("a student of pictures or other arrays cannot be written in SQL, which has columns only; export it to ONNX.")
    names = tuple(f"x{place}" if one.name is None else one.name for place, one in enumerate(program.inputs))
    seen: dict[str, str] = {}
    for each in names:
        if seen.setdefault(each.lower(), each) != each:
            raise BadInput(f"columns {seen[each.lower()]!r} and {each!r} differ in case only, as databases see it; rename one.")
        if each.lower().startswith("tutelage_"):
            raise BadInput(
                f"a column is named {each!r}; names that begin with 'tutelage_', such as {ROW!r}, are those of the statement; rename it."
            )
    return names


def read_row(statement: Statement, program: Program) -> Cells:
    """The cells of a row."""
    numbers, texts, unread = [], [], []
    largest = double(exact_number(LARGEST))
    for one, column in zip(program.inputs, column_names(program), strict=True):
        cell = f"tutelage_rows.{name(column)}"  # with its table: SQLite takes an unknown name alone for a text
        if one.kind == "text":
            texts.append(f"CAST({cell} AS TEXT) || ''")  # compared character by character, whatever the column's collation
            continue
        value = double(cell)
        known = f"WHEN {value} <= {largest} OR -{value} < -{largest} THEN {value}"  # NaN is above infinity in a database that has it
        if one.type == "boolean":  # as texts, which every database makes of every type: DuckDB's truth values are 'true' or 'false'
            stored = f"CAST({cell} AS TEXT)"
            numbers.append(f"CASE WHEN {stored} = 'true' THEN 1e0 {known} END")
            wrong = f"{stored} NOT IN ('true', 'false') AND {value} <= {largest} AND {value} >= -{largest} AND {_is_no_number(stored)}"
        else:  # SQLite stores texts in any column: they are above all numbers, but zero or their first digits once cast
            numbers.append(f"CASE {known} END")
            wrong = f"{cell} > {largest} AND {value} <= {largest}"
        unread.append(f"WHEN {wrong} THEN 1")
    columns = statement.columns([*numbers, *texts, *([f"CASE {' '.join(unread)} ELSE 0 END"] if unread else [])])
    places = len(numbers), len(numbers) + len(texts)
    return Cells(columns[: places[0]], columns[places[0] : places[1]], columns[-1] if unread else "")


def _is_no_number(text: str) -> str:
    """Whether a text, which SQLite would cast by its first digits, is no number: a sign, digits with one point, and an exponent."""
    digits = f"REPLACE(REPLACE({text}, 'e-', ''), 'e+', '')"
    return f"(LTRIM({text}, ' +-.') = '' OR {text} LIKE '%.%.%' OR LTRIM(LTRIM(TRIM({digits}), '+-'), '0123456789.') <> '')"


def result_of(operation: op.Operation, statement: Statement, row: Cells, sources: Sequence[Row]) -> Row:
    """The result of a step, as expressions.

    Raises:
        BadInput: an operation that SQL does not have.
    """
    numbers, texts, _ = row
    if isinstance(operation, op.Numbers):
        return numbers if operation.places is None else [numbers[place] for place in operation.places]
    if isinstance(operation, op.Category):
        return statement.columns([_category(operation, (texts if operation.of_text else numbers)[operation.place])])
    writer = _OPERATIONS.get(type(operation))
    if writer is None:
        raise op.cannot_be_written(operation, "SQL")
    return writer(statement, operation, *sources)


def _category(operation: op.Category, cell: str) -> str:
    levels = [text(level) if operation.of_text else exact_number(level) for level in operation.levels]
    known = " ".join(f"WHEN {cell} = {level} THEN {number(code)}" for level, code in zip(levels, operation.codes, strict=True))
    return double(f"CASE WHEN {cell} IS NULL THEN {number(operation.missing)} {known} ELSE {number(operation.unseen)} END")


def _arithmetic(statement: Statement, operation: op.Arithmetic, x: Row) -> Row:
    sign, neutral = {"subtract": ("-", 0), "add": ("+", 0), "multiply": ("*", 1), "divide": ("/", 1)}[operation.name]
    values = np.broadcast_to(operation.values, len(x))
    return statement.columns(
        [cell if value == neutral else f"{cell} {sign} {number(value)}" for cell, value in zip(x, values, strict=True)]
    )


def _clip(statement: Statement, operation: op.Clip, x: Row) -> Row:
    low, high = number(operation.low), number(operation.high)
    return statement.columns([f"CASE WHEN {cell} < {low} THEN {low} WHEN {cell} > {high} THEN {high} ELSE {cell} END" for cell in x])


def _fill_gaps(statement: Statement, operation: op.FillGaps, x: Row) -> Row:
    return statement.columns([f"COALESCE({cell}, {number(value)})" for cell, value in zip(x, operation.values, strict=True)])


def _one_hot(statement: Statement, operation: op.OneHot, x: Row) -> Row:
    return [
        f"CASE WHEN {code} = {number(place)} THEN 1e0 ELSE 0e0 END"
        for code, width in zip(x, operation.widths, strict=True)
        for place in range(width)
    ]


def _dense(statement: Statement, operation: op.Dense, x: Row) -> Row:
    columns, inputs = [], len(operation.weights)
    for start in range(0, len(x), inputs):  # vectors one after another
        for weights, intercept in zip(operation.weights.T, operation.intercepts, strict=True):
            terms = [f"{number(weight)} * {cell}" for weight, cell in zip(weights, x[start : start + inputs], strict=True)]
            columns.append(double(total([*terms, number(intercept)] if intercept or not terms else terms)))
    return statement.columns(columns)


def _softmax(statement: Statement, operation: op.Softmax, x: Row) -> Row:
    x = statement.columns(x)
    largest = statement.largest(x)
    gaps = statement.columns([f"{cell} - {largest}" for cell in x])
    shares = statement.columns([f"CASE WHEN {gap} > -{FAR} THEN exp({gap}) WHEN {gap} <= -{FAR} THEN 0e0 END" for gap in gaps])
    (sum_,) = statement.columns([total(shares)])
    return statement.columns([f"{share} / {sum_}" for share in shares])


def _largest(statement: Statement, operation: op.Largest, x: Row) -> Row:
    x = statement.columns(x)
    most = statement.largest(x)
    (first,) = statement.columns([f"CASE {' '.join(f'WHEN {cell} >= {most} THEN {place}' for place, cell in enumerate(x))} END"])
    return [f"CASE WHEN {first} = {place} THEN 1e0 WHEN {first} <> {place} THEN 0e0 END" for place in range(len(x))]


def _sigmoid(x: str) -> str:
    return f"CASE WHEN {x} > {FAR} THEN 1e0 WHEN {x} > -{FAR} THEN 1e0 / (1e0 + exp(-{x})) WHEN {x} <= -{FAR} THEN 0e0 END"


def _tanh(x: str) -> str:
    return f"CASE WHEN {x} > 20 THEN 1e0 WHEN {x} > -20 THEN 1e0 - 2e0 / (exp(2e0 * {x}) + 1e0) WHEN {x} <= -20 THEN -1e0 END"


def _log(x: str) -> str:
    return f"CASE WHEN {x} > 0 THEN ln({x}) WHEN {x} <= 0 THEN {number(BOTTOM)} END"


_FUNCTIONS: dict[str, Callable[[str, str], str]] = {
    "relu": lambda x, alpha: f"CASE WHEN {x} > 0 THEN {x} WHEN {x} <= 0 THEN 0e0 END",
    "leaky_relu": lambda x, alpha: f"CASE WHEN {x} > 0 THEN {x} ELSE {alpha} * {x} END",
    "sigmoid": lambda x, alpha: _sigmoid(x),
    "tanh": lambda x, alpha: _tanh(x),
    "silu": lambda x, alpha: f"{x} * {_sigmoid(x)}",
    "log": lambda x, alpha: _log(x),
    "logit": lambda x, alpha: f"CASE WHEN {x} < 1 THEN {_log(x)} - ln(1 - {x}) WHEN {x} >= 1 THEN {number(-BOTTOM)} END",
}


def _apply(statement: Statement, operation: op.Apply, x: Row) -> Row:
    if operation.function not in _FUNCTIONS:
        raise BadInput(f"this student cannot be written in SQL, which has no function {operation.function}; export it to ONNX.")
    x = statement.columns(x)
    return statement.columns([_FUNCTIONS[operation.function](cell, number(operation.alpha)) for cell in x])


def _both_classes(statement: Statement, operation: op.BothClasses, x: Row) -> Row:
    (second,) = statement.columns(x)
    return [f"1e0 - {second}", second]


def _select(statement: Statement, operation: op.Select, x: Row) -> Row:
    return ["0e0" if place < 0 else x[place] for place in operation.places]


_OPERATIONS: dict[type[op.Operation], Callable[..., Row]] = {
    op.Constant: lambda statement, operation: [double(number(value)) for value in operation.values],
    op.Select: _select,
    op.Join: lambda statement, operation, *parts: [cell for part in parts for cell in part],
    op.FillGaps: _fill_gaps,
    op.Arithmetic: _arithmetic,
    op.Clip: _clip,
    op.OneHot: _one_hot,
    op.TreeSum: lambda statement, operation, x: statement.columns(trees(statement, operation.trees, statement.columns(x))),
    op.Dense: _dense,
    op.Apply: _apply,
    op.Softmax: _softmax,
    op.Largest: _largest,
    op.BothClasses: _both_classes,
    op.Reshape: lambda statement, operation, x: x,
}
