import sqlite3

import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.targets.sql.statement import WIDEST, Statement


def test_later_columns_use_earlier_ones_and_unused_ones_are_left_out():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE given (a REAL, id TEXT)")
    database.executemany("INSERT INTO given VALUES (?, ?)", [(2.0, "x"), (3.0, "y")])
    statement = Statement('"given"')
    first, unused = statement.columns(["tutelage_rows.a", "'v9_9'"])
    (square,) = statement.columns([f"{first} * {first}"])
    (text,) = statement.columns([f"'v0_1' || {square}"])
    written = statement.text([f"{text} AS answer", f"{first} AS given_again"])
    assert f"AS {unused}" not in written
    found = database.execute(written)
    assert [each[0] for each in found.description] == ["answer", "given_again", "tutelage_row", "a", "id"]
    assert sorted((*row[:2], row[4]) for row in found) == [("v0_14.0", 2.0, "x"), ("v0_19.0", 3.0, "y")]


def test_the_table_may_have_columns_named_as_ours():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE given (v0_0 REAL, v1_0 REAL)")
    database.execute("INSERT INTO given VALUES (2.0, 3.0)")
    statement = Statement("given")
    (first,) = statement.columns(["tutelage_rows.v0_0 + 5"])
    (second,) = statement.columns([f"{first} * 2"])
    written = statement.text([f"CASE WHEN {first} > 0 THEN 'v0_0' END AS a", f"{second} AS b"])
    assert database.execute(written).fetchone() == ("v0_0", 14.0, 1, 2.0, 3.0)


def test_a_column_is_computed_once():
    statement = Statement("given")
    (first,) = statement.columns(["1e0"])
    assert statement.columns([first, f"{first} + 1e0"]) == [first, "v1_1"]
    assert list(statement.levels[1]) == ["v1_1"]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 30])
def test_the_largest_is_found(count):
    values = [(7 * place) % count for place in range(count)]
    statement = Statement("(SELECT 1 AS one)")
    largest = statement.largest(statement.columns([f"{value}e0" for value in values]))
    assert sqlite3.connect(":memory:").execute(statement.text([f"{largest} AS found"])).fetchone()[0] == max(values)


def test_more_columns_than_databases_take_are_refused():
    statement = Statement("given")
    columns = statement.columns(["1"] * WIDEST)
    with pytest.raises(BadInput, match=f"{WIDEST + 1} numbers at a time"):
        statement.text([f"{column} AS c{column}" for column in columns])
