import sqlite3

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from tutelage.exporters.program.trees import of_averaged
from tutelage.exporters.targets.sql import trees as module
from tutelage.exporters.targets.sql.statement import Statement

RNG = np.random.default_rng(0)
X = np.where(RNG.random((300, 2)) < 0.1, np.nan, RNG.normal(size=(300, 2)).astype(np.float32))


def answers(model, outputs, rows):
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE given (a REAL, b REAL)")
    database.executemany("INSERT INTO given VALUES (?, ?)", rows.tolist())
    statement = Statement("given")
    many = of_averaged(getattr(model, "estimators_", [model]), outputs)
    found = statement.columns(module.trees(statement, many, statement.columns(["a", "b"])))
    written = statement.text([f"{column} AS answer_{place}" for place, column in enumerate(found)])
    return np.array([row[:outputs] for row in sorted(database.execute(written), key=lambda row: row[outputs])])


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("deepest", [2, 12])
def test_trees_deeper_than_cases_can_be_nested_answer_as_they_do(outputs, deepest, monkeypatch):
    monkeypatch.setattr(module, "DEEPEST", deepest)
    y = RNG.normal(size=(300, outputs))
    tree = DecisionTreeRegressor(random_state=0).fit(X, y)
    np.testing.assert_allclose(answers(tree, outputs, X), tree.predict(X).reshape(-1, outputs))


def test_a_chain_of_splits_is_no_deep_nest():
    rows = np.arange(1, 121.0)[:, None].repeat(2, axis=1)
    tree = DecisionTreeRegressor().fit(rows, 4.0 ** rows[:, 0])
    assert tree.get_depth() > 100
    np.testing.assert_allclose(answers(tree, 1, rows)[:, 0], tree.predict(rows))


def test_many_trees_are_added_up_in_parts(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 4)
    forest = RandomForestRegressor(7, max_depth=3, random_state=0).fit(X, RNG.normal(size=(300, 3)))
    np.testing.assert_allclose(answers(forest, 3, X), forest.predict(X))


def test_a_split_of_missing_values_only():
    rows = np.array([[np.nan, 1], [0, 1], [5, 1], [np.inf, 1], [-np.inf, 1]])
    tree = DecisionTreeRegressor().fit(np.where(np.isinf(rows), 1e30, rows), [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(answers(tree, 1, rows)[:, 0], [1, 0, 0, 0, 0])
