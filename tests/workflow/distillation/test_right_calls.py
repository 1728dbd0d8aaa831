"""The containers of rows and settings that `distill` takes give the same results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

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


def test_without_ground_truth_the_teacher_is_not_compared_with_itself():
    found = tl.distill(TEACHER, ROWS, students="tree", trials=1, seeds=2, export="py").record
    assert found.against == "teacher"
    assert all(one.b != "teacher" for one in found.comparisons)
    assert "difference from the teacher" not in found.answer


def test_a_plain_model_that_is_better_is_in_the_answer_though_its_student_was_not_asked_for():
    rows = np.random.default_rng(0).normal(size=(1200, 6))
    truth = (rows.sum(axis=1) > 0).astype(int)
    teacher = LogisticRegression().fit(rows[:300], truth[:300])
    found = tl.distill(teacher, rows[350:], truth[350:], pool=rows[300:350], students="tree", trials=1, seeds=5, export="py")
    assert found.chosen.student == "tree"
    assert found.verdict.startswith("Do not distil.")
    assert "plain logistic model of the ground truth is better than it" in found.verdict
