import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.targets.sql.operations import Cells, column_names, read_row, result_of
from tutelage.exporters.targets.sql.statement import Statement


def program(*names, kind="number"):
    return Program(tuple(Input(name, kind) for name in names), (len(names),), (), AnswerForm("values", "regression"), np.float64, False)


def computed(operation, cells, kind="number", declared="REAL"):
    """The result of an operation for one row of a table."""
    names = [f"c{place}" for place in range(len(cells))]
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE given ({', '.join(f'{name} {declared}' for name in names)})")
    database.execute(f"INSERT INTO given VALUES ({', '.join('?' * len(cells))})", cells)  # noqa: S608
    statement = Statement("given")
    row = read_row(statement, program(*names, kind=kind))
    sources = [] if operation.reads_row else [row[0]]
    found = statement.columns(result_of(operation, statement, row, sources))
    return list(database.execute(statement.text([f"{column} AS r{column}" for column in found])).fetchone()[: len(found)])


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("relu", [-2.0, 3.0], [0, 3]),
        ("leaky_relu", [-2.0, 3.0], [-1, 3]),
        ("sigmoid", [-1e5, 0.0, 2.0, 1e5], [0, 0.5, 1 / (1 + np.exp(-2)), 1]),
        ("tanh", [-1e5, -1.0, 1e-3, 1e5], [-1, np.tanh(-1), np.tanh(1e-3), 1]),
        ("silu", [2.0, -2e3], [2 / (1 + np.exp(-2)), 0]),
        ("log", [2.0, 0.0], [np.log(2), -1e300]),
        ("logit", [0.2, 0.0, 1.0], [np.log(0.25), -1e300, 1e300]),
    ],
)
def test_functions(name, cells, expected):
    np.testing.assert_allclose(computed(op.Apply(name, 0.5), cells), expected, atol=1e-15)


def test_what_sql_lacks_is_refused():
    for operation in (op.Apply("gelu"), op.Terms(0, (), 1, 1, 1, True, False, False, None, None)):
        with pytest.raises(BadInput, match="SQL"):
            computed(operation, [1.0])


def test_softmax_of_far_numbers():
    np.testing.assert_allclose(computed(op.Softmax(), [1e5, 1e5 - 1, -1e5]), [1 / (1 + np.exp(-1)), 1 / (1 + np.e), 0], atol=1e-15)


@pytest.mark.parametrize(("name", "values", "expected"), [("add", [0.0, 2.0], [3, 6]), ("divide", [1.0, 2.0], [3, 2])])
def test_a_number_that_changes_nothing_is_not_written(name, values, expected):
    statement = Statement("given")
    assert result_of(op.Arithmetic(name, np.array(values)), statement, Cells([], [], ""), [["v7_0", "v7_1"]]) == ["v7_0", "v0_1"]
    assert computed(op.Arithmetic(name, np.array(values)), [3.0, 4.0]) == expected


def test_gaps_limits_and_codes():
    np.testing.assert_array_equal(computed(op.FillGaps(np.array([7.0, 8.0])), [None, 1.0]), [7, 1])
    np.testing.assert_array_equal(computed(op.Clip(-1, 1), [5.0, -5.0, 0.5]), [1, -1, 0.5])
    np.testing.assert_array_equal(computed(op.OneHot((2, 2)), [1.0, -1.0]), [0, 1, 0, 0])
    assert computed(op.Numbers((0,), (2,)), [None, 1.0]) == [None]


def unread(cells, kind="number", declared=""):
    """Whether a cell of a row is no number, in SQLite."""
    database = sqlite3.connect(":memory:")
    names = [f"c{place}" for place in range(len(cells))]
    database.execute(f"CREATE TABLE given ({', '.join(f'{name} {declared}' for name in names)})")
    database.execute(f"INSERT INTO given VALUES ({', '.join('?' * len(cells))})", cells)  # noqa: S608
    statement = Statement("given")
    row = read_row(statement, replace(program(*names), inputs=tuple(Input(name, "number", kind) for name in names)))
    return database.execute(statement.text([f"{row.unread} AS unread"])).fetchone()[0]


@pytest.mark.parametrize("declared", ["", "TEXT", "REAL", "INTEGER"])
def test_a_text_is_no_number_and_an_empty_one_neither(declared):
    for cell in ("", "abc", "2020-01-02", "5 of 6"):
        assert unread([1.5, cell, None], declared=declared) == 1
    assert unread(["5", "1e3", "-2.5", 1.5, -3, None], declared=declared) == 0
    assert unread([float("inf"), -float("inf")], declared="REAL") == 0
    every = op.Numbers(None, (3,))
    assert computed(every, ["5", "1e3", "-2.5"], declared=declared) == [5.0, 1000.0, -2.5]
    assert computed(every, [float("inf"), None, -3], declared="REAL") == [float("inf"), None, -3.0]


@pytest.mark.parametrize("declared", ["", "TEXT", "REAL", "INTEGER"])
def test_a_text_is_no_truth_value(declared):
    for cell in ("", "yes", "True", "f", "1abc", "x0", "a10", "0abc", "1 0", "2020-01-02", "1.0.0", "-"):
        assert unread([1, cell, None], "boolean", declared) == 1
    assert unread([0, 1, 0.0, 1.0, None, "true", "false", 0.5, 1e-320, "0", "1", "0.0", " 1 "], "boolean", declared) == 0


def test_categories_are_compared_character_by_character():
    colours = op.Category(True, 0, ("Red", "it's", ""), (0.0, 1.0, 2.0), -1.0, -2.0)
    for cell, code in {"Red": 0, "red": -1, "Red ": -1, "it's": 1, "": 2, None: -2}.items():
        assert computed(colours, [cell], kind="text", declared="TEXT COLLATE NOCASE") == [code]
    sizes = op.Category(False, 0, (1.0, 2.5), (0.0, 1.0), -1.0, float("nan"))
    assert [computed(sizes, [cell])[0] for cell in (1.0, 2.5, 3.0, None)] == [0, 1, -1, None]


def test_columns_that_no_table_has_are_refused():
    for names, found in {("a", "A"): "differ in case", ("Tutelage_key",): "those of the statement"}.items():
        with pytest.raises(BadInput, match=found):
            column_names(program(*names))
    with pytest.raises(BadInput, match="pictures"):
        column_names(program())
    assert column_names(program(None, "b")) == ("x0", "b")


def test_a_column_that_the_table_lacks_is_an_error():
    statement = Statement("given")
    (column,), *_ = read_row(statement, program("absent"))
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE given (a REAL)")
    with pytest.raises(sqlite3.OperationalError, match="absent"):
        database.execute(statement.text([f"{column} AS answer"]))
