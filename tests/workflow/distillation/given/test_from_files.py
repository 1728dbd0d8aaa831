import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import BadInput
from tutelage.data.table_file import TableFile
from tutelage.workflow.distillation.given.from_files import problem_of_files
from tutelage.workflow.open_answers import SourceOptions

X, Y = make_moons(200, noise=0.3, random_state=0)
ROWS = pd.DataFrame(X, columns=["a", "b"])
FULL = ROWS.assign(y=Y, w=1.0 + np.arange(200) % 3, customer=np.arange(200) // 4, day=np.arange(200))


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FULL.to_csv("rows.csv", index=False)
    with (tmp_path / "teacher.pkl").open("wb") as file:
        pickle.dump(LogisticRegression().fit(ROWS, Y), file)

    def opened(*, drop=("day",), **others):
        for name, frame in others.items():
            frame.to_csv(f"{name}.csv", index=False)
        file = TableFile.open("rows.csv", truth=["y"], weight="w", drop=drop)
        paths = {name: tmp_path / f"{name}.csv" for name in others}
        return problem_of_files("teacher.pkl", file, SourceOptions(trust=True), group="customer", time="day", **paths)

    return opened


def test_test_rows_have_their_weights_and_groups(problem):
    found = problem(test=FULL[:50])
    assert found.test.weights.tolist() == FULL["w"][:50].tolist()
    assert found.test.groups.tolist() == FULL["customer"][:50].tolist()
    with pytest.raises(BadInput, match="has no column 'customer'"):
        problem(test=FULL[:50].drop(columns="customer"))


@pytest.mark.parametrize("name", ["pool", "train"])
@pytest.mark.parametrize(
    "frame", [ROWS, FULL.assign(y=None, w=None, day=None), FULL.assign(y="unknown", w=None)], ids=["lacks", "empty", "texts"]
)
def test_a_pool_needs_the_features_alone(problem, name, frame):
    found = problem(**{name: frame})
    rows = found.pool if name == "pool" else found.seen
    assert list(rows.rows.columns) == ["a", "b"]
    assert (rows.truth, rows.weights, rows.times) == (None, None, None)


def test_the_weights_of_a_pool_are_read_where_it_has_them(problem):
    assert problem(pool=FULL).pool.weights.tolist() == FULL["w"].tolist()
    with pytest.raises(BadInput, match=r"column 'w' of .*pool\.csv has 1 empty cells"):
        problem(pool=FULL.assign(w=FULL["w"].where(FULL.index > 0)))


def test_the_groups_of_a_pool_are_read_where_it_has_them(problem):
    assert problem(pool=FULL).pool.groups.tolist() == FULL["customer"].tolist()
    assert problem(pool=ROWS).pool.groups is None
