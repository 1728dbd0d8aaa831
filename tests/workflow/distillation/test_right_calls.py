"""The containers of rows and settings that `distill` takes give the same results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.workflow.distillation.searching.search import Judge

X, Y = make_moons(300, noise=0.3, random_state=0)
FRAME = pd.DataFrame(X, columns=["a", "b"])
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(FRAME[:100].to_numpy(), Y[:100])
OF_FRAMES = RandomForestClassifier(20, max_depth=5, random_state=0).fit(FRAME[:100], Y[:100])
ROWS, TRUTH = X[100:], Y[100:]


@pytest.fixture(autouse=True)
def _untimed(monkeypatch):
    monkeypatch.setattr(Judge, "latency", lambda *given, seconds: None)  # a measurement starts a process


def figures(teacher, X, y, **settings):
    found = tl.distill(teacher, X, y, **{"students": ["tree"], "trials": 1, "seeds": 2, "export": "py", **settings})
    return {arm.name: arm.test["accuracy"] for arm in found.arms}


@pytest.fixture(scope="module")
def expected():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "latency", lambda *given, seconds: None)
        return figures(TEACHER, ROWS, TRUTH)


def test_tensors_lists_and_generators_are_taken(expected):
    torch = pytest.importorskip("torch")
    assert figures(TEACHER, torch.tensor(ROWS), torch.tensor(TRUTH)) == expected
    assert figures(TEACHER, ROWS.tolist(), TRUTH.tolist(), students=(name for name in ["tree"]), export=(end for end in ["py"])) == expected


def test_columns_of_test_rows_and_pool_may_be_in_another_order():
    rows, others = FRAME[100:], FRAME[:100]
    given = {"test": (others, Y[:100]), "pool": others + 0.01}
    swapped = {"test": (others[["b", "a"]], Y[:100]), "pool": (others + 0.01)[["b", "a"]]}
    assert figures(OF_FRAMES, rows, TRUTH, **given) == figures(OF_FRAMES, rows, TRUTH, **swapped)


def test_equal_rows_in_another_order_of_columns_are_found(tmp_path):
    rows = FRAME[100:]
    test = (pd.concat([FRAME[:60], rows[:10]])[["b", "a"]], np.append(Y[:60], TRUTH[:10]))
    found = tl.distill(OF_FRAMES, rows, TRUTH, test=test, students="tree", trials=1, seeds=2, export="py")
    assert found.record.rows["removed"]["equal to a test row"] == 10
