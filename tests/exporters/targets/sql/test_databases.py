import importlib.util
import sqlite3

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.sql import databases, target
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
X = np.where(RNG.random((50, 2)) < 0.2, np.nan, RNG.normal(size=(50, 2)).astype(np.float32))
STUDENT = tl.SoftTree(max_leaf_nodes=5, random_state=0).fit(X, RNG.dirichlet(np.ones(3), 50))


def job(table="rows"):
    subject, rows = subject_of(STUDENT, X)
    return Job(subject, rows, program_of(subject, rows), "student", Settings(table=table))


@pytest.mark.parametrize("table", ["rows", 'shop.the "rows"'])
def test_every_database_answers_in_the_order_of_the_rows(table, tmp_path):
    given = job(table)
    path = tmp_path / "student.sql"
    path.write_bytes(target.write(given, [])["student.sql"])
    found = databases.found(given)
    assert [each.name.partition(" ")[0] for each in found] == ["SQLite", "DuckDB"][: len(found)]
    for database in found:
        for rows in (given.rows, given.rows[10:30]):  # asked twice
            answers = database.answers(path, given.program, rows)
            np.testing.assert_allclose(answers.values, STUDENT.predict_proba(rows.numbers))
            np.testing.assert_array_equal(answers.decisions, STUDENT.predict(rows.numbers))


def test_a_statement_that_fails_is_reported(tmp_path):
    path = tmp_path / "student.sql"
    path.write_text("SELECT nothing FROM rows")
    for database in databases.found(job()):
        with pytest.raises(ParityError, match=f"fails in {database.name}.*nothing"):
            database.answers(path, job().program, job().rows)


def test_a_sqlite_without_functions_is_named(monkeypatch):
    def refused(*_):
        raise sqlite3.OperationalError("no such function: exp")

    monkeypatch.setattr(sqlite3, "connect", lambda _: type("Old", (), {"execute": refused, "close": lambda _: None})())
    monkeypatch.setattr(databases, "find_spec", lambda _: None)
    with pytest.raises(BadInput, match=r"SQLite .* lacks exp, ln.*install duckdb"):
        databases.found(job())
    if importlib.util.find_spec("duckdb"):
        monkeypatch.undo()
        monkeypatch.setattr(sqlite3, "connect", lambda _: type("Old", (), {"execute": refused, "close": lambda _: None})())
        assert [each.name[:6] for each in databases.found(job())] == ["DuckDB"]


def test_truth_values_are_given_to_duckdb_in_every_type(tmp_path):
    pytest.importorskip("duckdb")
    frame = pd.DataFrame({"new": RNG.random(50) > 0.5, "size": RNG.normal(size=50)})
    shares = np.column_stack([frame["new"] * 0.8 + 0.1, 0.9 - frame["new"] * 0.8])
    student = with_columns(tl.SoftTree(max_leaf_nodes=3), frame, scaled=False).fit(frame, shares)
    subject, rows = subject_of(student, frame)
    given = Job(subject, rows, program_of(subject, rows), "student", Settings())
    path = tmp_path / "student.sql"
    path.write_bytes(target.write(given, [])["student.sql"])
    database = databases.DuckDB(given.settings.table)
    seen = []
    for _ in range(3):
        np.testing.assert_allclose(database.answers(path, given.program, rows).values, student.predict_proba(frame))
        seen.append(database._database.execute(f"SELECT DISTINCT typeof(new) FROM {given.settings.table}").fetchall()[0][0])  # noqa: S608
    assert seen == ["BOOLEAN", "BIGINT", "DOUBLE"]


def test_a_class_keeps_its_ends_of_lines(tmp_path):
    classes = ["a\r\nb", "c\rd"]
    student = tl.SoftTree(max_leaf_nodes=3, random_state=0).fit(X, np.where(X[:, 0] > 0, *classes))
    subject, rows = subject_of(student, X)
    given = Job(subject, rows, program_of(subject, rows), "student", Settings())
    path = tmp_path / "student.sql"
    path.write_bytes(target.write(given, [])["student.sql"])
    for database in databases.found(given):
        assert set(database.answers(path, given.program, rows).decisions) == {0, 1}
    assert 'open(sys.argv[1], "rb")' in databases.timed(path, given, tmp_path)[4]
