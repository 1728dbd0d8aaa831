"""A small teacher and two students, evaluated once for all tests."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.records import Cost, Interval, Latency
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.calibration import ReliabilityCurve
from tutelage.evaluation.records import AlignedAnswers, Estimate
from tutelage.teachers.adapt import as_teacher


@pytest.fixture(scope="session")
def flowers():
    """Rows and classes (texts) of iris, and a mask of the training rows."""
    rows, codes = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[codes]
    return rows[:, 1:3], labels, np.arange(150) % 2 == 0


@pytest.fixture(scope="session")
def forest(flowers):
    rows, labels, train = flowers
    return as_teacher(RandomForestClassifier(20, random_state=0).fit(rows[train], labels[train]))


@pytest.fixture(scope="session")
def small_tree(flowers, forest):
    rows, _, train = flowers
    decisions = np.array(forest.form.classes)[forest.answer(rows[train]).argmax(axis=1)]
    return DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(rows[train], decisions)


@pytest.fixture(scope="session")
def stump(flowers):
    rows, labels, train = flowers
    return DecisionTreeClassifier(max_leaf_nodes=2, random_state=0).fit(rows[train], labels[train])


@pytest.fixture(scope="session")
def evaluation(flowers, forest, small_tree):
    rows, labels, train = flowers
    return evaluate(small_tree, forest, rows[~train], labels[~train], budget_seconds=0.01)


@pytest.fixture(scope="session")
def stump_evaluation(flowers, forest, stump):
    rows, labels, train = flowers
    return evaluate(stump, forest, rows[~train], labels[~train], budget_seconds=None, name="stump")


@pytest.fixture
def evaluated():
    answers = AlignedAnswers("binary", ("no", 1), np.array([[0.6, 0.4]]), None, None, "f00")
    return Evaluation(
        student="<b>ush",
        teacher=None,
        task="binary",
        classes=("no", 1),
        rows=1234,
        against_truth={
            "accuracy": Estimate(0.9125, Interval(0.89, 0.93, "test rows"), "Wilson"),
            "worst_class_recall": Estimate(0.5, Interval(0.25, 0.75, "test rows"), "bootstrap", of="no"),
            "nll_nats": Estimate(0.25, None, "t"),
        },
        against_teacher={},
        teacher_against_truth={"accuracy": Estimate(0.95, None, "Wilson")},
        reliability={"truth": ReliabilityCurve((0.5,), (1.0,), (1234,), (0.75,), (0.7,))},
        decisions=((600, 34), (0, 600)),
        cost=Cost(1500, "file", 12, "leaves", Latency(50.0, 5000.0, (45.0, 55.0), 100, 1), Latency(0.5, 0.75, None, 3, 1000)),
        settings={"seed": 0},
        rows_fingerprint="f00",
        answers=answers,
    )
